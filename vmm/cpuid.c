/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's CPUID table: what this machine can show, less what a guest must not see,
 * plus its own topology, KVM's leaves, and the definition's features. What depends on the vCPU or
 * the moment (APIC ids, OSXSAVE, XSAVE sizes) the kernel fills in at each CPUID. */
#include <string.h>

#include "abi/kinfo.h"
#include "abi/object.h"
#include "abi/status.h"
#include "user/syscall_stubs.h"
#include "vmm/host_cpuid.h"
#include "vmm/vmm.h"

#define LEAVES_MAX  64u
#define LAPIC_HZ    1000000000u /* local APIC timer before its divider, as under KVM */
#define KVM_LEAF    0x40000000u
#define TIMING_LEAF 0x40000010u

struct leaf {
    uint32_t leaf, subleaf;
    bool by_subleaf;
    struct cpuid_leaf is;
};

struct table {
    struct leaf leaf[LEAVES_MAX];
    uint32_t count;
};

static struct leaf *find(struct table *table, uint32_t leaf, uint32_t subleaf)
{
    for (uint32_t i = 0; i < table->count; i++)
        if (table->leaf[i].leaf == leaf && table->leaf[i].subleaf == subleaf)
            return &table->leaf[i];
    return NULL;
}

static struct leaf *add(struct table *table, uint32_t leaf, uint32_t subleaf, bool by_subleaf)
{
    if (table->count == LEAVES_MAX)
        refuse("the CPUID table is full");
    struct leaf *entry = &table->leaf[table->count++];
    *entry = (struct leaf){.leaf = leaf, .subleaf = subleaf, .by_subleaf = by_subleaf};
    return entry;
}

static uint64_t xcr0(void)
{
    return ((const struct kinfo *)KINFO_VA)->xcr0;
}

static struct leaf *add_host(struct table *table, uint32_t leaf, uint32_t subleaf, bool by_subleaf)
{
    struct leaf *entry = add(table, leaf, subleaf, by_subleaf);
    entry->is = host_cpuid_policy(leaf, subleaf, xcr0());
    return entry;
}

static uint32_t bits_for(uint32_t count)
{
    return count > 1 ? 32 - (uint32_t)__builtin_clz(count - 1) : 0;
}

/* --- the basic leaves --- */

/* Where the host's fast strings are off, REP MOVSB is no fast way to copy: a guest is not told so.
 * Bits of leaf 7: ERMS in EBX, FSRM in EDX. */
static void hide_slow_strings(struct leaf *seven)
{
    if (((const struct kinfo *)KINFO_VA)->assists & ASSIST_FAST_STRINGS)
        return;
    seven->is.reg[CPUID_EBX] &= ~(1u << 9);
    seven->is.reg[CPUID_EDX] &= ~(1u << 4);
}

static void add_feature_leaves(struct table *table, uint32_t vcpus)
{
    struct leaf *one = add_host(table, 1, 0, false);
    one->is.reg[CPUID_EDX] &= ~(1u << 28); /* several to a package: as the topology says */
    one->is.reg[CPUID_EDX] |= 1u << 12;    /* MTRR */
    one->is.reg[CPUID_EBX] = (one->is.reg[CPUID_EBX] & 0xff00) | 1u << bits_for(vcpus) << 16;
    if (vcpus > 1)
        one->is.reg[CPUID_EDX] |= 1u << 28;
    struct leaf *seven = add_host(table, 7, 0, true);
    seven->is.reg[CPUID_EAX] = 0; /* no further subleaf */
    hide_slow_strings(seven);
}

static void add_topology(struct table *table, uint32_t vcpus)
{
    struct leaf *smt = add(table, 0xb, 0, true);
    smt->is.reg[CPUID_EBX] = 1;
    smt->is.reg[CPUID_ECX] = 1u << 8;
    struct leaf *core = add(table, 0xb, 1, true);
    core->is.reg[CPUID_EAX] = bits_for(vcpus);
    core->is.reg[CPUID_EBX] = vcpus;
    core->is.reg[CPUID_ECX] = 2u << 8 | 1;
    struct leaf *end = add(table, 0xb, 2, true);
    end->is.reg[CPUID_ECX] = 2;
}

