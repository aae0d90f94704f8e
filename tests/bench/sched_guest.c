/* SPDX-License-Identifier: BSD-2-Clause */
/* What the scheduler costs a guest, in ticks of the TSC, which are instructions under -icount. Each
 * line is "bench NAME VALUE". Beside a guest that yields all the time, "switch" is what it costs to
 * give the CPU to that one and get it back, for each of the two ways. */
#include "../guest/lib/guest.h"

#define VECTOR         0x51u
#define TIMES          200u
#define BATCHES        8u
#define HC_SCHED_YIELD 11u
#define SPINS          100u
#define SPIN_LOOPS     5000000ul /* two instructions each */

static bool intel;

static void yield(void)
{
    uint64_t rax = HC_SCHED_YIELD;
    if (intel)
        __asm__ volatile("vmcall" : "+a"(rax) : "b"(0xffull) : "memory");
    else
        __asm__ volatile("vmmcall" : "+a"(rax) : "b"(0xffull) : "memory");
}

static uint64_t cheapest(uint64_t (*work)(void))
{
    uint64_t best = ~0ull;
    for (uint32_t i = 0; i < BATCHES; i++) {
        uint64_t sum = 0;
        for (uint32_t n = 0; n < TIMES; n++)
            sum += work();
        best = sum / TIMES < best ? sum / TIMES : best;
    }
    return best;
}

static uint64_t one_yield(void)
{
    uint64_t start = rdtsc();
    yield();
    return rdtsc() - start;
}

static volatile uint64_t taken_at;

static void note_time(struct trap_frame *f)
{
    (void)f;
    taken_at = rdtsc();
    irq_count[VECTOR]++;
    apic_eoi();
}

/* From the deadline to the first instruction of the handler, out of HLT. */
static uint64_t wake_after(uint64_t sleep)
{
    uint64_t deadline = rdtsc() + sleep;
    uint32_t before = irq_count[VECTOR];
    wrmsr(MSR_TSC_DEADLINE, deadline);
    while (irq_count[VECTOR] == before)
        wait_for_interrupt();
    return taken_at - deadline;
}

/* Within the time for which KVM polls, and beyond it. */
static uint64_t wake_soon(void)
{
    return wake_after(50000);
}

static uint64_t wake_late(void)
{
    return wake_after(2000000);
}

/* What is lost of the CPU (once the host has printed all that it had to say at boot) in ten million
 * instructions, while nobody else wants anything. */
static uint64_t spin(void)
{
    uint64_t start = rdtsc();
    for (uint64_t n = SPIN_LOOPS; n; n--)
        __asm__ volatile("" : "+r"(n));
    uint64_t took = rdtsc() - start;
    return took > 2 * SPIN_LOOPS + 16 ? took - 2 * SPIN_LOOPS : 0;
}

static void tick(void)
{
    uint64_t least = ~0ull;
    for (uint32_t i = 0; i < SPINS && least; i++) {
        uint64_t lost = spin();
        least = lost < least ? lost : least;
    }
    say("bench tick %lu\n", least);
}

void guest_main(void)
{
    pic_init(0xff, 0xff);
    trap_set(VECTOR, note_time);
    apic_init(apic_has_x2());
    intel = cpuid(0, 0).ebx == 0x756e6547; /* "Genu" */
    /* First: beside another guest the rest takes long, and is in vain. */
    if (cpuid(1, 0).ecx >> 31 & 1)
        say("bench switch %lu\n", cheapest(one_yield) / 2);
    if (cpuid(1, 0).ecx >> 24 & 1) {
        apic_write(APIC_LVT_TIMER, LVT_DEADLINE | VECTOR);
        say("bench timer_soon %lu\n", cheapest(wake_soon));
        say("bench timer_late %lu\n", cheapest(wake_late));
    }
    tick();
    check("sched_guest.measured", true);
}
