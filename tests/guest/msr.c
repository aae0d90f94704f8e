/* SPDX-License-Identifier: BSD-2-Clause */
/* MSRs: what a kernel writes is kept, what does not exist raises #GP(0). */
#include "lib/guest.h"

static int try_rdmsr(uint32_t index)
{
    uint32_t lo, hi;
    return TRY("rdmsr", "=a"(lo), "=d"(hi) : "c"(index) : "memory");
}

static int try_wrmsr(uint32_t index, uint64_t value)
{
    return TRY("wrmsr",
               : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
               : "memory");
}

static void kept(const char *name, uint32_t index, uint64_t value)
{
    uint64_t old = rdmsr(index);
    int vector = try_wrmsr(index, value);
    if (vector != NO_FAULT)
        check_eq(name, (uint64_t)vector, ~0ull);
    else
        check_eq(name, rdmsr(index), value);
    wrmsr(index, old);
}

static void plain(void)
{
    kept("msr.star", MSR_STAR, 0x0023001000000000ull);
    kept("msr.lstar", MSR_LSTAR, 0xffffffff81000000ull);
    kept("msr.cstar", 0xc0000083u, 0xffffffff81000040ull);
    kept("msr.sfmask", MSR_SFMASK, 0x47700);
    kept("msr.fs_base", MSR_FS_BASE, 0x7f1234567890ull);
    kept("msr.gs_base", MSR_GS_BASE, 0xffff888012345678ull);
    kept("msr.kernel_gs_base", MSR_KERNEL_GS, 0xffff888087654321ull);
    kept("msr.sysenter_cs", 0x174, 0x10);
    kept("msr.sysenter_esp", 0x175, 0x12345678);
    kept("msr.sysenter_eip", 0x176, 0x87654321);
    kept("msr.pat", 0x277, 0x0407050600070106ull);
    if (cpuid(0x80000001u, 0).edx >> 27 & 1)
        kept("msr.tsc_aux", MSR_TSC_AUX, 0x1234);
}

static void faults(void)
{
    /* The emulator lets these pass where the manuals say #GP(0): bare it is only information. A
     * hypervisor looks itself where its CPU does not. */
    int fs = try_wrmsr(MSR_FS_BASE, 1ull << 60), lstar = try_wrmsr(MSR_LSTAR, 1ull << 60);
    say("info noncanonical fs_base %d lstar %d\n", fs, lstar);
    check("msr.noncanonical_survived",
          (fs == NO_FAULT || fs == GP) && (lstar == NO_FAULT || lstar == GP));
    wrmsr(MSR_FS_BASE, 0);
    if (cpuid(0x40000000u, 0).ebx == 0x4b4d564b) {
        static const uint32_t addresses[] = {MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS, MSR_LSTAR,
                                             0xc0000083u};
        uint32_t faults = 0;
        for (uint32_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
            faults += try_wrmsr(addresses[i], 1ull << 60) == GP;
        check_eq("msr.noncanonical_is_gp", faults, sizeof addresses / sizeof *addresses);
    }
    uint64_t efer = rdmsr(MSR_EFER);
    int lme = try_wrmsr(MSR_EFER, efer & ~0x100ull);
    say("info efer.lme cleared while paging: %d, efer 0x%lx\n", lme, rdmsr(MSR_EFER));
    wrmsr(MSR_EFER, efer);
    check_eq("msr.efer_restored", rdmsr(MSR_EFER), efer);
}

static void machine_dependent(void)
{
    /* Bare, the emulator ignores unknown MSRs; a hypervisor gives #GP. Either way no crash. */
    int r = try_rdmsr(0x12345678u), w = try_wrmsr(0x12345678u, 1);
    say("info unknown msr: read %d write %d\n", r, w);
    check("msr.unknown_read_survived", r == NO_FAULT || r == GP);
    check("msr.unknown_write_survived", w == NO_FAULT || w == GP);
    r = try_wrmsr(0x277, 0x0202020202020202ull);
    say("info pat with a reserved type: %d\n", r);
    say("info apic_base 0x%lx mtrrcap 0x%lx\n", rdmsr(MSR_APIC_BASE), rdmsr(0xfe));
}

static void bases(void)
{
    static uint64_t cell[2] = {0x1122334455667788ull, 0x99aabbccddeeff00ull};
    uint64_t old_fs = rdmsr(MSR_FS_BASE), old_gs = rdmsr(MSR_GS_BASE), value;
    wrmsr(MSR_FS_BASE, (uint64_t)&cell[0]);
    wrmsr(MSR_GS_BASE, (uint64_t)&cell[1]);
    wrmsr(MSR_KERNEL_GS, (uint64_t)&cell[0]);
    __asm__ volatile("movq %%fs:0, %0" : "=r"(value));
    check_eq("msr.fs_base_used", value, cell[0]);
    __asm__ volatile("movq %%gs:0, %0" : "=r"(value));
    check_eq("msr.gs_base_used", value, cell[1]);
    (void)cpuid(0, 0);
    __asm__ volatile("swapgs; movq %%gs:0, %0" : "=r"(value));
    check_eq("msr.swapgs_after_exit", value, cell[0]);
    check_eq("msr.swapgs_kernel_gs", rdmsr(MSR_KERNEL_GS), (uint64_t)&cell[1]);
    wrmsr(MSR_FS_BASE, old_fs);
    wrmsr(MSR_GS_BASE, old_gs);
}

static void tsc(void)
{
    uint64_t a = rdtsc(), b = rdmsr(MSR_TSC), c = rdtsc();
    say("info msr tsc %lu between %lu and %lu\n", b, a, c);
    check("msr.rdtsc_grows", a < c);
    uint64_t last = rdtsc();
    bool grows = true;
    for (unsigned i = 0; i < 2000; i++) {
        if (i % 100 == 0)
            (void)cpuid(0, 0);
        uint64_t now = rdtsc();
        grows = grows && now >= last;
        last = now;
    }
    check("msr.tsc_never_goes_back", grows);
}

void guest_main(void)
{
    plain();
    faults();
    machine_dependent();
    bases();
    tsc();
}