/* Caches by Intel's leaf: shared among the vCPUs that the topology has. */
static void add_caches(struct table *table, uint32_t vcpus)
{
    for (uint32_t i = 0; i < 5; i++) {
        struct leaf *cache = add_host(table, 4, i, true);
        uint32_t type = cache->is.reg[CPUID_EAX] & 31, level = cache->is.reg[CPUID_EAX] >> 5 & 7;
        if (type == 0)
            break;
        cache->is.reg[CPUID_EAX] &= 0x3ff;
        cache->is.reg[CPUID_EAX] |= ((1u << bits_for(vcpus)) - 1) << 26;
        if (level >= 3)
            cache->is.reg[CPUID_EAX] |= ((1u << bits_for(vcpus)) - 1) << 14;
    }
}

static void add_xsave(struct table *table)
{
    const struct leaf *one = find(table, 1, 0);
    if (!(one->is.reg[CPUID_ECX] & 1u << 26))
        return;
    struct leaf *first = add_host(table, 0xd, 0, true);
    uint32_t components = first->is.reg[CPUID_EAX] &= 0xe7; /* x87, SSE, AVX, AVX-512 */
    add_host(table, 0xd, 1, true)->is.reg[CPUID_ECX] = 0;   /* no supervisor components */
    for (uint32_t i = 2; i < 8; i++)
        if (components & 1u << i)
            add_host(table, 0xd, i, true);
}

static void add_basic(struct table *table, uint32_t vcpus, const struct kinfo *kinfo,
                      uint32_t tsc_khz)
{
    bool intel = kinfo->vendor == VENDOR_INTEL;
    struct leaf *zero = add_host(table, 0, 0, false);
    zero->is.reg[CPUID_EAX] = intel ? 0x15 : 0xd;
    add_feature_leaves(table, vcpus);
    add_topology(table, vcpus);
    add_xsave(table);
    if (!intel)
        return;
    add_host(table, 2, 0, false);
    add_caches(table, vcpus);
    struct leaf *clock = add(table, 0x15, 0, false); /* TSC = crystal * EBX / EAX */
    clock->is.reg[CPUID_EAX] = LAPIC_HZ / 1000;
    clock->is.reg[CPUID_EBX] = tsc_khz;
    clock->is.reg[CPUID_ECX] = LAPIC_HZ;
}

/* --- extended leaves --- */

static void add_extended(struct vmm *vmm, struct table *table, uint32_t vcpus,
                         const struct kinfo *kinfo)
{
    struct leaf *top = add_host(table, 0x80000000, 0, false);
    uint32_t last = top->is.reg[CPUID_EAX];
    top->is.reg[CPUID_EAX] = last >= 0x80000021 ? 0x80000021 : 0x80000008;
    struct leaf *features = add_host(table, 0x80000001, 0, false);
    features->is.reg[CPUID_ECX] &= ~(1u << 1);
    if (vcpus > 1 && kinfo->vendor == VENDOR_AMD)
        features->is.reg[CPUID_ECX] |= 1u << 1; /* CmpLegacy: cores, not threads */
    for (uint32_t leaf = 0x80000002; leaf <= 0x80000006; leaf++)
        add_host(table, leaf, 0, false);
    add(table, 0x80000007, 0, false)->is.reg[CPUID_EDX] = 1u << 8; /* invariant TSC */
    struct leaf *sizes = add_host(table, 0x80000008, 0, false);
    sizes->is.reg[CPUID_ECX] =
        kinfo->vendor == VENDOR_AMD ? bits_for(vcpus) << 12 | (vcpus - 1) : 0;
    vmm->phys_bits = sizes->is.reg[CPUID_EAX] & 0xff;
    if (vmm->phys_bits < 36 || vmm->phys_bits > 52)
        vmm->phys_bits = 36;
    if (last >= 0x80000021)
        add_host(table, 0x80000021, 0, false);
}

