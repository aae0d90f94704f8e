/* SPDX-License-Identifier: BSD-2-Clause */
/* What must be true of the simulated machine whenever no CPU is inside the scheduler. */
#ifndef TESTS_SIM_CHECK_H
#define TESTS_SIM_CHECK_H

#include "tests/sim/sim.h"

/* One slice, what a context may bring along from another CPU, and what it pays for its helpers; and
 * one balancing period, for which a CPU may not look when somebody joins. */
#define LAG_MAX (((CARRY_SLICES + PAY_SLICES + 1) * SLICE_US + BALANCE_US) * US)

/* Queued, executed, or waiting for its next period: exactly one of these. */
static inline void check_place(const struct sim_context *x)
{
    const struct sc *sc = &x->sc;
    bool told = x->on && sim_cpus[x->on - 1].react_at != NEVER;
    if (sc->queued && x->on && !told)
        sim_fail("a context is executed and queued");
    if (!x->wants && (sc->queued || (x->on && !told)))
        sim_fail("a context that does not want to run is queued or executed");
    if (x->wants && !x->on && !sc->queued && !sc->exhausted)
        sim_fail("a ready context is lost");
    if (x->wants && !x->on && sc->exhausted && !sc->replenish.cpu)
        sim_fail("an exhausted context waits for no replenishment");
    if (x->on && sim_cpus[x->on - 1].runs != x)
        sim_fail("a context does not know its CPU");
    if (sc->running && cpus[sc->running - 1]->runq->current != sc)
        sim_fail("a context is marked as running, but no CPU has it");
    uint32_t cpu = sc->queued ? sc->cpu : x->on - 1;
    if ((sc->queued || (x->on && !told)) && !sim_allowed(x, cpu) && shape.offline == false)
        sim_fail("a context is on a CPU that it may not use");
    if (sc->queued && cpus[sc->cpu]->runq->offline && sim_cpus[sc->cpu].react_at == NEVER)
        sim_fail("a context is queued on a CPU that is offline");
}

/* It waits, and a CPU that it may use idles, both for longer than balancing may take. */
static inline void check_idle(const struct sim_context *x, uint64_t bound)
{
    uint64_t since = x->config.budget ? MAX(x->moved_at, x->sc.waits_since) : x->moved_at;
    if (!x->sc.queued || sim_reserved(x) || since + bound >= fake_tsc)
        return;
    uint32_t cpu = 0;
    for (; (cpu = cpuset_next_both(&idle_cpus, &x->config.affinity, cpu, cpu_count)) < cpu_count;
         cpu++) {
        const struct sim_cpu *c = &sim_cpus[cpu];
        if (!c->runs && c->react_at == NEVER && c->idle_since + bound < fake_tsc)
            sim_fail("a ready context waits beside an idle CPU that it may use");
    }
}

static inline void check_cap(const struct sim_context *x)
{
    if (!x->config.budget)
        return;
    uint64_t ran = x->ran, elapsed = fake_tsc - x->since;
    if (x->on)
        ran += fake_tsc - sim_cpus[x->on - 1].booked;
    uint64_t most = (elapsed / x->config.period + 2) * x->config.budget + 2 * shape.latency;
    if (ran > most)
        sim_fail("a context got more than its budgets");
}

/* A reserved context that never sleeps: a budget by the end of each period. */
static inline void check_deadline_met(const struct sim_context *x)
{
    if (!sim_reserved(x))
        return;
    if (x->sc.misses)
        sim_fail("a deadline was missed");
    if (!x->wants || x->wants_since != x->since)
        return;
    uint64_t ran = x->ran + (x->on ? fake_tsc - sim_cpus[x->on - 1].booked : 0);
    if (ran + 1 < (fake_tsc - x->since) / x->config.period * x->config.budget)
        sim_fail("a reserved context did not get its budget in a period");
}

struct mean_check {
    int64_t sum;
    uint64_t weight;
    uint32_t count;
};

