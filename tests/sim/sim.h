/* SPDX-License-Identifier: BSD-2-Clause */
/* A deterministic machine around the unmodified scheduler: up to 1,024 CPUs, 10,000 contexts with
 * weights, caps, reservations, affinities, bursts and sleeps, CPUs that go offline and come back.
 * It keeps its own books (what each CPU executes, what each context got) and its own clock, which
 * jumps from event to event. What must hold is in tests/sim/check.h. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#define FAKE_CPUS 1024u
#include "tests/unit/fake/memory.h"
#include "arch/x86_64/spinlock.h"

/* Between two locks other CPUs do something. */
static uint32_t sim_locks_held;
static void (*sim_between)(void);
static inline void sim_lock(spinlock_t *lock)
{
    if (sim_between && !sim_locks_held)
        sim_between();
    sim_locks_held++;
    spin_lock(lock);
}
static inline void sim_unlock(spinlock_t *lock)
{
    sim_locks_held--;
    spin_unlock(lock);
}
#define spin_lock   sim_lock
#define spin_unlock sim_unlock
#include "sched/balance.c"
#include "sched/heap.c"
#include "sched/runq.c"
#include "sched/trace.c"
#include "sched/timer.c"
#include "sched/vtime.c"

#define SIM_CONTEXTS 10000u
#define US           1000ull /* of the fake clock */
#define MS           1000000ull
#define NEVER        UINT64_MAX

struct sim_context {
    struct sc sc;
    struct sc_config config; /* as last accepted */
    bool wants;              /* its thread can run */
    bool sleeps;             /* blocks after bursts */
    uint32_t on;             /* 1 + CPU that executes it; 0: none */
    uint32_t was_at;
    uint64_t burst_left;
    uint64_t ran;   /* booked since `since` */
    uint64_t since; /* it has these parameters */
    uint64_t wants_since;
    uint64_t moved_at; /* last time that it ran, woke or was changed */
};

struct sim_cpu {
    struct sim_context *runs;
    uint64_t booked;   /* up to here */
    uint64_t react_at; /* it was told to reschedule */
    uint64_t block_at; /* what runs blocks then */
    uint64_t idle_since;
    bool offline;
};

struct sim_shape {
    uint32_t cpus, contexts;
    uint64_t latency;             /* at most, from being told to reschedule */
    uint64_t skew;                /* at most, between two CPUs' clocks */
    bool races;                   /* others wake contexts while a CPU is between two locks */
    bool reserved, caps, offline; /* occur */
    bool groups;                  /* contexts pay for others */
    bool fixed;                   /* contexts of fixed priority occur, below the reserved ones */
    bool topology;                /* cores of two CPUs, caches of four, nodes of eight in a ring */
    bool cores; /* core scheduling: contexts may use the first CPU of each core only */
};

static struct sim_context sim[SIM_CONTEXTS];
static struct sim_cpu sim_cpus[FAKE_CPUS];
static struct sim_shape shape;
static uint64_t sim_steps; /* calls of the scheduler */
static const char *sim_wrong;
static const struct sim_context *sim_handled; /* is put to sleep right now */
/* Where random numbers come from: a generator, or a fuzzer's input. */
static uint64_t (*sim_random)(uint64_t below) = fake_random;

static inline void sim_fail(const char *what)
{
    if (!sim_wrong)
        sim_wrong = what;
}

void shootdown_poll(void)
{
}

void cpu_reschedule(struct cpu *cpu)
{
    struct sim_cpu *c = &sim_cpus[cpu->id];
    cpu->resched = 1;
    if (c->react_at == NEVER)
        c->react_at = fake_tsc + (shape.latency ? sim_random(shape.latency) : 0);
}

static inline uint64_t sim_up_to(uint64_t most)
{
    return 1 + sim_random(most);
}

