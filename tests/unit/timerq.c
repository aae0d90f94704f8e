/* SPDX-License-Identifier: BSD-2-Clause */
/* The timers' pairing heaps against a plain array. */
#include "tests/unit/fake/memory.h"
#include "sched/heap.c"
#include "sched/timer.c"

void shootdown_poll(void)
{
}

#define TIMERS 64u
static struct timer timers[TIMERS];
static uint64_t due[TIMERS];     /* the model: UINT64_MAX: not armed */
static uint32_t home_of[TIMERS]; /* CPU it was armed on */
static uint64_t last_fired;
static uint32_t fired, wrong, rearm;

static void on_fire(struct timer *timer)
{
    uint32_t i = (uint32_t)(timer - timers);
    if (due[i] > fake_tsc || home_of[i] != fake_cpu || timer->cpu || due[i] < last_fired)
        wrong++;
    for (uint32_t j = 0; j < TIMERS; j++)
        if (home_of[j] == fake_cpu && due[j] < due[i])
            wrong++; /* not in order */
    last_fired = due[i];
    due[i] = UINT64_MAX;
    fired++;
    if (rearm && rearm--) {
        due[i] = fake_tsc + 1 + fake_random(50);
        timer_arm(timer, due[i]);
    }
}

static void start(void)
{
    fake_machine_init();
    for (uint32_t i = 0; i < FAKE_CPUS; i++)
        timerq_init(cpus[i]);
    for (uint32_t i = 0; i < TIMERS; i++) {
        timer_init(&timers[i], on_fire);
        due[i] = UINT64_MAX;
    }
    fired = wrong = rearm = 0;
    last_fired = 0;
}

static void stop(void)
{
    for (uint32_t i = 0; i < FAKE_CPUS; i++)
        kmem_free_pages(cpus[i]->timerq, 0);
}

static void arm(uint32_t i, uint32_t cpu, uint64_t deadline)
{
    fake_cpu = cpu;
    due[i] = deadline;
    home_of[i] = cpu;
    timer_arm(&timers[i], deadline);
}

/* Everything that is due on the CPU has fired, and the APIC is set for the earliest of the rest. */
static bool settled(uint32_t cpu)
{
    uint64_t earliest = UINT64_MAX;
    for (uint32_t i = 0; i < TIMERS; i++)
        if (home_of[i] == cpu)
            earliest = MIN(earliest, due[i]);
    return earliest > fake_tsc && fake_deadline[cpu] <= earliest;
}

TEST(fires_in_order_of_deadline)
{
    start();
    for (uint32_t i = 0; i < TIMERS; i++)
        arm(i, 0, fake_tsc + 1 + (i * 37) % 61);
    fake_tsc += 30;
    timer_interrupt();
    CHECK(settled(0));
    fake_tsc += 40;
    timer_interrupt();
    CHECK_EQ(fired, TIMERS);
    CHECK_EQ(wrong, 0);
    stop();
}

TEST(early_interrupt_programs_again)
{
    start();
    arm(0, 0, fake_tsc + 100);
    fake_deadline[0] = UINT64_MAX; /* it went off, by another clock's idea of time */
    fake_tsc += 99;
    timer_interrupt();
    CHECK_EQ(fired, 0);
    CHECK_EQ(fake_deadline[0], due[0]);
    fake_tsc++;
    timer_interrupt();
    CHECK_EQ(fired, 1);
    stop();
}

TEST(disarms_from_another_cpu)
{
    start();
    arm(0, 1, fake_tsc + 10);
    arm(1, 1, fake_tsc + 20);
    fake_cpu = 2;
    timer_disarm(&timers[0]);
    due[0] = UINT64_MAX;
    timer_disarm(&timers[0]); /* twice is harmless */
    fake_tsc += 30;
    fake_cpu = 1;
    timer_interrupt();
    CHECK_EQ(fired, 1);
    CHECK_EQ(wrong, 0);
    stop();
}

TEST(moves_when_armed_on_another_cpu)
{
    start();
    arm(0, 0, fake_tsc + 10);
    arm(0, 3, fake_tsc + 15);
    fake_tsc += 20;
    fake_cpu = 0;
    timer_interrupt();
    CHECK_EQ(fired, 0);
    fake_cpu = 3;
    timer_interrupt();
    CHECK_EQ(fired, 1);
    CHECK_EQ(wrong, 0);
    stop();
}

TEST(random_operations_like_an_array)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        fake_seed = seed;
        start();
        for (uint32_t step = 0; step < 5000; step++) {
            uint32_t i = (uint32_t)fake_random(TIMERS), cpu = (uint32_t)fake_random(FAKE_CPUS);
            uint64_t what = fake_random(10);
            if (what < 5) {
                arm(i, cpu, fake_tsc + fake_random(200));
            } else if (what < 7) {
                fake_cpu = cpu;
                timer_disarm(&timers[i]);
                due[i] = UINT64_MAX;
            } else {
                fake_tsc += fake_random(20);
                rearm = (uint32_t)fake_random(3);
                fake_cpu = cpu;
                last_fired = 0;
                timer_interrupt();
                CHECK(settled(cpu));
            }
            CHECK_EQ(wrong, 0);
            CHECK((timers[i].cpu != NULL) == (due[i] != UINT64_MAX));
        }
        stop();
    }
}
