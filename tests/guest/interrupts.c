/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt delivery: self-IPI, priorities, TPR, shadows, I/O APIC pins, 8259 pair, software INT.
 */
#include "lib/guest.h"

#define VECTOR_LOW 0x31u
#define VECTOR_A   0x51u
#define VECTOR_B   0x92u

static volatile uint32_t order[8], order_count;

static bool irr_has(uint32_t vector)
{
    return apic_read(APIC_IRR + vector / 32 * 16) >> vector % 32 & 1;
}

static void ordered(struct trap_frame *f)
{
    if (order_count < 8)
        order[order_count++] = (uint32_t)f->vector;
    irq_counted(f);
}

static void self_ipi(const char *name)
{
    uint32_t before = irq_count[VECTOR_A];
    interrupts_on();
    apic_icr(0, ICR_SELF | ICR_FIXED | VECTOR_A);
    __asm__ volatile("nop");
    interrupts_off();
    check_eq(name, irq_count[VECTOR_A] - before, 1);
}

static void held_by_if(void)
{
    uint32_t before = irq_count[VECTOR_A];
    apic_icr(0, ICR_SELF | ICR_FIXED | VECTOR_A);
    check_eq("interrupts.held_while_if_clear", irq_count[VECTOR_A], before);
    check_eq("interrupts.irr_shows_it", irr_has(VECTOR_A), 1);
    __asm__ volatile("sti; nop; nop; cli");
    check_eq("interrupts.delivered_after_sti", irq_count[VECTOR_A] - before, 1);
}

static void sti_shadow(void)
{
    uint32_t before = irq_count[VECTOR_A], inside;
    apic_icr(0, ICR_SELF | ICR_FIXED | VECTOR_A);
    __asm__ volatile("sti; movl %1, %0; nop; cli"
                     : "=&r"(inside)
                     : "m"(irq_count[VECTOR_A])
                     : "memory");
    check_eq("interrupts.sti_shadow_covers_next", inside - before, 0);
    check_eq("interrupts.taken_after_shadow", irq_count[VECTOR_A] - before, 1);
}

static void priority(void)
{
    trap_set(VECTOR_A, ordered);
    trap_set(VECTOR_B, ordered);
    order_count = 0;
    apic_icr(0, ICR_SELF | ICR_FIXED | VECTOR_A);
    apic_icr(0, ICR_SELF | ICR_FIXED | VECTOR_B);
    __asm__ volatile("sti; nop; nop; nop; cli");
    check_eq("interrupts.priority_count", order_count, 2);
    check_eq("interrupts.higher_vector_first", order[0], VECTOR_B);
    check_eq("interrupts.lower_vector_second", order[1], VECTOR_A);
    trap_set(VECTOR_A, irq_counted);
    trap_set(VECTOR_B, irq_counted);
}

static void task_priority(void)
{
    uint32_t a = irq_count[VECTOR_A], b = irq_count[VECTOR_B];
    write_cr8(VECTOR_A >> 4);
    apic_icr(0, ICR_SELF | ICR_FIXED | VECTOR_A);
    apic_icr(0, ICR_SELF | ICR_FIXED | VECTOR_B);
    interrupts_on();
    __asm__ volatile("nop");
    check_eq("interrupts.tpr_blocks_class", irq_count[VECTOR_A] - a, 0);
    check_eq("interrupts.tpr_lets_higher_pass", irq_count[VECTOR_B] - b, 1);
    write_cr8(0);
    __asm__ volatile("nop");
    interrupts_off();
    check_eq("interrupts.delivered_when_tpr_drops", irq_count[VECTOR_A] - a, 1);
}

static void out_of_hlt(void)
{
    uint32_t before = irq_count[VECTOR_A];
    apic_icr(0, ICR_SELF | ICR_FIXED | VECTOR_A);
    wait_for_interrupt();
    check_eq("interrupts.pending_ends_hlt", irq_count[VECTOR_A] - before, 1);
}

