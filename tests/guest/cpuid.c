/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID: what every kernel relies on is there and consistent; values that may differ are info. */
#include "lib/guest.h"

static void leaves(void)
{
    struct cpuid zero = cpuid(0, 0), top = cpuid(0x80000000u, 0);
    check("cpuid.leaf0.has_leaf_d", zero.eax >= 0xd);
    check("cpuid.extended.has_leaf_8", top.eax >= 0x80000008u);
    say("info max_leaf 0x%x max_extended 0x%x vendor 0x%x\n", zero.eax, top.eax, zero.ebx);
}

static void features(void)
{
    struct cpuid one = cpuid(1, 0), ext = cpuid(0x80000001u, 0);
    uint32_t need = 1u << 0 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 8 | 1u << 9 | 1u << 13 |
                    1u << 15 | 1u << 19 | 1u << 24 | 1u << 25 | 1u << 26;
    check_eq("cpuid.1.edx.baseline", one.edx & need, need);
    check_eq("cpuid.1.ecx.sse3_cx16", one.ecx & (1u | 1u << 13), 1u | 1u << 13);
    check_eq("cpuid.ext.edx.long_mode_nx_syscall", ext.edx & (1u << 29 | 1u << 20 | 1u << 11),
             1u << 29 | 1u << 20 | 1u << 11);
    say("info cpuid1 eax 0x%x ebx 0x%x ecx 0x%x edx 0x%x\n", one.eax, one.ebx, one.ecx, one.edx);
    say("info cpuid7 ebx 0x%x\n", cpuid(7, 0).ebx);
}

static void os_bits(void)
{
    uint64_t cr4 = read_cr4();
    write_cr4(cr4 & ~(1ull << 18));
    check_eq("cpuid.osxsave_clear", cpuid(1, 0).ecx >> 27 & 1, 0);
    if (cpuid(1, 0).ecx >> 26 & 1) {
        write_cr4(cr4 | 1ull << 18);
        check_eq("cpuid.osxsave_follows_cr4", cpuid(1, 0).ecx >> 27 & 1, 1);
        uint32_t lo, hi;
        __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
        check("cpuid.xsave_area_covers_legacy", cpuid(0xd, 0).ebx >= 576);
        check("cpuid.xsave_size_within_max", cpuid(0xd, 0).ebx <= cpuid(0xd, 0).ecx);
    }
    write_cr4(cr4);
}

static void stable(void)
{
    struct cpuid a = cpuid(0, 0), b = cpuid(0, 0);
    check("cpuid.repeatable", memcmp(&a, &b, sizeof a) == 0);
    uint64_t rax, rbx, rcx, rdx;
    __asm__ volatile("cpuid"
                     : "=a"(rax), "=b"(rbx), "=c"(rcx), "=d"(rdx)
                     : "a"(0xffffffff00000000ull), "c"(0xffffffff00000000ull));
    check_eq("cpuid.clears_upper_halves", (rax | rbx | rcx | rdx) >> 32, 0);
    struct cpuid apic = cpuid(1, 0);
    apic_init(false);
    check_eq("cpuid.initial_apic_id", apic.ebx >> 24, apic_id());
    uint64_t base = rdmsr(MSR_APIC_BASE);
    check_eq("cpuid.apic_bit_follows_enable", apic.edx >> 9 & 1, base >> 11 & 1);
    uint32_t bits = cpuid(0x80000008u, 0).eax;
    check("cpuid.physical_bits_sane", (bits & 0xff) >= 36 && (bits & 0xff) <= 52);
    check("cpuid.linear_bits_sane", (bits >> 8 & 0xff) == 48 || (bits >> 8 & 0xff) == 57);
}

static void hypervisor(void)
{
    if (!(cpuid(1, 0).ecx >> 31 & 1)) {
        say("info no hypervisor leaf\n");
        return;
    }
    struct cpuid h = cpuid(0x40000000u, 0);
    say("info hypervisor max 0x%x signature 0x%x 0x%x 0x%x features 0x%x\n", h.eax, h.ebx, h.ecx,
        h.edx, cpuid(0x40000001u, 0).eax);
}

void guest_main(void)
{
    leaves();
    features();
    os_bits();
    stable();
    hypervisor();
}
