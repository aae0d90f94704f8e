/* SPDX-License-Identifier: BSD-2-Clause */
/* The scheduler on fake CPUs with a fake clock: every context spins whenever it may, time goes in
 * ticks, and each tick is booked to what the CPUs run. */
#include "tests/unit/fake/memory.h"
#include "sched/balance.c"
#include "sched/heap.c"
#include "sched/runq.c"
#include "sched/trace.c"
#include "sched/timer.c"
#include "sched/vtime.c"

#define CONTEXTS 12u
#define TICK     10000u /* 10 us of the fake clock */
#define MS       1000000ull

static struct sc sc[CONTEXTS];
static bool wants[CONTEXTS];   /* the model: its thread can run */
static uint64_t ran[CONTEXTS]; /* booked, since the last count() */
static const char *wrong;

void shootdown_poll(void)
{
}
void cpu_reschedule(struct cpu *cpu)
{
    cpu->resched = 1;
}

static void start(void)
{
    fake_machine_init();
    for (uint32_t i = 0; i < FAKE_CPUS; i++) {
        runq_init(cpus[i]);
        timerq_init(cpus[i]);
    }
    memset(ran, 0, sizeof(ran));
    memset(wants, 0, sizeof(wants));
    wrong = NULL;
}

static void stop(void)
{
    for (uint32_t i = 0; i < FAKE_CPUS; i++) {
        kmem_free_pages(cpus[i]->runq, 0);
        kmem_free_pages(cpus[i]->timerq, 0);
    }
}

static void look(uint32_t cpu, bool yield)
{
    fake_cpu = cpu;
    cpus[cpu]->resched = 0;
    sched_pick(yield);
}

/* What the kernel does at its exit. */
static void settle(void)
{
    for (uint32_t i = 0; i < FAKE_CPUS; i++)
        if (cpus[i]->resched) {
            look(i, false);
            i = UINT32_MAX;
        }
}

static void set_ready(uint32_t i, uint32_t from_cpu)
{
    fake_cpu = from_cpu;
    wants[i] = true;
    sched_ready(&sc[i]);
}

static void set_unready(uint32_t i, uint32_t from_cpu)
{
    fake_cpu = from_cpu;
    wants[i] = false;
    sched_unready(&sc[i]);
    cpus[from_cpu]->resched = 1;
    if (sc[i].running)
        cpus[sc[i].running - 1]->resched = 1; /* as thread_kill() does */
}

static void check(void)
{
    for (uint32_t i = 0; i < CONTEXTS; i++) {
        if (!sc[i].is.priority)
            continue;
        uint32_t on = 0;
        for (uint32_t c = 0; c < FAKE_CPUS; c++)
            on += cpus[c]->runq->current == &sc[i];
        if (on > 1)
            wrong = "two CPUs run one context";
        if (on && !wants[i])
            wrong = "a context runs that does not want to";
        if (!on && wants[i] && !sc[i].exhausted && !sc[i].queued)
            wrong = "a ready context is lost";
        const struct sc *instead = cpus[sc[i].cpu]->runq->current;
        if (!on && sc[i].queued && (!instead || instead->is.priority < sc[i].is.priority))
            wrong = "a lower priority or nothing runs instead";
        if (!on && wants[i] && sc[i].exhausted && !sc[i].replenish.cpu)
            wrong = "an exhausted context has no replenishment to wait for";
    }
}

static void tick(uint64_t count)
{
    while (count--) {
        for (uint32_t c = 0; c < FAKE_CPUS; c++) {
            struct sc *current = cpus[c]->runq->current;
            if (current)
                ran[current - sc] += TICK;
        }
        fake_tsc += TICK;
        for (uint32_t c = 0; c < FAKE_CPUS; c++)
            if (fake_deadline[c] <= fake_tsc) {
                fake_deadline[c] = UINT64_MAX;
                fake_cpu = c;
                timer_interrupt();
            }
        settle();
        check();
    }
}

static void change(uint32_t i, uint32_t cpu, uint32_t priority, uint64_t budget, uint64_t period)
{
    struct sc_config config = sc_fixed(cpu, priority, budget, period);
    uint32_t promised;
    CHECK(sc_configure(&sc[i], &config, &promised));
}