static inline void sim_book(uint32_t cpu)
{
    struct sim_cpu *c = &sim_cpus[cpu];
    uint64_t ran = fake_tsc - c->booked;
    c->booked = fake_tsc;
    if (!c->runs)
        return;
    c->runs->ran += ran;
    c->runs->moved_at = fake_tsc;
    c->runs->burst_left -= MIN(c->runs->burst_left, ran);
}

static inline void sim_pick(uint32_t cpu, bool yield)
{
    struct sim_cpu *c = &sim_cpus[cpu];
    sim_book(cpu);
    if (c->runs)
        c->runs->on = 0;
    fake_cpu = cpu;
    c->react_at = NEVER;
    cpus[cpu]->resched = 0;
    sim_steps++;
    struct sc *sc = sched_pick(yield);
    struct sim_context *next = sc ? container_of(sc, struct sim_context, sc) : NULL;
    if (c->runs && !next)
        c->idle_since = fake_tsc;
    c->runs = next;
    c->block_at = NEVER;
    if (!next)
        return;
    if (next->on)
        sim_fail("two CPUs execute one context");
    if (!next->wants)
        sim_fail("a context was picked that does not want to run");
    next->on = cpu + 1;
    if (next->sleeps)
        c->block_at = fake_tsc + next->burst_left;
}

/* What runs on the CPU, or, from elsewhere, any context, does not want to run any more. */
static inline void sim_sleep(struct sim_context *x, uint32_t from_cpu)
{
    fake_cpu = from_cpu;
    x->wants = false;
    sim_steps++;
    sim_handled = x;
    sched_unready(&x->sc);
    sim_handled = NULL;
    if (x->on)
        cpu_reschedule(cpus[x->on - 1]); /* as thread_kill() does */
}

static inline void sim_wake(struct sim_context *x, uint32_t from_cpu)
{
    if (x->wants)
        return;
    fake_cpu = from_cpu;
    x->wants = true;
    x->wants_since = x->moved_at = fake_tsc;
    x->burst_left = sim_up_to(sim_random(4) ? 300 * US : 20 * MS);
    sim_steps++;
    sched_ready(&x->sc);
}

/* Not again before the one that it is in has come to its end. */
static inline void sim_race(void)
{
    uint32_t cpu = fake_cpu, from = (uint32_t)sim_random(cpu_count);
    struct sim_context *x = &sim[sim_random(shape.contexts)];
    sim_between = NULL;
    fake_tsc += sim_random(500);
    if (from != cpu && x != sim_handled && sim_random(2))
        sim_wake(x, from);
    fake_cpu = cpu;
    sim_between = sim_race;
}

static inline bool sim_allowed(const struct sim_context *x, uint32_t cpu)
{
    return cpuset_has(&x->config.affinity, cpu);
}

static inline uint64_t sim_timer_at(uint32_t cpu)
{
    return fake_deadline[cpu] == NEVER ? NEVER : fake_deadline[cpu] - fake_ahead[cpu];
}

static inline void sim_event(uint32_t cpu)
{
    struct sim_cpu *c = &sim_cpus[cpu];
    if (sim_timer_at(cpu) <= fake_tsc) {
        fake_deadline[cpu] = NEVER;
        fake_cpu = cpu;
        timer_interrupt();
        sim_steps++;
    }
    if (c->block_at <= fake_tsc) {
        c->block_at = NEVER;
        sim_book(cpu);
        if (c->runs->wants) {
            sim_sleep(c->runs, cpu);
            sim_pick(cpu, false); /* it blocks in the kernel, which goes on with the next */
        }
    }
    if (c->react_at <= fake_tsc)
        sim_pick(cpu, false);
}

/* Lets everything happen until then. */
static inline void sim_run(uint64_t until)
{
    for (;;) {
        uint64_t next = NEVER;
        uint32_t cpu = 0;
        for (uint32_t i = 0; i < cpu_count; i++) {
            const struct sim_cpu *c = &sim_cpus[i];
            uint64_t at = MIN(sim_timer_at(i), MIN(c->react_at, c->block_at));
            if (at < next) {
                next = at;
                cpu = i;
            }
        }
        if (next > until || sim_wrong)
            break;
        fake_tsc = MAX(fake_tsc, next);
        sim_event(cpu);
    }
    fake_tsc = MAX(fake_tsc, until);
}

