/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID table and MSR rules, over a fake kernel that collects them. */
#include "test.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cpuid.h>
#define USER_SYSCALL_STUBS_H /* the fakes below stand for the generated stubs */
#include "abi/kinfo.h"
#include "abi/status.h"
static struct kinfo fake_kinfo;
#define host_cpuid real_host_cpuid
#include "vmm/host_cpuid.h"
#undef host_cpuid
#undef KINFO_VA
#define KINFO_VA ((uintptr_t)&fake_kinfo)

struct entry {
    uint32_t leaf, subleaf, reg[4];
    uint64_t key;
};
struct msr_entry {
    uint32_t first, count, rule;
    uint64_t value;
};
static struct entry entries[128];
static struct msr_entry msrs[64];
static uint32_t entry_count, msr_count;

static int64_t sys_guest_cpuid(uint32_t guest, uint32_t leaf, uint64_t key, uint64_t low,
                               uint64_t high)
{
    (void)guest;
    entries[entry_count++] = (struct entry){
        leaf,
        (uint32_t)(key >> 32),
        {(uint32_t)low, (uint32_t)(low >> 32), (uint32_t)high, (uint32_t)(high >> 32)},
        key & 1};
    return OK;
}

/* A CPU with every feature bit: what must be hidden shows. */
static struct cpuid_leaf host_cpuid(uint32_t leaf, uint32_t subleaf)
{
    if (leaf == 0x80000008)
        return (struct cpuid_leaf){{0x3028, ~0u, ~0u, ~0u}};
    if (leaf == 4 && subleaf == 3)
        return (struct cpuid_leaf){{0}};
    if (leaf == 0xd && subleaf >= 2)
        return (struct cpuid_leaf){{subleaf == 2 ? 256 : 64, subleaf == 2 ? 576 : 1024, 2, 0}};
    return (struct cpuid_leaf){{~0u, ~0u, ~0u, ~0u}};
}

static int64_t sys_guest_msr(uint32_t guest, uint32_t first, uint32_t count, uint32_t rule,
                             uint64_t value)
{
    (void)guest;
    msrs[msr_count++] = (struct msr_entry){first, count, rule, value};
    return first == 0x8b ? ERR_ARG : OK; /* as if the kernel kept it itself */
}

#include "vmm/cpu_features.c"
#include "vmm/cpuid.c"
#include "vmm/host_cpuid.c"
#include "vmm/msr.c"

static jmp_buf refused_at;
static char refused[256];

void refuse(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(refused, sizeof(refused), format, args);
    va_end(args);
    longjmp(refused_at, 1);
}

static struct vmm_config config;
static struct vmm vmm;

static bool build(uint32_t vendor, uint32_t vcpus, const char *feature, uint32_t require)
{
    memset(&config, 0, sizeof(config));
    memset(&vmm, 0, sizeof(vmm));
    fake_kinfo.vendor = vendor;
    fake_kinfo.tsc_khz = 1000000;
    vmm.machine.guest_tsc_khz = 2500000;
    fake_kinfo.xcr0 = 0xe7;
    vmm.config = &config;
    config.vcpus = vcpus;
    config.has_kvm_pv = 1;
    if (feature) {
        config.feature_count = 1;
        snprintf(config.feature[0].name, sizeof(config.feature[0].name), "%s", feature);
        config.feature[0].require = require;
    }
    entry_count = msr_count = 0;
    if (setjmp(refused_at))
        return false;
    cpuid_policy(&vmm);
    msr_policy(&vmm);
    return true;
}

static uint32_t value(uint32_t leaf, uint32_t subleaf, uint32_t reg)
{
    for (uint32_t i = 0; i < entry_count; i++)
        if (entries[i].leaf == leaf && entries[i].subleaf == subleaf)
            return entries[i].reg[reg];
    return 0xdeadbeef;
}