static void make(uint32_t i, uint32_t cpu, uint32_t priority, uint64_t budget, uint64_t period)
{
    fake_cpu = 0;
    struct sc_config config = sc_fixed(cpu, priority, budget, period);
    sc_init(&sc[i], &config);
    set_ready(i, 0);
    settle();
}

static void end_all(void)
{
    for (uint32_t i = 0; i < CONTEXTS; i++)
        if (sc[i].is.priority) {
            set_unready(i, 0);
            settle();
            sc_fini(&sc[i]);
            sc[i].is.priority = 0;
        }
    stop();
}

static bool near(uint64_t value, uint64_t want, uint64_t tolerance)
{
    bool is = value + tolerance >= want && value <= want + tolerance;
    if (!is)
        printf("%llu, expected %llu\n", (unsigned long long)value, (unsigned long long)want);
    return is;
}

TEST(the_highest_priority_runs)
{
    start();
    make(0, 0, 10, 0, 0);
    make(1, 0, 20, 0, 0);
    make(2, 1, 5, 0, 0);
    tick(1000);
    CHECK_EQ(ran[0], 0);
    CHECK_EQ(ran[1], 1000 * TICK);
    CHECK_EQ(ran[2], 1000 * TICK);
    set_unready(1, 3);
    settle();
    tick(10);
    CHECK_EQ(ran[0], 10 * TICK);
    CHECK(!wrong);
    end_all();
}

TEST(equals_take_turns)
{
    start();
    for (uint32_t i = 0; i < 3; i++)
        make(i, 2, 10, 0, 0);
    tick(30000); /* 300 ms */
    for (uint32_t i = 0; i < 3; i++)
        CHECK(near(ran[i], 100 * MS, 6 * MS));
    CHECK(!wrong);
    end_all();
}

TEST(equals_take_turns_under_interruptions)
{
    start();
    make(0, 0, 10, 0, 0);
    make(1, 0, 10, 0, 0);
    make(2, 0, 30, 0, 0);
    for (uint32_t i = 0; i < 300; i++) { /* awake for 0.1 ms of each ms */
        tick(10);
        set_unready(2, 0);
        settle();
        tick(90);
        set_ready(2, 1);
        settle();
    }
    CHECK(near(ran[0], 135 * MS, 10 * MS));
    CHECK(near(ran[1], 135 * MS, 10 * MS));
    CHECK(!wrong);
    end_all();
}

TEST(yield_goes_behind_equals)
{
    start();
    make(0, 0, 10, 0, 0);
    make(1, 0, 10, 0, 0);
    CHECK(cpus[0]->runq->current == &sc[0]);
    look(0, true);
    CHECK(cpus[0]->runq->current == &sc[1]);
    look(0, false);
    CHECK(cpus[0]->runq->current == &sc[1]);
    look(0, true);
    CHECK(cpus[0]->runq->current == &sc[0]);
    end_all();
}

TEST(a_budget_holds_in_each_period)
{
    start();
    make(0, 0, 20, 2 * MS, 10 * MS);
    make(1, 0, 10, 0, 0);
    uint64_t before = 0;
    for (uint32_t period = 0; period < 50; period++) {
        tick(1000);
        /* At most one budget, and what the timer's tick adds. */
        CHECK(ran[0] - before <= 2 * MS + 2 * TICK);
        before = ran[0];
    }
    CHECK(near(ran[0], 100 * MS, 3 * MS));
    CHECK(near(ran[0] + ran[1], 500 * MS, 0));
    CHECK(!wrong);
    end_all();
}

