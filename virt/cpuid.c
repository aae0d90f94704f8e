/* SPDX-License-Identifier: BSD-2-Clause */
/* Feature leaves are masked by what is virtualised here; a bit that is not in a mask below has been
 * decided against, or is of a CPU that nobody has looked at yet. (Intel SDM vol. 2, "CPUID"; AMD
 * APM vol. 3, "Obtaining Processor Information Via the CPUID Instruction".) */
#include "virt/cpuid.h"

#include "abi/status.h"
#include "abi/vcpu.h"
#include "arch/x86_64/platform.h"
#include "virt/guest.h"
#include "virt/vcpu.h"

#define BIT(n) (1u << (n))

/* Leaf 1. Not: DTES64, MONITOR, DS-CPL, VMX, SMX, EIST, TM2, CNXT, SDBG, PDCM, DCA. */
#define L1_ECX                                                                              \
    (BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(17) | BIT(19) | BIT(20) | BIT(22) | \
     BIT(23) | BIT(25) | BIT(26) | BIT(28) | BIT(29) | BIT(30))
/* Provided by software whatever the host has: x2APIC, TSC deadline, hypervisor present. */
#define L1_ECX_SOFT (BIT(21) | BIT(24) | BIT(31))
#define L1_OSXSAVE  BIT(27)
/* Not: PSN, DS, ACPI, TM, IA-64, PBE; MCE and MCA are there for guests that insist (no banks). */
#define L1_EDX                                                                                 \
    (BIT(0) | BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(9) | \
     BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(15) | BIT(16) | BIT(17) | BIT(19) | BIT(23) | \
     BIT(24) | BIT(25) | BIT(26) | BIT(28))
#define L1_EDX_APIC BIT(9)

/* Leaf 7. FSGSBASE, TSC_ADJUST (software), BMI1, AVX2, SMEP, BMI2, ERMS, INVPCID, AVX-512, RDSEED,
 * ADX, SMAP, CLFLUSHOPT, CLWB, SHA. Not: SGX, HLE, RTM, MPX, PQM, PQE, PT. */
#define L7_EBX                                                                                     \
    (BIT(0) | BIT(3) | BIT(5) | BIT(7) | BIT(8) | BIT(9) | BIT(10) | BIT(13) | BIT(16) | BIT(17) | \
     BIT(18) | BIT(19) | BIT(20) | BIT(21) | BIT(23) | BIT(24) | BIT(26) | BIT(27) | BIT(28) |     \
     BIT(29) | BIT(30) | BIT(31))
#define L7_EBX_TSC_ADJUST BIT(1)
/* AVX512_VBMI, UMIP, PKU, VBMI2, GFNI, VAES, VPCLMULQDQ, VNNI, BITALG, VPOPCNTDQ, LA57, RDPID,
 * MOVDIRI, MOVDIR64B. */
#define L7_ECX                                                                                     \
    (BIT(1) | BIT(2) | BIT(3) | BIT(6) | BIT(8) | BIT(9) | BIT(10) | BIT(11) | BIT(12) | BIT(14) | \
     BIT(16) | BIT(22) | BIT(27) | BIT(28))
#define L7_ECX_OSPKE BIT(4)
/* FSRM, VP2INTERSECT, SERIALIZE, AVX512_FP16. Speculation bits: see policy_7. */
#define L7_EDX      (BIT(4) | BIT(8) | BIT(10) | BIT(14) | BIT(23))
#define L7_EDX_SPEC (BIT(26) | BIT(27) | BIT(31))

/* Leaf 80000001h. Not: SVM, extended APIC space, IBS, SKINIT, WDT, LWP, NodeID, TBM's neighbours,
 * performance counters, MONITORX. */
#define X1_ECX                                                                                   \
    (BIT(0) | BIT(1) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(9) | BIT(11) | BIT(16) | \
     BIT(21))
#define X1_EDX                                                                                 \
    (BIT(0) | BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(9) | \
     BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(15) | BIT(16) | BIT(17) | BIT(20) | BIT(22) | \
     BIT(23) | BIT(24) | BIT(25) | BIT(26) | BIT(27) | BIT(29) | BIT(30) | BIT(31))
/* CLZERO, XSAVEERPTR, IBPB, WBNOINVD. */
#define X8_EBX (BIT(0) | BIT(2) | BIT(9) | BIT(12) | BIT(14) | BIT(15) | BIT(24))
/* LFENCE always serialising, null selector clears base, automatic IBRS is the host's. */
#define X21_EAX (BIT(2) | BIT(6))
/* XSAVEOPT, XSAVEC, XGETBV 1. XSAVES: guests see it without any supervisor state. */
#define LD1_EAX (BIT(0) | BIT(1) | BIT(2))

