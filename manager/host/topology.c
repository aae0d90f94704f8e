/* SPDX-License-Identifier: BSD-2-Clause */
/* Intel: SDM volume 2, "CPUID", leaves 04H, 0BH and 1FH. AMD: APM volume 3, appendix "Obtaining
 * Processor Information Via the CPUID Instruction", leaves 8000_001Dh and 8000_001Eh. */
#include "manager/host/topology.h"

#include <string.h>
#include "manager/host/numa.h"

#define LEAF_CACHE       0x4u
#define LEAF_TOPOLOGY    0xbu
#define LEAF_TOPOLOGY_V2 0x1fu
#define LEAF_AMD_CACHE   0x8000001du
#define LEAF_AMD_CORE    0x8000001eu
#define LEAF_AMD_FEATURE 0x80000001u
#define AMD_TOPOLOGY_EXT (1u << 22) /* ECX of LEAF_AMD_FEATURE */
#define LEVEL_SMT        1u
#define CACHES_MAX       16u

static uint32_t bits_for(uint32_t count)
{
    uint32_t bits = 0;
    while (bits < 31 && 1u << bits < count)
        bits++;
    return bits;
}

static bool has_leaf(topology_cpuid *cpuid, uint32_t leaf)
{
    uint32_t last = cpuid(leaf & 0xc0000000u, 0).eax;
    return last >= leaf && last - (leaf & 0xc0000000u) < 0x10000;
}

/* Both leaves of caches have the same form: the last of the highest level counts. */
static uint32_t cache_bits(topology_cpuid *cpuid, uint32_t leaf)
{
    uint32_t bits = 0, highest = 0;
    for (uint32_t i = 0; i < CACHES_MAX; i++) {
        struct topology_leaf r = cpuid(leaf, i);
        uint32_t level = r.eax >> 5 & 7;
        if (!(r.eax & 31))
            break;
        if (level < highest)
            continue;
        highest = level;
        bits = bits_for((r.eax >> 14 & 0xfff) + 1);
    }
    return bits;
}

static uint32_t smt_bits(topology_cpuid *cpuid, uint32_t leaf)
{
    struct topology_leaf r = cpuid(leaf, 0);
    return r.ebx && (r.ecx >> 8 & 0xff) == LEVEL_SMT ? r.eax & 31 : 0;
}

struct topology_bits topology_read(topology_cpuid *cpuid)
{
    struct topology_bits bits = {0, 0};
    bool amd =
        has_leaf(cpuid, LEAF_AMD_CORE) && (cpuid(LEAF_AMD_FEATURE, 0).ecx & AMD_TOPOLOGY_EXT) != 0;
    if (has_leaf(cpuid, LEAF_TOPOLOGY_V2) && cpuid(LEAF_TOPOLOGY_V2, 0).ebx)
        bits.core = smt_bits(cpuid, LEAF_TOPOLOGY_V2);
    else if (has_leaf(cpuid, LEAF_TOPOLOGY))
        bits.core = smt_bits(cpuid, LEAF_TOPOLOGY);
    if (amd) {
        bits.core = bits_for((cpuid(LEAF_AMD_CORE, 0).ebx >> 8 & 0xff) + 1);
        bits.cache = cache_bits(cpuid, LEAF_AMD_CACHE);
    } else if (has_leaf(cpuid, LEAF_CACHE)) {
        bits.cache = cache_bits(cpuid, LEAF_CACHE);
    }
    if (bits.cache < bits.core)
        bits.cache = bits.core;
    return bits;
}

/* How far the nearest CPUs of other nodes are. */
static uint32_t next_distance(const struct topology_cpu *cpus, uint32_t count, uint32_t cpu)
{
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t distance = numa_distance(cpus[cpu].node, cpus[i].node);
        if (cpus[i].node != cpus[cpu].node && distance < least)
            least = distance;
    }
    return least;
}

void topology_near(const struct topology_cpu *cpus, uint32_t count, struct topology_bits bits,
                   uint32_t cpu, struct tune_set near[MACHINE_LEVELS])
{
    uint32_t next = next_distance(cpus, count, cpu);
    memset(near, 0, MACHINE_LEVELS * sizeof(near[0]));
    for (uint32_t i = 0; i < count; i++) {
        bool core = cpus[i].apic_id >> bits.core == cpus[cpu].apic_id >> bits.core;
        bool cache = core || cpus[i].apic_id >> bits.cache == cpus[cpu].apic_id >> bits.cache;
        bool node = cache || cpus[i].node == cpus[cpu].node;
        bool is[MACHINE_LEVELS] = {core, cache, node,
                                   node || numa_distance(cpus[cpu].node, cpus[i].node) <= next};
        for (uint32_t level = 0; level < MACHINE_LEVELS; level++)
            near[level].word[i / 64] |= (uint64_t)is[level] << i % 64;
    }
}
