/* SPDX-License-Identifier: BSD-2-Clause */
/* From what wakes a halted vCPU to its first instruction, in ticks of the TSC, which are
 * instructions under -icount: a device's interrupt, an IPI. Two vCPUs on one host CPU: one does
 * something for which the other is interrupted, and halts; before, it sleeps for longer than
 * anybody polls. Each line is "bench NAME VALUE", the cheapest of BATCHES averages. */
#include "../guest/lib/guest.h"

#define VECTOR   0x51u /* own timer */
#define DEVICE   0x52u
#define IPI      0x53u
#define ANSWER   0x54u
#define TIMES    20u
#define BATCHES  5u
#define SLEEP    2000000u
#define COM1_IER 0x3f9u
#define COM1_IIR 0x3fau
#define COM1_MCR 0x3fcu
#define OUT2     8u /* on a PC, it connects the interrupt */
#define THRI     2u /* the transmitter is empty: it interrupts as soon as it may */
#define ISA_COM1 4u

static volatile uint64_t taken_at;
static volatile uint32_t peer_up;

static void answer(void)
{
    apic_eoi();
    apic_icr(acpi.apic_id[0], ICR_FIXED | ANSWER);
}

static void device_came(struct trap_frame *f)
{
    (void)f;
    taken_at = rdtsc();
    (void)inb(COM1_IIR);
    outb(COM1_IER, 0);
    answer();
}

static void ipi_came(struct trap_frame *f)
{
    (void)f;
    taken_at = rdtsc();
    answer();
}

static void peer(uint32_t cpu)
{
    (void)cpu;
    ioapic_route(acpi.isa_gsi[ISA_COM1], DEVICE, acpi.isa_flags[ISA_COM1]);
    outb(COM1_MCR, inb(COM1_MCR) | OUT2);
    peer_up = 1;
    for (;;)
        wait_for_interrupt();
}

/* The other vCPU has run and halted meanwhile. */
static void sleep_a_while(void)
{
    uint32_t before = irq_count[VECTOR];
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + SLEEP);
    while (irq_count[VECTOR] == before)
        wait_for_interrupt();
}

static uint64_t wake(void (*work)(void))
{
    sleep_a_while();
    uint32_t before = irq_count[ANSWER];
    uint64_t start = rdtsc();
    work();
    while (irq_count[ANSWER] == before)
        wait_for_interrupt();
    return taken_at - start;
}

static void bench(const char *name, void (*work)(void))
{
    uint64_t best = ~0ull;
    for (uint32_t i = 0; i < BATCHES; i++) {
        uint64_t sum = 0;
        for (uint32_t n = 0; n < TIMES; n++)
            sum += wake(work);
        best = sum / TIMES < best ? sum / TIMES : best;
    }
    say("bench %s %lu\n", name, best);
}

static void by_device(void)
{
    outb(COM1_IER, THRI);
}

static void by_ipi(void)
{
    apic_icr(smp_apic_id(1), ICR_FIXED | IPI);
}

void guest_main(void)
{
    pic_init(0xff, 0xff);
    trap_set(VECTOR, irq_counted);
    trap_set(ANSWER, irq_counted);
    trap_set(DEVICE, device_came);
    trap_set(IPI, ipi_came);
    apic_init(apic_has_x2());
    apic_write(APIC_LVT_TIMER, LVT_DEADLINE | VECTOR);
    interrupts_on();
    bool two = acpi.cpus >= 2 && smp_start() != 0;
    if (two) {
        smp_run(1, peer);
        while (!peer_up)
            pause_cpu();
        bench("device_wake", by_device);
        bench("ipi_wake", by_ipi);
    }
    check("sched_wake.measured", two);
}
