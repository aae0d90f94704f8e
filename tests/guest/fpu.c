/* SPDX-License-Identifier: BSD-2-Clause */
/* x87, SSE and AVX state across exits of every kind; CR0.TS and CR4.OSFXSR; XSETBV; the image of
 * FXSAVE and XSAVE. */
#include "lib/guest.h"

static uint8_t area[4096] __attribute__((aligned(64)));
static uint8_t pattern[512] __attribute__((aligned(64)));
static uint8_t result[512] __attribute__((aligned(64)));
static bool has_avx;

static void load_sse(void)
{
    __asm__ volatile("movdqa (%0), %%xmm0; movdqa 16(%0), %%xmm1; movdqa 112(%0), %%xmm7\n\t"
                     "movdqa 240(%0), %%xmm15"
                     :
                     : "r"(pattern)
                     : "memory");
}

static bool sse_kept(void)
{
    __asm__ volatile("movdqa %%xmm0, (%0); movdqa %%xmm1, 16(%0); movdqa %%xmm7, 112(%0)\n\t"
                     "movdqa %%xmm15, 240(%0)"
                     :
                     : "r"(result)
                     : "memory");
    return memcmp(result, pattern, 32) == 0 && memcmp(result + 112, pattern + 112, 16) == 0 &&
           memcmp(result + 240, pattern + 240, 16) == 0;
}

static void do_cpuid(void)
{
    (void)cpuid(0, 0);
}

static void do_pio(void)
{
    (void)inb(0x71);
}

static void do_mmio(void)
{
    (void)ioapic_read(1);
}

static void do_msr(void)
{
    wrmsr(MSR_STAR, rdmsr(MSR_STAR));
}

static void do_interrupt(void)
{
    interrupts_on();
    apic_icr(0, ICR_SELF | ICR_FIXED | 0x51);
    __asm__ volatile("nop");
    interrupts_off();
}

static void do_hlt(void)
{
    apic_icr(0, ICR_SELF | ICR_FIXED | 0x51);
    wait_for_interrupt();
}

static void do_wait(void)
{
    delay_us(20000); /* long enough for the host's own interrupts and thread switches */
}

static void across(const char *name, void (*exit)(void), uint32_t times)
{
    bool good = true;
    for (uint32_t i = 0; i < times && good; i++) {
        for (uint32_t j = 0; j < sizeof pattern; j++)
            pattern[j] = (uint8_t)(i * 7 + j * 13 + 1);
        load_sse();
        exit();
        good = sse_kept();
    }
    check(name, good);
}

static void exits(void)
{
    trap_set(0x51, irq_counted);
    across("fpu.sse_across_cpuid", do_cpuid, 200);
    across("fpu.sse_across_pio", do_pio, 200);
    across("fpu.sse_across_mmio", do_mmio, 200);
    across("fpu.sse_across_msr", do_msr, 200);
    across("fpu.sse_across_interrupt", do_interrupt, 200);
    across("fpu.sse_across_hlt", do_hlt, 200);
    across("fpu.sse_across_time", do_wait, 5);
}

static void x87(void)
{
    uint16_t cw = 0x27f, back = 0;
    double value = 0;
    __asm__ volatile("fninit; fldcw %0; fldpi" : : "m"(cw));
    do_pio();
    __asm__ volatile("fstpl %0; fnstcw %1" : "=m"(value), "=m"(back));
    uint64_t raw;
    memcpy(&raw, &value, sizeof raw);
    check_eq("fpu.x87_register_kept", raw, 0x400921fb54442d18ull);
    check_eq("fpu.x87_control_word_kept", back, cw);
    uint32_t mxcsr = 0x1fa0, got = 0;
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    do_cpuid();
    __asm__ volatile("stmxcsr %0" : "=m"(got));
    check_eq("fpu.mxcsr_kept", got, mxcsr);
    mxcsr = 0x1f80;
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    mxcsr = 0xffff0000u;
    int r = TRY("ldmxcsr %0", : "m"(mxcsr) : "memory");
    say("info mxcsr with reserved bits: %d\n", r);
    mxcsr = 0x1f80;
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
}

static void faults(void)
{
    write_cr0(read_cr0() | 8);
    check_eq("fpu.ts_traps_sse", (uint64_t)TRY("movaps %%xmm0, %%xmm1", : : "memory"), NM);
    check_eq("fpu.ts_traps_x87", (uint64_t)TRY("fnop", : : "memory"), NM);
    __asm__ volatile("clts");
    check_eq("fpu.clts", (uint64_t)TRY("movaps %%xmm0, %%xmm1", : : "memory"), (uint64_t)NO_FAULT);
    write_cr0((read_cr0() | 4) & ~2ull);
    check_eq("fpu.em_sse_is_ud", (uint64_t)TRY("movaps %%xmm0, %%xmm1", : : "memory"), UD);
    write_cr0((read_cr0() & ~4ull) | 2);
    uint64_t cr4 = read_cr4();
    write_cr4(cr4 & ~0x200ull);
    check_eq("fpu.osfxsr_clear_is_ud", (uint64_t)TRY("addps %%xmm0, %%xmm1", : : "memory"), UD);
    write_cr4(cr4);
}

