/* SPDX-License-Identifier: BSD-2-Clause */
/* What CPUID says, and the control registers that follow from it. */
#include "arch/x86_64/insn.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/mitigations.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/platform.h"
#include "lib/string.h"

struct cpu_features features;

#define XCR0_X87    (1ull << 0)
#define XCR0_SSE    (1ull << 1)
#define XCR0_AVX    (1ull << 2)
#define XCR0_AVX512 (7ull << 5)
#define XCR0_PKRU   (1ull << 9)

/* PA0 WB, PA1 WC, PA2 UC-, PA3 UC, PA4 WB, PA5 WT, PA6 UC-, PA7 UC. PA1 is WC and not WT, so that
 * PWT alone means write combining in every page size. */
#define PAT_VALUE 0x0007040600070106ull

static bool bit(uint32_t word, uint32_t n)
{
    return word >> n & 1;
}

static void read_vendor(void)
{
    struct cpuid_regs r = cpuid(0, 0);
    uint32_t name[3] = {r.ebx, r.edx, r.ecx};

    if (!memcmp(name, "AuthenticAMD", 12) || !memcmp(name, "HygonGenuine", 12))
        features.vendor = VENDOR_AMD;
    else if (!memcmp(name, "GenuineIntel", 12))
        features.vendor = VENDOR_INTEL;
    uint32_t eax = cpuid(1, 0).eax;
    features.stepping = eax & 0xf;
    features.model = eax >> 4 & 0xf;
    features.family = eax >> 8 & 0xf;
    if (features.family == 0xf || features.family == 6)
        features.model |= eax >> 12 & 0xf0;
    if (features.family == 0xf)
        features.family += eax >> 20 & 0xff;
}

static void read_name(uint32_t max_extended)
{
    if (max_extended < 0x80000004)
        return;
    char *out = features.name;
    for (uint32_t i = 0; i < 3; i++) {
        struct cpuid_regs r = cpuid(0x80000002 + i, 0);
        memcpy(out + 16 * i, &r, 16);
    }
    out[sizeof(features.name) - 1] = 0;
    size_t lead = 0;
    while (out[lead] == ' ')
        lead++;
    memmove(out, out + lead, sizeof(features.name) - lead);
}

static void read_basic(uint32_t max_basic)
{
    struct cpuid_regs r = cpuid(1, 0);
    features.monitor = bit(r.ecx, 3);
    features.vmx = bit(r.ecx, 5);
    features.x2apic = bit(r.ecx, 21);
    features.tsc_deadline = bit(r.ecx, 24);
    features.xsave = bit(r.ecx, 26);
    features.avx = bit(r.ecx, 28);
    features.hypervisor = bit(r.ecx, 31);
    if (max_basic < 7)
        return;
    r = cpuid(7, 0);
    features.fsgsbase = bit(r.ebx, 0);
    features.smep = bit(r.ebx, 7);
    features.smap = bit(r.ebx, 20);
    features.umip = bit(r.ecx, 2);
    features.ibrs = features.ibpb = bit(r.edx, 26);
    features.stibp = bit(r.edx, 27);
    features.ssbd = bit(r.edx, 31);
}

static void read_extended(uint32_t max_extended)
{
    features.phys_bits = 36;
    features.linear_bits = 48;
    if (max_extended >= 0x80000001) {
        struct cpuid_regs r = cpuid(0x80000001, 0);
        features.svm = features.vendor == VENDOR_AMD && bit(r.ecx, 2);
        features.nx = bit(r.edx, 20);
        features.page1gb = bit(r.edx, 26);
        features.rdtscp = bit(r.edx, 27);
    }
    if (max_extended >= 0x80000007)
        features.invariant_tsc = bit(cpuid(0x80000007, 0).edx, 8);
    if (max_extended >= 0x80000008) {
        struct cpuid_regs r = cpuid(0x80000008, 0);
        features.phys_bits = r.eax & 0xff;
        features.linear_bits = r.eax >> 8 & 0xff;
        /* AMD's own bits for the same MSRs. */
        features.ibpb |= bit(r.ebx, 12);
        features.ibrs |= bit(r.ebx, 14);
        features.stibp |= bit(r.ebx, 15);
        features.ssbd |= bit(r.ebx, 24);
    }
}

/* The components that ring 3 and guests may use; their size with all of them enabled. */
static void read_xsave(uint32_t max_basic)
{
    features.xsave_size = 512;
    features.xcr0 = XCR0_X87 | XCR0_SSE;
    if (!features.xsave || max_basic < 0xd) {
        features.xsave = features.avx = false;
        return;
    }
    struct cpuid_regs r = cpuid(0xd, 0);
    uint64_t can = (uint64_t)r.edx << 32 | r.eax;
    if (features.avx && (can & XCR0_AVX)) {
        features.xcr0 |= XCR0_AVX;
        if ((can & XCR0_AVX512) == XCR0_AVX512)
            features.xcr0 |= XCR0_AVX512;
    }
    features.xcr0 |= can & XCR0_PKRU;
    features.xsave_size = 512 + 64;
    for (uint32_t i = 2; i < 63; i++) {
        if (!(features.xcr0 >> i & 1))
            continue;
        struct cpuid_regs c = cpuid(0xd, i);
        features.xsave_size = MAX(features.xsave_size, c.ebx + c.eax);
    }
    uint32_t more = cpuid(0xd, 1).eax;
    features.xsaveopt = bit(more, 0);
    features.xsaves = bit(more, 3);
}

void features_init(void)
{
    uint32_t max_basic = cpuid(0, 0).eax;
    uint32_t max_extended = cpuid(0x80000000, 0).eax;

    if (max_extended < 0x80000000 || max_extended > 0x8000ffff)
        max_extended = 0;
    read_vendor();
    read_name(max_extended);
    read_basic(max_basic);
    read_extended(max_extended);
    read_xsave(max_basic);
    kprintf("cpu: %s, family %x model %x stepping %u, %u physical address bits\n", features.name,
            features.family, features.model, features.stepping, features.phys_bits);
}

static uint64_t cr4_value(void)
{
    uint64_t cr4 = CR4_PAE | CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    cr4 |= features.smep ? CR4_SMEP : 0;
    cr4 |= features.smap ? CR4_SMAP : 0;
    cr4 |= features.umip ? CR4_UMIP : 0;
    cr4 |= features.fsgsbase ? CR4_FSGSBASE : 0;
    cr4 |= features.xsave ? CR4_OSXSAVE : 0;
    return cr4;
}

void cpu_init_registers(void)
{
    uint64_t cr0 = read_cr0();
    cr0 &= ~(CR0_EM | CR0_AM | CR0_NW | CR0_CD);
    write_cr0(cr0 | CR0_WP | CR0_NE | CR0_MP | CR0_TS);
    write_cr4(cr4_value());
    wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_SCE | (features.nx ? EFER_NXE : 0));
    wrmsr(IA32_PAT, PAT_VALUE);
    if (features.xsave)
        xsetbv0(features.xcr0);
    /* The TLB may hold translations with the old PAT. */
    write_cr3(read_cr3());
    mitigations_init_cpu();
}
