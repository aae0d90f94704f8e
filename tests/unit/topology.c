/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPUs are near each other, from made-up CPUs. */
#include "tests/unit/test.h"

#include "manager/host/numa.c"
#include "manager/host/topology.c"

static struct topology_leaf none(uint32_t leaf, uint32_t subleaf)
{
    (void)leaf, (void)subleaf;
    return (struct topology_leaf){0};
}

/* Two threads a core, leaf 0xb; L2 for two, L3 for sixteen; another cache that is not the last. */
static struct topology_leaf intel(uint32_t leaf, uint32_t subleaf)
{
    static const struct topology_leaf caches[] = {{.eax = 1 | 1 << 5 | 1 << 14},
                                                  {.eax = 2 | 1 << 5 | 1 << 14},
                                                  {.eax = 3 | 2 << 5 | 1 << 14},
                                                  {.eax = 3 | 3 << 5 | 15 << 14}};
    if (leaf == 0)
        return (struct topology_leaf){.eax = 0x16};
    if (leaf == 4 && subleaf < 4)
        return caches[subleaf];
    if (leaf == 0xb && !subleaf)
        return (struct topology_leaf){.eax = 1, .ebx = 2, .ecx = 1 << 8};
    return (struct topology_leaf){0};
}

/* Two threads a core, L3 for eight threads. */
static struct topology_leaf amd(uint32_t leaf, uint32_t subleaf)
{
    switch (leaf) {
    case 0x80000000u:
        return (struct topology_leaf){.eax = 0x8000001f};
    case 0x80000001u:
        return (struct topology_leaf){.ecx = 1 << 22};
    case 0x8000001du:
        return subleaf < 1 ? (struct topology_leaf){.eax = 3 | 3 << 5 | 7 << 14}
                           : (struct topology_leaf){0};
    case 0x8000001eu:
        return (struct topology_leaf){.ebx = 1 << 8};
    default:
        return (struct topology_leaf){.eax = leaf ? 0 : 0xd};
    }
}

TEST(widths)
{
    struct topology_bits bits = topology_read(none);
    CHECK(bits.core == 0 && bits.cache == 0);
    bits = topology_read(intel);
    CHECK(bits.core == 1 && bits.cache == 4);
    bits = topology_read(amd);
    CHECK(bits.core == 1 && bits.cache == 3);
}

TEST(neighbours)
{
    struct topology_cpu cpus[32];
    struct tune_set near[MACHINE_LEVELS];
    /* APIC ids in another order than numbers: threads are numbered last, as firmware does. */
    for (uint32_t i = 0; i < 32; i++)
        cpus[i] = (struct topology_cpu){.apic_id = (i % 16) * 2 + i / 16, .node = i % 16 / 8};
    topology_near(cpus, 32, (struct topology_bits){1, 3}, 5, near);
    CHECK_EQ(near[0].word[0], 1ull << 5 | 1ull << 21);
    CHECK_EQ(near[1].word[0], 0xf0ull | 0xf0ull << 16);
    CHECK_EQ(near[2].word[0], 0xffull | 0xffull << 16);
    topology_near(cpus, 32, (struct topology_bits){0, 0}, 31, near);
    CHECK_EQ(near[0].word[0], 1ull << 31);
    CHECK_EQ(near[2].word[0], 0xff00ull | 0xff00ull << 16);
}

/* Four nodes in a ring; the farthest is nobody's neighbour. */
TEST(nodes_by_distance)
{
    static struct root_info info = {
        .distance = {{10, 21, 31, 21}, {21, 10, 21, 31}, {31, 21, 10, 21}, {21, 31, 21, 10}}};
    struct topology_cpu cpus[16];
    struct tune_set near[MACHINE_LEVELS];
    for (uint32_t i = 0; i < 16; i++)
        cpus[i] = (struct topology_cpu){.apic_id = i, .node = i / 4};
    topology_near(cpus, 16, (struct topology_bits){1, 2}, 1, near);
    CHECK_EQ(near[2].word[0], 0xf);
    CHECK_EQ(near[3].word[0], 0xffff); /* without SLIT all are alike */
    numa_init(&info);
    topology_near(cpus, 16, (struct topology_bits){1, 2}, 1, near);
    CHECK_EQ(near[3].word[0], 0xf0ff);
    topology_near(cpus, 16, (struct topology_bits){1, 2}, 8, near);
    CHECK_EQ(near[3].word[0], 0xfff0);
    info.distance[2][1] = 10; /* nonsense */
    info.distance[2][3] = 255;
    CHECK(numa_distance(2, 1) == 20 && numa_distance(2, 3) == 20 && numa_distance(2, 2) == 10);
    CHECK(numa_distance(2, 99) == 20 && numa_distance(NUMA_NO_NODE, 1) == 10);
    numa_init(NULL);
}
