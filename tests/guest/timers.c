/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers fire, at about the right time, as often as they should. Rates are compared against the
 * ACPI PM timer with wide margins: an emulator's clocks jump when the machine is busy. */
#include "lib/guest.h"

#define VECTOR 0x55u

static uint64_t lapic_rate(void)
{
    apic_write(APIC_TIMER_DIV, 0xb);
    apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR);
    apic_write(APIC_TIMER_INIT, 0xffffffffu);
    delay_us(20000);
    uint32_t left = apic_read(APIC_TIMER_COUNT);
    apic_write(APIC_TIMER_INIT, 0);
    return (0xffffffffull - left) * 50;
}

static void lapic(void)
{
    uint64_t hz = lapic_rate();
    say("info lapic timer %lu Hz\n", hz);
    check("timers.lapic_counts", hz > 1000000);
    uint32_t ms = (uint32_t)(hz / 1000);
    uint32_t before = irq_count[VECTOR];
    apic_write(APIC_LVT_TIMER, VECTOR);
    apic_write(APIC_TIMER_INIT, 5 * ms);
    check("timers.lapic_one_shot", irq_wait(VECTOR, before + 1, 1000000));
    (void)irq_wait(VECTOR, before + 2, 20000);
    check_eq("timers.lapic_one_shot_once", irq_count[VECTOR] - before, 1);
    check_eq("timers.lapic_count_ends_at_zero", apic_read(APIC_TIMER_COUNT), 0);
    before = irq_count[VECTOR];
    apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR);
    apic_write(APIC_TIMER_INIT, ms);
    check("timers.lapic_periodic", irq_wait(VECTOR, before + 10, 2000000));
    apic_write(APIC_TIMER_INIT, 0);
    (void)irq_wait(VECTOR, ~0u, 2000);
    before = irq_count[VECTOR];
    (void)irq_wait(VECTOR, ~0u, 10000);
    check_eq("timers.lapic_stopped", irq_count[VECTOR] - before, 0);
    before = irq_count[VECTOR];
    apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR);
    apic_write(APIC_TIMER_INIT, ms);
    (void)irq_wait(VECTOR, ~0u, 10000);
    check_eq("timers.lapic_masked", irq_count[VECTOR] - before, 0);
    apic_write(APIC_TIMER_INIT, ~0u);
    delay_us(1000);
    uint32_t left = apic_read(APIC_TIMER_COUNT);
    apic_write(APIC_LVT_TIMER, LVT_MASKED | LVT_PERIODIC | VECTOR);
    check_range("timers.lapic_counts_on_in_another_mode", apic_read(APIC_TIMER_COUNT), 1, left);
    apic_write(APIC_TIMER_INIT, 0);
    apic_write(APIC_LVT_TIMER, VECTOR);
    before = irq_count[VECTOR];
    apic_write(APIC_TIMER_INIT, 3 * ms);
    for (uint32_t i = 0; i < 100 && irq_count[VECTOR] == before; i++)
        wait_for_interrupt();
    check("timers.lapic_out_of_hlt", irq_count[VECTOR] != before);
}

static void divider(void)
{
    uint32_t count[2] = {~0u, ~0u};
    /* A busy machine makes a measurement too long, never too short. */
    for (unsigned round = 0; round < 10; round++) {
        unsigned i = round & 1;
        apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR);
        apic_write(APIC_TIMER_DIV, i ? 0x3 : 0xb);
        apic_write(APIC_TIMER_INIT, 0xffffffffu);
        delay_us(20000);
        uint32_t counted = 0xffffffffu - apic_read(APIC_TIMER_COUNT);
        count[i] = counted < count[i] ? counted : count[i];
        apic_write(APIC_TIMER_INIT, 0);
    }
    check_range("timers.lapic_divide_by_16", count[0] / (count[1] + 1), 8, 32);
}

static void deadline(void)
{
    if (!(cpuid(1, 0).ecx >> 24 & 1)) {
        say("info no TSC deadline\n");
        return;
    }
    apic_write(APIC_LVT_TIMER, LVT_DEADLINE | VECTOR);
    uint32_t before = irq_count[VECTOR];
    uint64_t when = rdtsc() + (1ull << 40);
    wrmsr(MSR_TSC_DEADLINE, when);
    check_eq("timers.deadline_readable", rdmsr(MSR_TSC_DEADLINE), when);
    when = rdtsc() + 3000000;
    wrmsr(MSR_TSC_DEADLINE, when);
    check("timers.deadline_fires", irq_wait(VECTOR, before + 1, 2000000));
    check("timers.deadline_not_early", rdtsc() >= when);
    check_eq("timers.deadline_disarmed", rdmsr(MSR_TSC_DEADLINE), 0);
    before = irq_count[VECTOR];
    wrmsr(MSR_TSC_DEADLINE, rdtsc() - 1);
    check("timers.deadline_past", irq_wait(VECTOR, before + 1, 1000000));
    before = irq_count[VECTOR];
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + 100000000);
    wrmsr(MSR_TSC_DEADLINE, 0);
    (void)irq_wait(VECTOR, ~0u, 150000);
    check_eq("timers.deadline_cancelled", irq_count[VECTOR] - before, 0);
}

