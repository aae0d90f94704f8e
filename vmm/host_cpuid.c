/* SPDX-License-Identifier: BSD-2-Clause */
/* Feature leaves are masked by what is virtualised; a bit that is not in a mask below has been
 * decided against, or is of a CPU that nobody has looked at yet. Nothing in the kernel depends on
 * it: a guest that uses what it is not shown harms itself. (Intel SDM vol. 2, "CPUID"; AMD APM
 * vol. 3, "Obtaining Processor Information Via the CPUID Instruction".) */
#include "vmm/host_cpuid.h"

#define BIT(n) (1u << (n))

/* Leaf 1. Not: DTES64, MONITOR, DS-CPL, VMX, SMX, EIST, TM2, CNXT, SDBG, PDCM, DCA. */
#define L1_ECX                                                                              \
    (BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(17) | BIT(19) | BIT(20) | BIT(22) | \
     BIT(23) | BIT(25) | BIT(26) | BIT(28) | BIT(29) | BIT(30))
/* Provided by software whatever the host has: x2APIC, TSC deadline, hypervisor present. */
#define L1_ECX_SOFT (BIT(21) | BIT(24) | BIT(31))
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
/* AVX512_VBMI, UMIP, VBMI2, GFNI, VAES, VPCLMULQDQ, VNNI, BITALG, VPOPCNTDQ, RDPID, MOVDIRI,
 * MOVDIR64B. Not: PKU, LA57. */
#define L7_ECX                                                                            \
    (BIT(1) | BIT(2) | BIT(6) | BIT(8) | BIT(9) | BIT(10) | BIT(11) | BIT(12) | BIT(14) | \
     BIT(22) | BIT(27) | BIT(28))
/* FSRM, VP2INTERSECT, SERIALIZE, AVX512_FP16. IBRS and IBPB, STIBP, SSBD. */
#define L7_EDX (BIT(4) | BIT(8) | BIT(10) | BIT(14) | BIT(23) | BIT(26) | BIT(27) | BIT(31))

/* Leaf 80000001h. Not: SVM, extended APIC space, OSVW, IBS, SKINIT, WDT, LWP, NodeID, TBM's
 * neighbours, performance counters, MONITORX. */
#define X1_ECX \
    (BIT(0) | BIT(1) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(11) | BIT(16) | BIT(21))
#define X1_EDX                                                                                 \
    (BIT(0) | BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(9) | \
     BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(15) | BIT(16) | BIT(17) | BIT(20) | BIT(22) | \
     BIT(23) | BIT(24) | BIT(25) | BIT(26) | BIT(27) | BIT(29) | BIT(30) | BIT(31))
/* CLZERO, XSAVEERPTR, IBPB, WBNOINVD. */
#define X8_EBX (BIT(0) | BIT(2) | BIT(9) | BIT(12) | BIT(14) | BIT(15) | BIT(24))
/* LFENCE always serialising, null selector clears base, automatic IBRS is the host's. */
#define X21_EAX (BIT(2) | BIT(6))
/* XSAVEOPT, XSAVEC, XGETBV 1. Not XSAVES: guests have no supervisor state (CET, PKS, ...). */
#define LD1_EAX (BIT(0) | BIT(1) | BIT(2))

#define XCR0_AVX512 0xe0u

/* Bytes of the standard XSAVE area: offset and size of each component are the machine's. */
static uint32_t xsave_size(uint64_t components)
{
    uint32_t end = 512 + 64;
    for (uint32_t i = 2; i < 63; i++) {
        struct cpuid_leaf r = components >> i & 1 ? host_cpuid(0xd, i) : (struct cpuid_leaf){{0}};
        if (r.reg[CPUID_EBX] + r.reg[CPUID_EAX] > end)
            end = r.reg[CPUID_EBX] + r.reg[CPUID_EAX];
    }
    return end;
}

