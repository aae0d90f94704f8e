/* SPDX-License-Identifier: BSD-2-Clause */
/* What CPUID says. */
#include "arch/x86_64/insn.h"
#include "boot/program.h"
#include "lib/string.h"

#define XCR0_X87    (1ull << 0)
#define XCR0_SSE    (1ull << 1)
#define XCR0_AVX    (1ull << 2)
#define XCR0_AVX512 (7ull << 5)
#define XCR0_PKRU   (1ull << 9)

static struct cpu_features features;

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

static void read_name(void)
{
    char *out = features.name;
    for (uint32_t i = 0; i < 3; i++) {
        struct cpuid_regs r = cpuid_leaf(0x80000002 + i, 0);
        memcpy(out + 16 * i, &r, 16);
    }
    out[sizeof(features.name) - 1] = 0;
    size_t lead = 0;
    while (out[lead] == ' ')
        lead++;
    memmove(out, out + lead, sizeof(features.name) - lead);
}

enum { EAX, EBX, ECX, EDX };

/* A flag may come from several places: AMD has bits of its own for the speculation MSRs. */
static const struct {
    bool *flag;
    uint32_t leaf;
    uint8_t reg, bit;
} flags[] = {{&features.monitor, 1, ECX, 3},
             {&features.vmx, 1, ECX, 5},
             {&features.x2apic, 1, ECX, 21},
             {&features.tsc_deadline, 1, ECX, 24},
             {&features.xsave, 1, ECX, 26},
             {&features.avx, 1, ECX, 28},
             {&features.hypervisor, 1, ECX, 31},
             {&features.fsgsbase, 7, EBX, 0},
             {&features.smep, 7, EBX, 7},
             {&features.smap, 7, EBX, 20},
             {&features.umip, 7, ECX, 2},
             {&features.ibrs, 7, EDX, 26},
             {&features.ibpb, 7, EDX, 26},
             {&features.stibp, 7, EDX, 27},
             {&features.ssbd, 7, EDX, 31},
             {&features.svm, 0x80000001, ECX, 2},
             {&features.nx, 0x80000001, EDX, 20},
             {&features.page1gb, 0x80000001, EDX, 26},
             {&features.rdtscp, 0x80000001, EDX, 27},
             {&features.invariant_tsc, 0x80000007, EDX, 8},
             {&features.ibpb, 0x80000008, EBX, 12},
             {&features.ibrs, 0x80000008, EBX, 14},
             {&features.stibp, 0x80000008, EBX, 15},
             {&features.ssbd, 0x80000008, EBX, 24}};

static void read_flags(void)
{
    for (uint32_t i = 0; i < ARRAY_LEN(flags); i++) {
        struct cpuid_regs r = cpuid_leaf(flags[i].leaf, 0);
        const uint32_t words[] = {r.eax, r.ebx, r.ecx, r.edx};
        *flags[i].flag |= bit(words[flags[i].reg], flags[i].bit);
    }
    features.svm &= features.vendor == VENDOR_AMD;
    uint32_t sizes = cpuid_leaf(0x80000008, 0).eax;
    features.phys_bits = sizes ? sizes & 0xff : 36;
    features.linear_bits = sizes ? sizes >> 8 & 0xff : 48;
}

bool signature_is(uint32_t leaf, const char *letters)
{
    struct cpuid_regs r = cpuid(leaf, 0);
    uint32_t words[] = {r.ebx, r.ecx, r.edx};
    return memcmp(words, letters, sizeof(words)) == 0;
}

/* The components that ring 3 and guests may use; their size with all of them enabled. */
static void read_xsave(void)
{
    features.xsave_size = 512;
    features.xcr0 = XCR0_X87 | XCR0_SSE;
    struct cpuid_regs r = cpuid_leaf(0xd, 0);
    if (!features.xsave || !r.eax) {
        features.xsave = features.avx = false;
        return;
    }
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

void features_read(struct bootinfo *info)
{
    read_vendor();
    read_name();
    read_flags();
    read_xsave();
    boot_note("cpu: %s, family %x model %x stepping %u, %u physical address bits\n", features.name,
              features.family, features.model, features.stepping, features.phys_bits);
    info->features = features;
}
