/* SPDX-License-Identifier: BSD-2-Clause */
/* Floods each exit class in turn: CPUID, ports, MSRs, MMIO, self-IPIs, timers, NMIs, hypercalls,
 * exceptions, control registers. The neighbour must not notice; this guest must get through. */
#include "lib/guest.h"

#define TIMES 20000u

static void each(const char *name, void (*work)(void))
{
    for (uint32_t i = 0; i < TIMES; i++)
        work();
    check(name, true);
}

static void f_cpuid(void)
{
    (void)cpuid(0, 0);
}

static void f_port(void)
{
    outb(0x80, 0);
}

static void f_empty_port(void)
{
    (void)inl(0x1230);
}

static void f_rdmsr(void)
{
    (void)rdmsr(MSR_APIC_BASE);
}

static void f_bad_msr(void)
{
    uint32_t lo, hi;
    (void)TRY("rdmsr", "=a"(lo), "=d"(hi) : "c"(0x12345) : "memory");
}

static void f_mmio(void)
{
    *(volatile uint32_t *)(uint64_t)acpi.io_apic = 1;
}

static void f_empty_mmio(void)
{
    (void)*(volatile uint32_t *)0xfd000000ull;
}

static void f_self_ipi(void)
{
    apic_icr(0, ICR_SELF | ICR_FIXED | 0x51);
    __asm__ volatile("sti; nop; cli");
}

static void f_timer(void)
{
    apic_write(APIC_TIMER_INIT, 1);
    __asm__ volatile("sti; nop; cli");
}

static void f_undefined(void)
{
    (void)TRY("ud2", : : "memory");
}

static void f_hypercall(void)
{
    uint64_t rax = 0x7fff;
    (void)TRY("vmmcall", "+a"(rax) : : "memory");
}

static void f_cr(void)
{
    write_cr3(read_cr3());
    write_cr0(read_cr0() ^ 0x10000);
    write_cr4(read_cr4() ^ 0x80);
}

static void f_wbinvd(void)
{
    __asm__ volatile("wbinvd" : : : "memory");
}

static void f_pause(void)
{
    pause_cpu();
}

static void f_icr_nowhere(void)
{
    apic_icr(0xfe, ICR_FIXED | 0x51);
}

void guest_main(void)
{
    pic_init(0xff, 0xff);
    apic_init(apic_has_x2());
    trap_set(0x51, irq_counted);
    trap_set(0x52, irq_counted);
    apic_write(APIC_TIMER_DIV, 0xb);
    apic_write(APIC_LVT_TIMER, 0x52);
    each("flood.cpuid", f_cpuid);
    each("flood.port", f_port);
    each("flood.empty_port", f_empty_port);
    each("flood.rdmsr", f_rdmsr);
    each("flood.bad_msr", f_bad_msr);
    each("flood.mmio", f_mmio);
    each("flood.empty_mmio", f_empty_mmio);
    each("flood.self_ipi", f_self_ipi);
    each("flood.timer", f_timer);
    each("flood.undefined", f_undefined);
    each("flood.hypercall", f_hypercall);
    each("flood.control_registers", f_cr);
    each("flood.wbinvd", f_wbinvd);
    each("flood.pause", f_pause);
    each("flood.icr_nowhere", f_icr_nowhere);
    apic_write(APIC_LVT_TIMER, LVT_MASKED | 0x52);
}