/* --- KVM's leaves --- */

#define KVM_CLOCKSOURCE        (1u << 0)
#define KVM_NOP_IO_DELAY       (1u << 1)
#define KVM_CLOCKSOURCE2       (1u << 3)
#define KVM_STEAL_TIME         (1u << 5)
#define KVM_PV_EOI             (1u << 6)
#define KVM_PV_UNHALT          (1u << 7)
#define KVM_PV_SEND_IPI        (1u << 11)
#define KVM_PV_SCHED_YIELD     (1u << 13)
#define KVM_CLOCKSOURCE_STABLE (1u << 24)

static void add_kvm(struct table *table, uint32_t tsc_khz)
{
    struct leaf *name = add(table, KVM_LEAF, 0, false);
    memcpy(&name->is.reg[CPUID_EBX], "KVMKVMKVM\0\0\0", 12);
    name->is.reg[CPUID_EAX] = TIMING_LEAF;
    add(table, KVM_LEAF + 1, 0, false)->is.reg[CPUID_EAX] =
        KVM_CLOCKSOURCE | KVM_NOP_IO_DELAY | KVM_CLOCKSOURCE2 | KVM_STEAL_TIME | KVM_PV_EOI |
        KVM_PV_UNHALT | KVM_PV_SEND_IPI | KVM_PV_SCHED_YIELD | KVM_CLOCKSOURCE_STABLE;
    struct leaf *timing = add(table, TIMING_LEAF, 0, false);
    timing->is.reg[CPUID_EAX] = tsc_khz;
    timing->is.reg[CPUID_EBX] = LAPIC_HZ / 1000;
}

/* --- the definition's features --- */

static void apply_feature(struct table *table, const struct vmm_feature *wanted)
{
    if (!memchr(wanted->name, 0, sizeof(wanted->name)))
        refuse("cpu: a feature's name has no end");
    const struct cpu_feature *feature = cpu_feature_find(wanted->name);
    if (!feature)
        refuse("cpu: feature '%s' is unknown", wanted->name);
    struct leaf *leaf = find(table, feature->leaf, feature->subleaf);
    uint32_t bit = 1u << feature->bit;
    if (!wanted->require) {
        if (leaf)
            leaf->is.reg[feature->reg] &= ~bit;
    } else if (!leaf || !(leaf->is.reg[feature->reg] & bit)) {
        refuse("cpu: feature '%s' is required, but this machine cannot give it to a guest",
               wanted->name);
    }
}

static void install(const struct vmm *vmm, const struct table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct leaf *leaf = &table->leaf[i];
        uint64_t key = (leaf->by_subleaf ? CPUID_KEY_SUBLEAF : 0) | (uint64_t)leaf->subleaf << 32;
        struct cpuid_leaf is = host_cpuid_mask(leaf->leaf, leaf->subleaf, xcr0(), leaf->is);
        int64_t status = sys_guest_cpuid(vmm->guest, leaf->leaf, key,
                                         is.reg[CPUID_EAX] | (uint64_t)is.reg[CPUID_EBX] << 32,
                                         is.reg[CPUID_ECX] | (uint64_t)is.reg[CPUID_EDX] << 32);
        if (status != OK)
            refuse("CPUID leaf %#x cannot be set: status %lld", leaf->leaf, (long long)status);
    }
}

void cpuid_policy(struct vmm *vmm)
{
    static struct table table;
    const struct vmm_config *config = vmm->config;
    const struct kinfo *kinfo = (const struct kinfo *)KINFO_VA;
    uint32_t tsc_khz = (uint32_t)vmm->machine.guest_tsc_khz;
    table.count = 0;
    add_basic(&table, config->vcpus, kinfo, tsc_khz);
    add_extended(vmm, &table, config->vcpus, kinfo);
    if (config->has_kvm_pv)
        add_kvm(&table, tsc_khz);
    for (uint32_t i = 0; i < config->feature_count; i++)
        apply_feature(&table, &config->feature[i]);
    install(vmm, &table);
}