/* Any window as long as the period sees two budgets at most, however it sleeps and wakes. */
TEST(a_budget_holds_for_sleepers)
{
    static uint64_t history[40000];
    fake_seed = 7;
    start();
    make(0, 0, 20, 3 * MS, 10 * MS);
    for (uint32_t t = 0; t < ARRAY_LEN(history); t++) {
        if (fake_random(40) == 0) {
            if (wants[0])
                set_unready(0, (uint32_t)fake_random(FAKE_CPUS));
            else
                set_ready(0, (uint32_t)fake_random(FAKE_CPUS));
            settle();
        }
        tick(1);
        history[t] = ran[0];
        if (t >= 1000)
            CHECK(history[t] - history[t - 1000] <= 6 * MS + 2 * TICK);
    }
    CHECK(ran[0] > 60 * MS);
    CHECK(!wrong);
    end_all();
}

TEST(an_exhausted_context_that_sleeps_comes_back)
{
    start();
    make(0, 0, 20, 1 * MS, 10 * MS);
    tick(150);
    CHECK(sc[0].exhausted);
    set_unready(0, 0);
    settle();
    set_ready(0, 0);
    settle();
    CHECK(!cpus[0]->runq->current);
    tick(1100); /* a period counts from the end of the first piece of it */
    CHECK(near(ran[0], 2 * MS, 2 * TICK));
    CHECK(!wrong);
    end_all();
}

TEST(configuration_takes_effect_while_it_runs)
{
    start();
    make(0, 0, 10, 0, 0);
    make(1, 0, 5, 0, 0);
    fake_cpu = 1;
    change(0, 3, 10, 1 * MS, 4 * MS); /* CPU 0 has not looked yet */
    change(0, 2, 10, 1 * MS, 4 * MS);
    look(2, false);
    look(3, false);
    check();
    CHECK(!wrong);
    settle();
    CHECK(cpus[2]->runq->current == &sc[0] && cpus[0]->runq->current == &sc[1]);
    tick(4000);
    CHECK(near(ran[0], 10 * MS, MS));
    CHECK(!wrong);
    end_all();
}

TEST(random_life)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        fake_seed = seed * 77;
        start();
        for (uint32_t i = 0; i < CONTEXTS; i++)
            make(i, (uint32_t)fake_random(FAKE_CPUS), 1 + (uint32_t)fake_random(4),
                 fake_random(2) * (200 + fake_random(500)) * 1000, MS);
        for (uint32_t step = 0; step < 3000; step++) {
            uint32_t i = (uint32_t)fake_random(CONTEXTS), cpu = (uint32_t)fake_random(FAKE_CPUS);
            switch (fake_random(6)) {
            case 0:
                set_ready(i, cpu);
                break;
            case 1:
                set_unready(i, cpu);
                break;
            case 2:
                fake_cpu = cpu;
                change(i, (uint32_t)fake_random(FAKE_CPUS), 1 + (uint32_t)fake_random(4),
                       fake_random(2) * (200 + fake_random(500)) * 1000, MS);
                break;
            case 3:
                look(cpu, fake_random(2));
                break;
            default:
                settle();
                tick(1 + fake_random(20));
            }
        }
        settle();
        check();
        if (wrong)
            printf("seed %llu: %s\n", (unsigned long long)seed, wrong);
        CHECK(!wrong);
        end_all();
    }
}

/* A context alone on its CPU is charged when it is looked at, not only when it stops. */
TEST(account_of_what_runs_and_waits)
{
    struct sc_info info = {0};
    start();
    struct sc_config config = sc_fixed(0, 10, 0, 0);
    sc_init(&sc[0], &config);
    sc_init(&sc[1], &config);
    fake_cpu = 0;
    sched_ready(&sc[0]);
    look(0, false);
    uint64_t begin = fake_tsc;
    fake_tsc += 700;
    sched_ready(&sc[1]);
    fake_tsc += 300;
    sc_account(&sc[0], &info);
    CHECK_EQ(info.used_tsc, fake_tsc - begin);
    CHECK_EQ(info.wait_tsc, 0);
    sc_account(&sc[1], &info);
    CHECK_EQ(info.used_tsc, 0);
    CHECK_EQ(info.wait_tsc, 300);
    sched_unready(&sc[0]);
    sched_unready(&sc[1]);
    uint64_t used = sc[0].used;
    fake_tsc += 5000;
    sc_account(&sc[0], &info);
    CHECK_EQ(info.used_tsc, used);
    stop();
}