static volatile uint32_t early;

static void at_hlt(struct trap_frame *f)
{
    if (*(const volatile uint8_t *)f->rip == 0xf4) { /* it would sleep for ever */
        early++;
        f->rip++;
    }
    irq_counted(f);
}

/* STI's shadow must hold even when the machine below is interrupted inside it: a timer keeps it
 * busy, faster than it is let, whose interrupts the TPR holds back. */
static void shadow_under_load(const char *name, uint32_t rounds)
{
    trap_set(VECTOR_A, at_hlt);
    write_cr8(VECTOR_LOW >> 4);
    apic_write(APIC_TIMER_DIV, 0xb);
    apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR_LOW);
    apic_write(APIC_TIMER_INIT, 10000);
    for (uint32_t i = 0; i < rounds; i++) {
        apic_icr(0, ICR_SELF | ICR_FIXED | VECTOR_A);
        wait_for_interrupt();
    }
    /* Where the rounds went faster than the clock of a busy machine. */
    for (uint32_t wait = 0; wait < 10000000 && !irr_has(VECTOR_LOW); wait++)
        pause_cpu();
    apic_write(APIC_TIMER_INIT, 0);
    apic_write(APIC_LVT_TIMER, LVT_MASKED);
    trap_set(VECTOR_A, irq_counted);
    check_eq(name, early, 0);
    uint32_t before = irq_count[VECTOR_LOW];
    write_cr8(0);
    interrupts_on();
    __asm__ volatile("nop; nop");
    interrupts_off();
    check_eq("interrupts.held_timer_comes_once", irq_count[VECTOR_LOW] - before, 1);
}

/* A masked timer that runs as fast as it can costs nobody anything. */
static void masked_timer(uint32_t rounds)
{
    uint32_t before = irq_count[VECTOR_LOW];
    apic_write(APIC_LVT_TIMER, LVT_PERIODIC | LVT_MASKED | VECTOR_LOW);
    apic_write(APIC_TIMER_INIT, 100);
    for (uint32_t i = 0; i < rounds; i++) {
        apic_icr(0, ICR_SELF | ICR_FIXED | VECTOR_A);
        wait_for_interrupt();
    }
    apic_write(APIC_TIMER_INIT, 0);
    check_eq("interrupts.masked_timer_is_silent", irq_count[VECTOR_LOW] - before, 0);
}

static volatile uint32_t nested_depth, nested_max;

static void nested(struct trap_frame *f)
{
    nested_depth++;
    nested_max = nested_depth > nested_max ? nested_depth : nested_max;
    if (f->vector == VECTOR_A) {
        apic_icr(0, ICR_SELF | ICR_FIXED | VECTOR_B);
        interrupts_on();
        __asm__ volatile("nop; nop");
        interrupts_off();
    }
    nested_depth--;
    apic_eoi();
}

static void nesting(void)
{
    trap_set(VECTOR_A, nested);
    trap_set(VECTOR_B, nested);
    interrupts_on();
    apic_icr(0, ICR_SELF | ICR_FIXED | VECTOR_A);
    __asm__ volatile("nop");
    interrupts_off();
    check_eq("interrupts.higher_nests", nested_max, 2);
    trap_set(VECTOR_A, irq_counted);
    trap_set(VECTOR_B, irq_counted);
    for (uint32_t i = 0; i < 8; i++)
        if (apic_read(APIC_ISR + i * 16)) {
            check("interrupts.isr_empty_after_eoi", false);
            return;
        }
    check("interrupts.isr_empty_after_eoi", true);
}

/* The PIT's output as an ISA interrupt: channel 0 by GSI of IRQ 0. */
static void io_apic_edge(void)
{
    uint32_t before = irq_count[0x61];
    trap_set(0x61, irq_counted);
    ioapic_route(acpi.isa_gsi[0], 0x61, acpi.isa_flags[0]);
    outb(0x43, 0x34);
    outb(0x40, 0xff);
    outb(0x40, 0x04);
    check("interrupts.io_apic_edge", irq_wait(0x61, before + 3, 2000000));
    ioapic_mask(acpi.isa_gsi[0]);
    uint32_t masked = irq_count[0x61];
    (void)irq_wait(0xff, 1, 5000);
    check("interrupts.io_apic_mask", irq_count[0x61] - masked <= 1);
}

