/* SPDX-License-Identifier: BSD-2-Clause */
/* NMI: delivered with IF clear, blocked until IRET, one held pending, ends HLT. */
#include "lib/guest.h"

static volatile uint32_t nmis, depth, max_depth, in_handler_sends;

static void on_nmi(struct trap_frame *f)
{
    (void)f;
    nmis++;
    depth++;
    max_depth = depth > max_depth ? depth : max_depth;
    while (in_handler_sends) {
        in_handler_sends--;
        apic_icr(apic_id(), ICR_NMI | 0x4000);
        (void)cpuid(0, 0);
    }
    depth--;
}

static void send_and_wait(void)
{
    uint32_t before = nmis;
    apic_icr(apic_id(), ICR_NMI | 0x4000);
    for (uint32_t i = 0; i < 1000 && nmis == before; i++)
        delay_us(10);
}

/* Waits as a program that never leaves the CPU by itself: nothing here is intercepted. */
static uint32_t rounds_with_two(uint32_t rounds)
{
    uint32_t good = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        nmis = 0;
        in_handler_sends = 10;
        apic_icr(apic_id(), ICR_NMI | 0x4000);
        for (uint32_t i = 0; i < 10000 && nmis < 2; i++)
            __asm__ volatile("" : : : "memory");
        good += nmis == 2;
    }
    return good;
}

static void all(bool x2)
{
    apic_init(x2);
    nmis = 0;
    send_and_wait();
    check_eq("nmi.delivered_with_if_clear", nmis, 1);
    nmis = 0;
    in_handler_sends = 1;
    send_and_wait();
    delay_us(100);
    check_eq("nmi.one_held_while_blocked", nmis, 2);
    check_eq("nmi.not_nested", max_depth, 1);
    check_eq("nmi.held_one_comes_right_after_iret", rounds_with_two(100), 100);
    nmis = 0;
    for (uint32_t i = 0; i < 50; i++)
        send_and_wait();
    check_eq("nmi.each_of_fifty", nmis, 50);
}

/* An LVT timer whose delivery mode is NMI wakes a CPU that halts with interrupts off. */
static void out_of_hlt(void)
{
    nmis = 0;
    apic_init(false);
    apic_write(APIC_TIMER_DIV, 0xb);
    apic_write(APIC_LVT_TIMER, 0x30);
    trap_set(0x30, irq_counted);
    apic_icr(apic_id(), ICR_NMI | 0x4000);
    delay_us(100);
    check_eq("nmi.after_idle", nmis, 1);
    uint64_t frame_rsp;
    __asm__ volatile("movq %%rsp, %0" : "=r"(frame_rsp));
    check_eq("nmi.stack_balanced", frame_rsp & 7, 0);
}

/* INT 2 by software is an ordinary interrupt: it must not block NMIs for good. */
static void software(void)
{
    nmis = 0;
    __asm__ volatile("int $2");
    check_eq("nmi.int2_calls_handler", nmis, 1);
    send_and_wait();
    check_eq("nmi.still_open_after_int2", nmis, 2);
}

/* On its own stack (IST), as kernels take it. */
static void own_stack(void)
{
    static uint8_t stack[4096] __attribute__((aligned(16)));
    uint64_t top = (uint64_t)(stack + sizeof stack);
    boot_tss.ist[0] = (uint32_t)top;
    boot_tss.ist[1] = (uint32_t)(top >> 32);
    trap_gate(NMI, 0, 1);
    nmis = 0;
    send_and_wait();
    check_eq("nmi.through_ist", nmis, 1);
    check("nmi.ist_stack_used", *(uint64_t *)(top - 8) == SEL_DATA);
    trap_gate(NMI, 0, 0);
}

void guest_main(void)
{
    pic_init(0xff, 0xff);
    trap_set(NMI, on_nmi);
    all(false);
    out_of_hlt();
    software();
    own_stack();
    if (apic_has_x2())
        all(true);
}