static struct cpuid_leaf mask_xsave(uint32_t subleaf, uint64_t xcr0, struct cpuid_leaf wanted,
                                    struct cpuid_leaf host)
{
    if (subleaf == 0 && xcr0) {
        wanted.reg[CPUID_EAX] &= (uint32_t)xcr0;
        wanted.reg[CPUID_EDX] &= (uint32_t)(xcr0 >> 32);
        wanted.reg[CPUID_ECX] = xsave_size(xcr0);
        return wanted;
    }
    if (subleaf == 1 && xcr0) {
        wanted.reg[CPUID_EAX] &= host.reg[CPUID_EAX] & LD1_EAX;
        wanted.reg[CPUID_ECX] = wanted.reg[CPUID_EDX] = 0;
        return wanted;
    }
    return subleaf < 63 && xcr0 >> subleaf & 1 ? host : (struct cpuid_leaf){{0}};
}

static struct cpuid_leaf mask_1(uint64_t xcr0, struct cpuid_leaf wanted, struct cpuid_leaf host)
{
    wanted.reg[CPUID_ECX] &= (host.reg[CPUID_ECX] & L1_ECX) | L1_ECX_SOFT;
    if (!xcr0)
        wanted.reg[CPUID_ECX] &= ~(BIT(26) | BIT(28) | BIT(12) | BIT(29));
    wanted.reg[CPUID_EDX] &= (host.reg[CPUID_EDX] & L1_EDX) | L1_EDX_APIC;
    return wanted;
}

static struct cpuid_leaf mask_7(uint64_t xcr0, struct cpuid_leaf wanted, struct cpuid_leaf host)
{
    wanted.reg[CPUID_EBX] &= (host.reg[CPUID_EBX] & L7_EBX) | L7_EBX_TSC_ADJUST;
    wanted.reg[CPUID_ECX] &= host.reg[CPUID_ECX] & L7_ECX;
    wanted.reg[CPUID_EDX] &= host.reg[CPUID_EDX] & L7_EDX;
    if ((xcr0 & XCR0_AVX512) != XCR0_AVX512)
        wanted.reg[CPUID_EBX] &=
            ~(BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31));
    return wanted;
}

struct cpuid_leaf host_cpuid_mask(uint32_t leaf, uint32_t subleaf, uint64_t xcr0,
                                  struct cpuid_leaf wanted)
{
    struct cpuid_leaf host = host_cpuid(leaf, subleaf);
    switch (leaf) {
    case 1:
        return mask_1(xcr0, wanted, host);
    case 7:
        return subleaf ? (struct cpuid_leaf){{0}} : mask_7(xcr0, wanted, host);
    case 0xd:
        return mask_xsave(subleaf, xcr0, wanted, host);
    case 5:          /* MONITOR */
    case 6:          /* power */
    case 0xa:        /* performance monitoring */
    case 0x12:       /* SGX */
    case 0x14:       /* PT */
    case 0x8000000a: /* SVM */
        return (struct cpuid_leaf){{0}};
    case 0x80000001:
        wanted.reg[CPUID_ECX] &= host.reg[CPUID_ECX] & X1_ECX;
        wanted.reg[CPUID_EDX] &= host.reg[CPUID_EDX] & X1_EDX;
        return wanted;
    case 0x80000008:
        wanted.reg[CPUID_EBX] &= host.reg[CPUID_EBX] & X8_EBX;
        return wanted;
    case 0x80000021:
        wanted.reg[CPUID_EAX] &= host.reg[CPUID_EAX] & X21_EAX;
        wanted.reg[CPUID_EBX] = wanted.reg[CPUID_ECX] = wanted.reg[CPUID_EDX] = 0;
        return wanted;
    default:
        return wanted;
    }
}

struct cpuid_leaf host_cpuid_policy(uint32_t leaf, uint32_t subleaf, uint64_t xcr0)
{
    struct cpuid_leaf shown = host_cpuid(leaf, subleaf);
    /* The bottom hypervisor's leaves are not the guest's. */
    if (leaf >= 0x40000000 && leaf < 0x50000000)
        return (struct cpuid_leaf){{0}};
    if (leaf == 1) {
        shown.reg[CPUID_ECX] |= L1_ECX_SOFT;
        shown.reg[CPUID_EDX] |= L1_EDX_APIC;
    }
    if (leaf == 7 && subleaf == 0)
        shown.reg[CPUID_EBX] |= L7_EBX_TSC_ADJUST;
    return host_cpuid_mask(leaf, subleaf, xcr0, shown);
}