/* The UART's transmit interrupt, level-triggered on purpose: EOI must reach the I/O APIC. */
static void io_apic_level(void)
{
    trap_set(0x62, irq_counted);
    ioapic_route(acpi.isa_gsi[4], 0x62, 0x0c);
    outb(0x3f8 + 4, 0x0b);
    outb(0x3f8 + 1, 2);
    bool again = irq_wait(0x62, 3, 100000);
    outb(0x3f8 + 1, 0);
    ioapic_mask(acpi.isa_gsi[4]);
    (void)inb(0x3f8 + 2);
    say("info level interrupts %u, again %u\n", irq_count[0x62], again);
    check("interrupts.io_apic_level_delivered", irq_count[0x62] >= 1);
    uint32_t stop = irq_count[0x62];
    (void)irq_wait(0xff, 1, 2000);
    check("interrupts.io_apic_level_stops", irq_count[0x62] - stop <= 1);
}

static volatile uint32_t pic_irqs;

static void pic_timer(struct trap_frame *f)
{
    (void)f;
    pic_irqs++;
    outb(0x20, 0x20);
}

static void pic(void)
{
    trap_set(0x20, pic_timer);
    pic_init(0xfe, 0xff);
    apic_write(APIC_LVT_LINT0, 0x700);
    outb(0x43, 0x34);
    outb(0x40, 0xff);
    outb(0x40, 0x04);
    for (uint32_t i = 0; i < 2000 && pic_irqs < 3; i++)
        (void)irq_wait(0xff, 1, 1000);
    check("interrupts.pic_extint", pic_irqs >= 3);
    outb(0x21, 0xff);
    uint32_t masked = pic_irqs;
    (void)irq_wait(0xff, 1, 5000);
    check("interrupts.pic_mask", pic_irqs - masked <= 1);
    apic_write(APIC_LVT_LINT0, LVT_MASKED);
    outb(0x20, 0x0a);
    check_eq("interrupts.pic_irr_readable", inb(0x20) & 0xfe, 0);
    outb(0x43, 0x38); /* one-shot, never loaded: silent */
}

static void software_int(void)
{
    uint32_t before = irq_count[0x70];
    trap_set(0x70, irq_counted);
    __asm__ volatile("int $0x70");
    check_eq("interrupts.software_int", irq_count[0x70] - before, 1);
    check_eq("interrupts.int3", (uint64_t)TRY("int3", : : "memory"), BP);
}

void guest_main(void)
{
    trap_set(VECTOR_A, irq_counted);
    trap_set(VECTOR_B, irq_counted);
    trap_set(VECTOR_LOW, irq_counted);
    trap_set(0xff, irq_counted);
    pic_init(0xff, 0xff);
    apic_init(false);
    self_ipi("interrupts.self_ipi_xapic");
    held_by_if();
    sti_shadow();
    priority();
    task_priority();
    out_of_hlt();
    shadow_under_load("interrupts.sti_shadow_holds_under_load", 500);
    masked_timer(500);
    nesting();
    io_apic_edge();
    io_apic_level();
    pic();
    software_int();
    if (apic_has_x2()) {
        apic_init(true);
        self_ipi("interrupts.self_ipi_again");
        shadow_under_load("interrupts.sti_shadow_holds_under_load_x2apic", 20000);
        uint32_t before = irq_count[VECTOR_A];
        interrupts_on();
        wrmsr(0x83f, VECTOR_A);
        __asm__ volatile("nop");
        interrupts_off();
        check_eq("interrupts.x2apic_self_ipi_register", irq_count[VECTOR_A] - before, 1);
    }
}