TEST(table_is_well_formed)
{
    for (uint32_t vendor = VENDOR_AMD; vendor <= VENDOR_INTEL; vendor++) {
        CHECK(build(vendor, 64, NULL, 0));
        CHECK(entry_count <= 96); /* the kernel's table */
        for (uint32_t i = 0; i < entry_count; i++)
            for (uint32_t j = 0; j < i; j++)
                CHECK(entries[i].leaf != entries[j].leaf ||
                      entries[i].subleaf != entries[j].subleaf);
    }
}

/* As the masks decide, by leaf. */
TEST(masks)
{
    struct cpuid_leaf r = host_cpuid_policy(1, 0, 0xe7);
    CHECK_EQ(r.reg[CPUID_ECX] & (1u << 3 | 1u << 5 | 1u << 15 | 1u << 27), 0);
    CHECK_EQ(r.reg[CPUID_ECX] >> 21 & 1, 1);
    CHECK_EQ(r.reg[CPUID_EDX] & (1u << 21 | 1u << 22), 0);
    CHECK_EQ(host_cpuid_policy(0x80000001, 0, 0xe7).reg[CPUID_ECX] & (1u << 2 | 1u << 9), 0);
    CHECK_EQ(host_cpuid_policy(0x8000000a, 0, 0xe7).reg[CPUID_EDX], 0);
    CHECK_EQ(host_cpuid_policy(0xa, 0, 0xe7).reg[CPUID_EAX], 0);
    CHECK_EQ(host_cpuid_policy(0x40000000, 0, 0xe7).reg[CPUID_EBX], 0);
    CHECK_EQ(host_cpuid_policy(7, 0, 0xe7).reg[CPUID_EBX] >> 16 & 1, 1);
    CHECK_EQ(host_cpuid_policy(7, 1, 0xe7).reg[CPUID_EAX], 0);
    CHECK_EQ(host_cpuid_policy(0xd, 0, 0xe7).reg[CPUID_EAX], 0xe7);
    CHECK_EQ(host_cpuid_policy(0xd, 0, 0xe7).reg[CPUID_ECX], 1024 + 64);
    CHECK_EQ(host_cpuid_policy(0xd, 0, 3).reg[CPUID_ECX], 576);
    CHECK_EQ(host_cpuid_policy(0xd, 9, 0xe7).reg[CPUID_EAX], 0);
    CHECK_EQ(host_cpuid_policy(7, 0, 7).reg[CPUID_EBX] >> 16 & 1, 0); /* AVX-512 and its state */
    CHECK_EQ(host_cpuid_policy(1, 0, 0).reg[CPUID_ECX] & (1u << 26 | 1u << 28), 0);
    CHECK_EQ(host_cpuid_policy(0xd, 0, 0).reg[CPUID_EAX], 0);
}

TEST(hidden_and_shown)
{
    CHECK(build(VENDOR_AMD, 2, NULL, 0));
    uint32_t ecx = value(1, 0, CPUID_ECX);
    CHECK_EQ(ecx & (1u << 5 | 1u << 3), 0);                     /* VMX, MONITOR */
    CHECK_EQ(ecx >> 21 & 0x409, 0x409);                         /* x2APIC, deadline, hypervisor */
    CHECK_EQ(value(0x80000001, 0, CPUID_ECX) & (1u << 2), 0);   /* SVM */
    CHECK_EQ(value(7, 0, CPUID_ECX) & (1u << 16 | 1u << 3), 0); /* LA57, PKU */
    CHECK_EQ(value(0x80000007, 0, CPUID_EDX), 1u << 8);
    CHECK_EQ(vmm.phys_bits, 40);
}