static uint32_t pit_count(void)
{
    outb(0x43, 0);
    uint32_t low = inb(0x40);
    return low | (uint32_t)inb(0x40) << 8;
}

static void pit(void)
{
    trap_set(0x60, irq_counted);
    outb(0x43, 0x34);
    outb(0x40, 0xff);
    outb(0x40, 0xff);
    uint32_t first = pit_count();
    delay_us(5000);
    uint32_t second = pit_count();
    check_range("timers.pit_counts_down", (first - second) & 0xffff, 3000, 60000);
    ioapic_route(acpi.isa_gsi[0], 0x60, acpi.isa_flags[0]);
    uint32_t before = irq_count[0x60];
    outb(0x43, 0x34);
    outb(0x40, 0xa9);
    outb(0x40, 0x04); /* 1 ms */
    check("timers.pit_periodic", irq_wait(0x60, before + 10, 2000000));
    outb(0x43, 0x30); /* a long count first: until one is loaded, a late period may still end */
    outb(0x40, 0xff);
    outb(0x40, 0xff);
    (void)irq_wait(0x60, ~0u, 2000);
    before = irq_count[0x60];
    outb(0x43, 0x30);
    outb(0x40, 0xa9);
    outb(0x40, 0x04);
    check("timers.pit_one_shot", irq_wait(0x60, before + 1, 1000000));
    (void)irq_wait(0x60, ~0u, 10000);
    check_eq("timers.pit_one_shot_once", irq_count[0x60] - before, 1);
    ioapic_mask(acpi.isa_gsi[0]);
    outb(0x61, (uint8_t)((inb(0x61) & 0xfcu) | 1));
    outb(0x43, 0xb0);
    outb(0x42, 0xa9);
    outb(0x42, 0x04);
    bool out = false;
    for (uint32_t i = 0; i < 2000 && !out; i++) {
        delay_us(50);
        out = inb(0x61) & 0x20;
    }
    check("timers.pit_channel2_output", out);
}

static uint8_t rtc(uint8_t index)
{
    outb(0x70, index);
    return inb(0x71);
}

static void rtc_irq(struct trap_frame *f)
{
    (void)rtc(0x0c);
    irq_counted(f);
}

static void clock(void)
{
    uint8_t b = rtc(0x0b);
    say("info rtc 20%x-%x-%x %x:%x:%x status 0x%x\n", rtc(9), rtc(8), rtc(7), rtc(4), rtc(2),
        rtc(0), b);
    uint32_t second = rtc(0), waited = 0;
    while (rtc(0) == second && waited++ < 3000)
        delay_us(1000);
    check_range("timers.rtc_second_changes", waited, 0, 1500);
    trap_set(0x68, rtc_irq);
    ioapic_route(acpi.isa_gsi[8], 0x68, acpi.isa_flags[8]);
    outb(0x70, 0x0a);
    outb(0x71, 0x26); /* 1024 Hz */
    outb(0x70, 0x0b);
    outb(0x71, (uint8_t)(b | 0x40));
    (void)rtc(0x0c);
    check("timers.rtc_periodic", irq_wait(0x68, 10, 2000000));
    outb(0x70, 0x0b);
    outb(0x71, b);
    ioapic_mask(acpi.isa_gsi[8]);
}

/* In the leaf that hypervisors share; 0: there is none. */
static uint32_t told_khz(void)
{
    bool virtual = cpuid(1, 0).ecx >> 31 & 1;
    return virtual && cpuid(0x40000000u, 0).eax >= 0x40000010u ? cpuid(0x40000010u, 0).eax : 0;
}

static uint64_t counted_khz(void)
{
    uint32_t first = pm_ticks();
    uint64_t tsc = rdtsc();
    delay_us(10000);
    uint32_t passed = (pm_ticks() - first) & 0xffffffu;
    return (rdtsc() - tsc) * 3579545 / 1000 / passed;
}

static void pm(void)
{
    uint32_t last = pm_ticks();
    bool moves = false;
    for (uint32_t i = 0; i < 1000 && !moves; i++)
        moves = pm_ticks() != last;
    check("timers.pm_timer_moves", moves);
    uint64_t tsc = rdtsc();
    delay_us(10000);
    check("timers.tsc_over_pm_timer", rdtsc() - tsc > 100000);
    uint32_t khz = told_khz();
    bool right = false;
    for (uint32_t i = 0; i < 20 && khz && !right; i++) {
        uint64_t counted = counted_khz();
        right = counted > khz - khz / 50 && counted < khz + khz / 50;
        say("info TSC of %u kHz counted as %lu\n", khz, counted);
    }
    if (khz)
        check("timers.tsc_frequency_as_told", right);
}

void guest_main(void)
{
    pic_init(0xff, 0xff);
    trap_set(VECTOR, irq_counted);
    pm();
    apic_init(false);
    lapic();
    divider();
    pit();
    clock();
    deadline();
    if (apic_has_x2()) {
        apic_init(true);
        lapic();
        deadline();
    }
}
