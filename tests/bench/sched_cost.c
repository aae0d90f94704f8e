/* SPDX-License-Identifier: BSD-2-Clause */
/* What a decision of the scheduler costs, by how many contexts a CPU has: sched/ as it is in the
 * kernel, alone on a machine that counts instructions. Run bare. (The guests' guest.h has the same
 * names as the kernel's headers, so what is used of it is declared here.) */
#include "sched/balance.c"
#include "sched/heap.c"
#include "sched/runq.c"
#include "sched/timer.c"
#include "sched/trace.c"
#include "sched/vtime.c"

#include "arch/x86_64/kmem.h"

#define MOST  10000u
#define TIMES 2000u

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void check(const char *name, bool good);
void guest_main(void);

static struct cpu the_cpu;
static struct cpu *the_cpus[] = {&the_cpu};
struct cpu **cpus = the_cpus;
uint32_t cpu_count = 1;
static struct sc contexts[MOST];
static struct runq the_runq;
static struct timerq the_timerq;
static uint8_t stack[KSTACK_SIZE] __attribute__((aligned(KSTACK_SIZE)));

void shootdown_poll(void)
{
}
void cpu_reschedule(struct cpu *cpu)
{
    cpu->resched = 1;
}
void apic_timer_set(uint64_t tsc)
{
    (void)tsc;
}
uint64_t tsc_from_us(uint64_t us)
{
    return us * 1000;
}
/* Only runq_init() and timerq_init() ask for a page. */
void *kmem_pages(uint32_t order)
{
    static bool second;
    void *page = second ? (void *)&the_timerq : (void *)&the_runq;
    second = !second;
    return order ? NULL : page;
}

static uint32_t random_below(uint32_t below)
{
    static uint32_t x = 0x12345678;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x % below;
}

static void begin(uint32_t count)
{
    static const uint32_t weights[] = {256, 512, 1024, 1024, 2048, 4096};
    for (uint32_t i = 0; i < count; i++) {
        struct sc_config config = {
            .class = SC_SHARED, .weight = weights[random_below(6)], .affinity = {{[0] = 1}}};
        sc_init(&contexts[i], &config);
        sched_ready(&contexts[i]);
    }
    for (uint32_t i = 0; i < 2 * count; i++)
        (void)sched_pick(true);
}

static void end(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sched_unready(&contexts[i]);
    (void)sched_pick(false);
}

/* The current one gives way to the next. */
static uint64_t pick(void)
{
    uint64_t start = rdtsc();
    for (uint32_t i = 0; i < TIMES; i++)
        (void)sched_pick(true);
    return (rdtsc() - start) / TIMES;
}

/* One that sleeps is woken; what runs goes on. */
static uint64_t wake(uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < TIMES; i++) {
        struct sc *sc = &contexts[random_below(count)];
        if (sc == sched_current()) {
            sched_unready(sc);
            (void)sched_pick(false);
        } else {
            sched_unready(sc);
        }
        uint64_t start = rdtsc();
        sched_ready(sc);
        sum += rdtsc() - start;
        (void)sched_pick(false);
    }
    return sum / TIMES;
}

__attribute__((used)) static void measure(void)
{
    bool ready = runq_init(&the_cpu) && timerq_init(&the_cpu);
    for (uint32_t count = 1; ready && count <= MOST; count *= 10) {
        begin(count);
        uint64_t picks = pick(), wakes = wake(count);
        say("bench sched_pick_%u %lu\n", count, picks);
        say("bench sched_wake_%u %lu\n", count, wakes);
        end(count);
    }
    check("sched_cost.measured", ready);
}

/* On a stack of the kernel's kind, from which cpu_self() finds the CPU. */
void guest_main(void)
{
    *(struct cpu **)(void *)&stack[KSTACK_SIZE - 8] = &the_cpu;
    __asm__ volatile("mov %%rsp, %%rbx\n\t"
                     "mov %0, %%rsp\n\t"
                     "call measure\n\t"
                     "mov %%rbx, %%rsp"
                     :
                     : "r"(&stack[KSTACK_SIZE - 32])
                     : "rbx", "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory",
                       "cc");
}