TEST(slow_strings)
{
    CHECK(build(VENDOR_INTEL, 1, NULL, 0));
    CHECK_EQ(value(7, 0, CPUID_EBX) >> 9 & 1, 0);
    CHECK_EQ(value(7, 0, CPUID_EDX) >> 4 & 1, 0);
    CHECK(!build(VENDOR_INTEL, 1, "erms", 1));
    fake_kinfo.assists = ASSIST_FAST_STRINGS;
    CHECK(build(VENDOR_INTEL, 1, "erms", 1));
    CHECK_EQ(value(7, 0, CPUID_EBX) >> 9 & 1, 1);
    CHECK_EQ(value(7, 0, CPUID_EDX) >> 4 & 1, 1);
    fake_kinfo.assists = 0;
}

TEST(topology)
{
    CHECK(build(VENDOR_AMD, 6, NULL, 0));
    CHECK_EQ(value(1, 0, CPUID_EBX) >> 16, 8);
    CHECK_EQ(value(0xb, 1, CPUID_EAX), 3);
    CHECK_EQ(value(0xb, 1, CPUID_EBX), 6);
    CHECK_EQ(value(0x80000008, 0, CPUID_ECX), 3u << 12 | 5);
    CHECK(build(VENDOR_INTEL, 1, NULL, 0));
    CHECK_EQ(value(0xb, 1, CPUID_EAX), 0);
    CHECK_EQ(value(4, 0, CPUID_EAX) >> 26, 0);
    /* TSC Hz = crystal * EBX / EAX */
    CHECK_EQ((uint64_t)value(0x15, 0, CPUID_ECX) * value(0x15, 0, CPUID_EBX) /
                 value(0x15, 0, CPUID_EAX),
             2500000000ull);
}

TEST(kvm_leaves)
{
    CHECK(build(VENDOR_AMD, 1, NULL, 0));
    char name[13] = {0};
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t part = value(0x40000000, 0, CPUID_EBX + i);
        memcpy(name + 4 * i, &part, 4);
    }
    CHECK(strcmp(name, "KVMKVMKVM") == 0);
    CHECK_EQ(value(0x40000000, 0, CPUID_EAX), 0x40000010);
    CHECK_EQ(value(0x40000010, 0, CPUID_EAX), 2500000);
}

TEST(features)
{
    CHECK(build(VENDOR_AMD, 1, "avx2", 0));
    CHECK_EQ(value(7, 0, CPUID_EBX) & 1u << 5, 0);
    CHECK(build(VENDOR_AMD, 1, "avx2", 1));
    CHECK(value(7, 0, CPUID_EBX) & 1u << 5);
    CHECK(build(VENDOR_AMD, 1, "svm", 0));
    CHECK(!build(VENDOR_AMD, 1, "svm", 1));
    CHECK(strstr(refused, "'svm'"));
    CHECK(!build(VENDOR_AMD, 1, "warp-drive", 0));
    CHECK(strstr(refused, "unknown"));
}

TEST(msr_rules_fit_the_kernel)
{
    CHECK(build(VENDOR_AMD, 1, NULL, 0));
    uint32_t cells = 0;
    CHECK(msr_count <= 48);
    for (uint32_t i = 0; i < msr_count; i++) {
        cells += msrs[i].rule == MSR_RULE_SHADOW ? msrs[i].count : 0;
        for (uint32_t j = 0; j < i; j++)
            CHECK(msrs[i].first + msrs[i].count <= msrs[j].first ||
                  msrs[j].first + msrs[j].count <= msrs[i].first);
    }
    CHECK(cells <= 512);
}

TEST(mtrr_covers_the_hole)
{
    CHECK(build(VENDOR_AMD, 1, NULL, 0));
    uint64_t mask = 0;
    for (uint32_t i = 0; i < msr_count; i++)
        if (msrs[i].first == 0x201)
            mask = msrs[i].value & ~0xfffull;
    CHECK_EQ(mask & 0xc0000000, 0xc0000000ull);
    CHECK_EQ(mask >> 40, 0);
    CHECK((0xfee00000 & mask) == (0xc0000000 & mask));
    CHECK((0xbfffffff & mask) != (0xc0000000 & mask));
}