static uint32_t speculation_7(uint32_t host)
{
    uint32_t mask = 0;
    if (features.ibrs)
        mask |= BIT(26);
    if (features.stibp)
        mask |= BIT(27);
    if (features.ssbd)
        mask |= BIT(31);
    return host & mask;
}

static struct cpuid_regs mask_xsave(uint32_t subleaf, struct cpuid_regs wanted,
                                    struct cpuid_regs host)
{
    if (!features.xsave)
        return (struct cpuid_regs){0};
    switch (subleaf) {
    case 0:
        wanted.eax &= (uint32_t)features.xcr0;
        wanted.edx &= (uint32_t)(features.xcr0 >> 32);
        wanted.ecx = cpuid_xsave_size(features.xcr0, false);
        return wanted;
    case 1:
        wanted.eax &= host.eax & LD1_EAX;
        wanted.ecx = wanted.edx = 0;
        return wanted;
    default:
        if (subleaf >= 63 || !(features.xcr0 >> subleaf & 1))
            return (struct cpuid_regs){0};
        return host; /* sizes and offsets are the machine's */
    }
}

struct cpuid_regs cpuid_mask(uint32_t leaf, uint32_t subleaf, struct cpuid_regs wanted,
                             struct cpuid_regs host)
{
    switch (leaf) {
    case 1:
        wanted.ecx &= (host.ecx & L1_ECX) | L1_ECX_SOFT;
        if (!features.xsave)
            wanted.ecx &= ~(BIT(26) | BIT(28) | BIT(12) | BIT(29));
        wanted.edx &= host.edx & L1_EDX;
        return wanted;
    case 7:
        if (subleaf == 0) {
            wanted.ebx &= (host.ebx & L7_EBX) | L7_EBX_TSC_ADJUST;
            wanted.ecx &= host.ecx & L7_ECX;
            wanted.edx &= (host.edx & L7_EDX) | speculation_7(host.edx);
            if (!(features.xcr0 & 0x200))
                wanted.ecx &= ~BIT(3);
            if ((features.xcr0 & 0xe0) != 0xe0)
                wanted.ebx &= ~(BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) |
                                BIT(30) | BIT(31));
        } else {
            wanted = (struct cpuid_regs){0};
        }
        return wanted;
    case 0xd:
        return mask_xsave(subleaf, wanted, host);
    case 5:          /* MONITOR */
    case 6:          /* power */
    case 0xa:        /* performance monitoring */
    case 0x12:       /* SGX */
    case 0x14:       /* PT */
    case 0x8000000a: /* SVM */
        return (struct cpuid_regs){0};
    case 0x80000001:
        wanted.ecx &= host.ecx & X1_ECX;
        wanted.edx &= host.edx & X1_EDX;
        if (!features.rdtscp)
            wanted.edx &= ~BIT(27);
        return wanted;
    case 0x80000008:
        if (!features.ibpb)
            host.ebx &= ~BIT(12);
        wanted.ebx &= host.ebx & X8_EBX;
        return wanted;
    case 0x80000021:
        wanted.eax &= host.eax & X21_EAX;
        wanted.ebx = wanted.ecx = wanted.edx = 0;
        return wanted;
    default:
        return wanted;
    }
}

struct cpuid_regs cpuid_policy(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs host = cpuid(leaf, subleaf), shown = host;
    if (leaf == 1) {
        shown.ecx |= L1_ECX_SOFT;
        shown.edx |= L1_EDX_APIC;
        host.edx |= L1_EDX_APIC;
    }
    if (leaf == 7 && subleaf == 0)
        shown.ebx |= L7_EBX_TSC_ADJUST;
    /* The bottom hypervisor's leaves are not the guest's. */
    if (leaf >= 0x40000000 && leaf < 0x50000000)
        return (struct cpuid_regs){0};
    return cpuid_mask(leaf, subleaf, shown, host);
}

/* The host's own table of component sizes: offset in EBX, size in EAX, alignment in ECX bit 1. */
uint32_t cpuid_xsave_size(uint64_t components, bool compacted)
{
    uint32_t end = 512 + 64;
    for (uint32_t i = 2; i < 63; i++) {
        if (!(components >> i & 1))
            continue;
        struct cpuid_regs r = cpuid(0xd, i);
        if (compacted)
            end = ((r.ecx & 2) ? (uint32_t)align_up(end, 64) : end) + r.eax;
        else
            end = MAX(end, r.ebx + r.eax);
    }
    return end;
}