static inline void check_share(struct mean_check *m, const struct vtime *vt, const struct sc *sc)
{
    int64_t ahead = (int64_t)(sc->v - vt->now) * (int64_t)sc->is.weight;
    m->sum += ahead;
    m->weight += sc->is.weight;
    m->count++;
    /* Of what all others together are ahead, it may have to wait for its part. */
    int64_t behind = (int64_t)LAG_MAX;
    behind += (int64_t)(LAG_MAX * vt->count * sc->is.weight / vt->weight);
    if (ahead / 1024 > (int64_t)LAG_MAX || -ahead / 1024 > behind)
        sim_fail("a lag is beyond its bound");
}

static inline void check_heap(struct mean_check *m, const struct vtime *vt, struct heap_node *node)
{
    for (; node; node = node->next) {
        check_share(m, vt, container_of(node, struct sc, node));
        check_heap(m, vt, node->child);
    }
}

/* The mean is exact, and no lag beyond its bound. */
static inline void check_mean(uint32_t cpu)
{
    struct runq *rq = cpus[cpu]->runq;
    struct vtime *vt = &rq->shared;
    struct mean_check m = {0};
    if (rq->current && rq->current->is.class == SC_SHARED) {
        charge(rq, rq->current, fake_tsc);
        check_share(&m, vt, rq->current);
    }
    check_heap(&m, vt, vt->eligible);
    check_heap(&m, vt, vt->early);
    if (m.weight != vt->weight || m.count != vt->count)
        sim_fail("the sum of weights is wrong");
    if (m.sum != vt->ahead)
        sim_fail("the sum of lags is wrong");
}

/* A reservation was refused: by the stated test it fits nowhere. */
static inline void check_refusal(const struct sim_context *x, const struct sc_config *config)
{
    static uint64_t promised[FAKE_CPUS];
    memset(promised, 0, sizeof(promised));
    for (uint32_t i = 0; i < shape.contexts; i++) {
        const struct sc_config *has = &sim[i].config;
        if (has->class == SC_RESERVED && &sim[i] != x)
            promised[sim[i].sc.cpu] += (has->budget * 1000000 + has->period - 1) / has->period;
    }
    uint64_t need = (config->budget * 1000000 + config->period - 1) / config->period;
    for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
        if (!sim_cpus[cpu].offline && cpuset_has(&config->affinity, cpu) &&
            promised[cpu] + need <= SC_RESERVABLE_PPM)
            sim_fail("a reservation was refused that fits");
}

static inline void check_promises(void)
{
    static uint64_t promised[FAKE_CPUS];
    memset(promised, 0, sizeof(promised));
    for (uint32_t i = 0; i < shape.contexts; i++)
        promised[sim[i].sc.cpu] += sim[i].sc.promised;
    for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
        if (promised[cpu] > SC_RESERVABLE_PPM || promised[cpu] != cpus[cpu]->runq->promised)
            sim_fail("a CPU promised more than it has");
}

/* Core scheduling: two guests (of four contexts each) never run on one core at once. */
static inline void check_cores(void)
{
    for (uint32_t cpu = 0; cpu + 1 < cpu_count; cpu += 2) {
        const struct sim_context *a = sim_cpus[cpu].runs, *b = sim_cpus[cpu + 1].runs;
        if (a && b && a->wants && b->wants && (a - sim) / 4 != (b - sim) / 4)
            sim_fail("two guests run on one core");
    }
}

static inline void check_all(void)
{
    for (uint32_t i = 0; i < shape.contexts; i++) {
        const struct sim_context *x = &sim[i];
        check_place(x);
        check_idle(x, BALANCE_US * US * 9 / 8 + 2 * shape.latency);
        check_cap(x);
        check_deadline_met(x);
    }
    for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
        check_mean(cpu);
    check_promises();
    if (shape.cores)
        check_cores();
}

#endif