static inline bool sim_reserved(const struct sim_context *x)
{
    return x->config.class == SC_RESERVED;
}

/* What the manager tells of a CPU: the sets grow. */
static inline void sim_topology(uint32_t cpu)
{
    struct cpuset near[SCHED_LEVELS] = {{{0}}};
    uint32_t nodes = (cpu_count + 7) / 8, node = cpu / 8;
    for (uint32_t i = 0; i < cpu_count; i++) {
        uint32_t way = (i / 8 + nodes - node) % nodes;
        bool is[SCHED_LEVELS] = {i / 2 == cpu / 2, i / 4 == cpu / 4, !way,
                                 way <= 1 || way == nodes - 1};
        for (uint32_t level = 0; level < SCHED_LEVELS; level++)
            if (is[level])
                cpuset_add(&near[level], i);
    }
    sched_near(cpu, near);
}

/* Those that guests may use under core scheduling and that are online, but for one. */
static inline struct cpuset sim_first_threads(uint32_t but)
{
    struct cpuset left = {{0}};
    for (uint32_t i = 0; i < cpu_count; i += 2)
        if (i != but && !sim_cpus[i].offline)
            cpuset_add(&left, i);
    return left;
}

static inline bool cpuset_meets(const struct cpuset *a, const struct cpuset *b)
{
    return cpuset_next_both(a, b, 0, cpu_count) < SCHED_CPUS;
}

static inline struct cpuset sim_affinity(void)
{
    struct cpuset set = {{0}};
    uint64_t kind = sim_random(4);
    uint32_t first = (uint32_t)sim_random(cpu_count);
    uint32_t count = kind == 0 ? 1 : kind == 1 ? (uint32_t)sim_up_to(cpu_count) : cpu_count;
    for (uint32_t i = 0; i < count; i++)
        cpuset_add(&set, (first + i) % cpu_count & ~(uint32_t)shape.cores);
    struct cpuset left = sim_first_threads(SCHED_CPUS);
    return shape.cores && !cpuset_meets(&set, &left) ? left : set;
}

static inline struct sc_config sim_config(void)
{
    static const uint32_t weights[] = {2, 128, 512, 1024, 1024, 1024, 2048, 8192, 262144};
    struct sc_config config = {.class = SC_SHARED, .affinity = sim_affinity()};
    uint64_t kind = sim_random(16);
    if (shape.reserved && kind < 3) {
        config.class = SC_RESERVED;
    } else if (shape.fixed && kind == 3) {
        config.class = SC_FIXED;
        config.priority = (uint8_t)sim_random(SC_PRIORITY_URGENT);
    } else {
        config.weight = weights[sim_random(ARRAY_LEN(weights))];
    }
    if (config.class == SC_RESERVED || (shape.caps && sim_random(3) == 0)) {
        config.period = 100 * US + sim_random(20 * MS);
        config.budget = 100 * US + sim_random(config.period - 99 * US);
        if (config.class == SC_RESERVED && sim_random(4))
            config.budget = MAX(100 * US, config.budget / 8);
        config.budget = MIN(config.budget, config.period);
    }
    return config;
}

static inline void sim_settle(void)
{
    sim_run(fake_tsc + shape.latency);
}

static inline void sim_accept(struct sim_context *x, const struct sc_config *config)
{
    if (x->on)
        sim_book(x->on - 1);
    x->config = *config;
    x->ran = 0;
    x->since = x->wants_since = x->moved_at = fake_tsc;
}

/* What the manager does before a CPU goes offline: whoever would be left without one gets all that
 * guests may use. false: there would be none. */