static uint32_t slot_of(uint32_t leaf)
{
    return (leaf ^ leaf >> 24) & (CPUID_SLOTS - 1);
}

const struct cpuid_entry *cpuid_find(const struct cpuid_table *table, uint32_t leaf,
                                     uint32_t subleaf)
{
    uint32_t at = slot_of(leaf);
    for (uint32_t i = 0; i < CPUID_SLOTS; i++, at = (at + 1) & (CPUID_SLOTS - 1)) {
        const struct cpuid_entry *entry = &table->entry[at];
        if (!(entry->flags & CPUID_USED))
            return NULL;
        if (entry->leaf == leaf &&
            (!(entry->flags & CPUID_KEY_SUBLEAF) || entry->subleaf == subleaf))
            return entry;
    }
    return NULL;
}

int64_t cpuid_set(struct cpuid_table *table, uint32_t leaf, uint32_t subleaf, uint32_t flags,
                  struct cpuid_regs regs)
{
    uint32_t at = slot_of(leaf);
    for (uint32_t i = 0; i < CPUID_SLOTS; i++, at = (at + 1) & (CPUID_SLOTS - 1)) {
        struct cpuid_entry *entry = &table->entry[at];
        bool used = (entry->flags & CPUID_USED) != 0;
        if (used && (entry->leaf != leaf || (entry->flags & ~CPUID_USED) != flags ||
                     ((flags & CPUID_KEY_SUBLEAF) && entry->subleaf != subleaf)))
            continue;
        /* One slot stays free: it ends every search. */
        if (!used && table->used >= CPUID_SLOTS - 1)
            return ERR_NOMEM;
        table->used += !used;
        entry->leaf = leaf;
        entry->subleaf = subleaf;
        entry->regs = regs;
        __atomic_store_n(&entry->flags, flags | CPUID_USED, __ATOMIC_RELEASE);
        return OK;
    }
    return ERR_NOMEM;
}

#define CR4_OSXSAVE (1ull << 18)
#define CR4_PKE     (1ull << 22)

/* What depends on the vCPU and on its registers. Out of line: most leaves do not. */
#define DYNAMIC_LEAVES (BIT(0x1) | BIT(0x7) | BIT(0xb) | BIT(0xd) | BIT(0x1f))
static __attribute__((noinline)) void dynamic(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
                                              struct cpuid_regs *r)
{
    switch (leaf) {
    case 1:
        r->ebx = (r->ebx & 0x00ffffffu) | vcpu->apic_id << 24;
        if (r->ecx & BIT(26) && virt->get(vcpu, VREG_CR4) & CR4_OSXSAVE)
            r->ecx |= L1_OSXSAVE;
        if (!(vcpu->lapic.base & APIC_BASE_ENABLE))
            r->edx &= ~L1_EDX_APIC;
        break;
    case 7:
        if (subleaf == 0 && r->ecx & BIT(3) && virt->get(vcpu, VREG_CR4) & CR4_PKE)
            r->ecx |= L7_ECX_OSPKE;
        break;
    case 0xb:
    case 0x1f:
        r->ecx |= subleaf & 0xff;
        r->edx = vcpu->apic_id;
        break;
    case 0xd:
        /* The guest's XCR0 is in the CPU; where XSETBV does not exit, only there. */
        if (features.xsave && subleaf < 2)
            r->ebx = cpuid_xsave_size(xgetbv0(), subleaf == 1);
        break;
    case 0x8000001e:
        r->eax = vcpu->apic_id;
        break;
    default:
        break;
    }
}

void cpuid_execute(struct vcpu *vcpu)
{
    struct vcpu_page *page = vcpu->page;
    uint32_t leaf = (uint32_t)vcpu->rax, subleaf = (uint32_t)page->gpr[GPR_RCX];
    const struct cpuid_entry *entry = cpuid_find(&vcpu->guest->tables->cpuid, leaf, subleaf);
    struct cpuid_regs r = {0};
    if (entry)
        r = entry->regs;
    if (leaf < 32 ? DYNAMIC_LEAVES >> leaf & 1 : leaf == 0x8000001e)
        dynamic(vcpu, leaf, subleaf, &r);
    vcpu->rax = r.eax;
    page->gpr[GPR_RBX] = r.ebx;
    page->gpr[GPR_RCX] = r.ecx;
    page->gpr[GPR_RDX] = r.edx;
}