static void fxsave(void)
{
    for (uint32_t j = 0; j < sizeof pattern; j++)
        pattern[j] = (uint8_t)(j ^ 0x5a);
    load_sse();
    __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
    check("fpu.fxsave_xmm0", memcmp(area + 160, pattern, 16) == 0);
    check("fpu.fxsave_xmm15", memcmp(area + 160 + 240, pattern + 240, 16) == 0);
    __asm__ volatile("pxor %%xmm0, %%xmm0; pxor %%xmm15, %%xmm15" : : : "memory");
    do_pio();
    __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
    check("fpu.fxrstor", sse_kept());
}

static int try_xsetbv(uint32_t index, uint32_t value)
{
    return TRY("xsetbv", : "c"(index), "a"(value), "d"(0) : "memory");
}

static uint32_t xcr0(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return lo;
}

static void xsave(void)
{
    write_cr4(read_cr4() | 1ull << 18);
    /* First without an exit in between: tells a lost write from one that an exit undid. */
    int r = try_xsetbv(0, 3);
    uint32_t at_once = xcr0();
    check_eq("fpu.xsetbv_x87_sse", (uint64_t)r, (uint64_t)NO_FAULT);
    check_eq("fpu.xcr0_at_once", at_once, 3);
    check_eq("fpu.xcr0_after_exits", xcr0(), 3);
    check_eq("fpu.xsetbv_without_x87", (uint64_t)try_xsetbv(0, 2), GP);
    check_eq("fpu.xsetbv_avx_without_sse", (uint64_t)try_xsetbv(0, 5), GP);
    check_eq("fpu.xsetbv_bad_index", (uint64_t)try_xsetbv(7, 3), GP);
    check_eq("fpu.xcr0_kept_after_faults", xcr0(), 3);
    has_avx = (cpuid(1, 0).ecx >> 28 & 1) && (cpuid(0xd, 0).eax & 4);
    say("info avx %u xcr0 supported 0x%x\n", has_avx, cpuid(0xd, 0).eax);
}

static void avx(void)
{
    bool good = true;
    (void)try_xsetbv(0, 7);
    check_eq("fpu.xsetbv_avx", xcr0(), 7);
    for (uint32_t i = 0; i < 100 && good; i++) {
        for (uint32_t j = 0; j < 64; j++)
            pattern[j] = (uint8_t)(i * 3 + j);
        __asm__ volatile("vmovdqu (%0), %%ymm3; vmovdqu 32(%0), %%ymm12"
                         :
                         : "r"(pattern)
                         : "memory");
        do_cpuid();
        do_pio();
        do_interrupt();
        do_hlt();
        __asm__ volatile("vmovdqu %%ymm3, (%0); vmovdqu %%ymm12, 32(%0)"
                         :
                         : "r"(result)
                         : "memory");
        good = memcmp(result, pattern, 64) == 0;
    }
    check("fpu.avx_across_exits", good);
    memset(area, 0, sizeof area);
    __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(7), "d"(0) : "memory");
    check_eq("fpu.xsave_header_has_avx", area[512] & 4, 4);
    __asm__ volatile("vzeroall" : : : "memory");
    __asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(7), "d"(0) : "memory");
    __asm__ volatile("vmovdqu %%ymm3, (%0); vmovdqu %%ymm12, 32(%0)" : : "r"(result) : "memory");
    check("fpu.xrstor_avx", memcmp(result, pattern, 64) == 0);
    area[512 + 7] = 0x80;
    check_eq("fpu.xrstor_bad_header",
             (uint64_t)TRY("xrstor64 (%0)",
                           : "r"(area), "a"(7), "d"(0)
                           : "memory"),
             GP);
    __asm__ volatile("vzeroall" : : : "memory");
}

void guest_main(void)
{
    pic_init(0xff, 0xff);
    apic_init(false);
    exits();
    x87();
    faults();
    fxsave();
    if (!(cpuid(1, 0).ecx >> 26 & 1))
        return;
    xsave();
    if (has_avx) {
        avx();
        /* The guest's XCR0 stays while others run, and exits work with it. */
        do_wait();
        check_eq("fpu.xcr0_across_time", xcr0(), 7);
    }
}