static inline bool sim_make_room(uint32_t cpu)
{
    struct cpuset left = sim_first_threads(cpu);
    bool fits = cpuset_meets(&left, &left);
    for (uint32_t i = 0; i < shape.contexts && fits; i++) {
        struct sc_config config = sim[i].config;
        uint32_t promised;
        if (cpuset_meets(&config.affinity, &left))
            continue;
        config.affinity = left;
        if (sim[i].on)
            sim_book(sim[i].on - 1);
        fits = sc_configure(&sim[i].sc, &config, &promised);
        if (fits)
            sim_accept(&sim[i], &config);
    }
    sim_settle();
    return fits;
}

static inline void sim_shutdown(uint32_t cpu)
{
    struct sim_cpu *c = &sim_cpus[cpu];
    fake_cpu = cpu;
    sim_steps++;
    if (c->offline) {
        c->idle_since = fake_tsc;
        sched_online(cpu);
        c->offline = false;
        return;
    }
    if (shape.cores && !sim_make_room(cpu))
        return;
    fake_cpu = cpu;
    for (uint32_t i = 0; i < shape.contexts; i++)
        sim[i].was_at = sim[i].sc.cpu;
    c->offline = sched_offline(cpu);
    for (uint32_t i = 0; i < shape.contexts; i++)
        if (sim_reserved(&sim[i]) && sim[i].sc.cpu != sim[i].was_at)
            sim_accept(&sim[i], &sim[i].config); /* it began anew elsewhere */
}

static inline void sim_start(struct sim_shape with)
{
    shape = with;
    sim_wrong = NULL;
    sim_between = NULL;
    cpu_count = FAKE_CPUS;
    fake_machine_init();
    cpu_count = shape.cpus;
    memset(&idle_cpus, 0, sizeof(idle_cpus));
    memset(&laden_cpus, 0, sizeof(laden_cpus));
    memset(&online_cpus, 0, sizeof(online_cpus));
    for (uint32_t i = 0; i < cpu_count; i++) {
        sim_cpus[i] = (struct sim_cpu){
            .react_at = NEVER, .block_at = NEVER, .booked = fake_tsc, .idle_since = fake_tsc};
        fake_ahead[i] = shape.skew ? sim_random(shape.skew) : 0;
    }
    for (uint32_t i = 0; i < cpu_count; i++)
        if (!runq_init(cpus[i]) || !timerq_init(cpus[i]))
            abort();
    for (uint32_t i = 0; i < cpu_count && shape.topology; i++)
        sim_topology(i);
    for (uint32_t i = 0; i < shape.contexts; i++) {
        struct sc_config first = {.class = SC_SHARED, .weight = 1024, .affinity = sim_affinity()};
        sim[i] = (struct sim_context){.config = first, .since = fake_tsc};
        sc_init(&sim[i].sc, &first);
        /* Some work for others: guests with a helper, and with two vCPUs. */
        if (shape.groups && i % 4) {
            sim[i].sc.payer = &sim[i / 4 * 4].sc;
            sim[i].sc.pays = i % 4 == 1;
            sim[i / 4 * 4].sc.payer = sim[i].sc.payer;
            sim[i / 4 * 4].sc.pays = true;
        }
    }
    sim_settle();
    sim_between = shape.races ? sim_race : NULL;
}

static inline void sim_stop(void)
{
    sim_between = NULL;
    for (uint32_t i = 0; i < shape.contexts; i++) {
        if (sim[i].wants)
            sim_sleep(&sim[i], 0);
        sc_release(&sim[i].sc);
    }
    sim_run(fake_tsc + MS);
    for (uint32_t i = 0; i < shape.contexts; i++)
        sc_fini(&sim[i].sc);
    for (uint32_t i = 0; i < cpu_count; i++) {
        kmem_free_pages(cpus[i]->runq, 0);
        kmem_free_pages(cpus[i]->timerq, 0);
    }
}

#endif
