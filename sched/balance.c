/* SPDX-License-Identifier: BSD-2-Clause */
#include "sched/balance.h"

#include "arch/x86_64/insn.h"
#include "sched/vtime.h"

#define PROBES 8u /* CPUs to compare with in a period */
#define OWED   2u /* slices of lag that make a context move; twice that to another node */

uint64_t balance_period;

static struct cpuset idle_cpus;  /* CPUs that nobody has sent anything to yet */
static struct cpuset laden_cpus; /* CPUs whose movable contexts wait */
static struct cpuset online_cpus;

static uint32_t cpu_limit(void)
{
    return MIN(cpu_count, SCHED_CPUS);
}

void sched_near(uint32_t cpu, const struct cpuset near[SCHED_LEVELS])
{
    for (uint32_t i = 0; i < SCHED_LEVELS; i++)
        cpus[cpu]->runq->near[i] = near[i];
}

/* Nobody runs on the other threads of its core. */
static bool core_is_idle(uint32_t cpu)
{
    const struct cpuset *core = &cpus[cpu]->runq->near[0];
    for (uint32_t i = 0; i < CPUSET_WORDS; i++)
        if (core->word[i] & ~__atomic_load_n(&idle_cpus.word[i], __ATOMIC_RELAXED))
            return false;
    return true;
}

static uint32_t claim_in(const struct sc *sc, const struct cpuset *set, bool whole_core)
{
    uint32_t end = cpu_limit();
    for (uint32_t cpu = 0; (cpu = cpuset_next_both(&idle_cpus, set, cpu, end)) < end; cpu++)
        if (cpuset_has(&sc->is.affinity, cpu) && (!whole_core || core_is_idle(cpu)) &&
            cpuset_take(&idle_cpus, cpu))
            return cpu;
    return SCHED_CPUS;
}

/* An idle CPU that it may use: behind the home's cache, in its node, anywhere; each time rather a
 * core of its own than a part of one. It is the caller's now, who makes it reschedule. */
static uint32_t claim_idle(const struct sc *sc)
{
    const struct cpuset *near = cpus[sc->cpu]->runq->near, *set = &near[1];
    uint32_t cpu = SCHED_CPUS;
    if (cpuset_next_both(&idle_cpus, &sc->is.affinity, 0, cpu_limit()) == SCHED_CPUS)
        return SCHED_CPUS;
    for (; cpu == SCHED_CPUS && set; set = set == &idle_cpus ? NULL : set + 1) {
        if (set == &near[SCHED_LEVELS])
            set = &idle_cpus;
        cpu = claim_in(sc, set, true);
        if (cpu == SCHED_CPUS)
            cpu = claim_in(sc, set, false);
    }
    return cpu;
}

static bool busy(const struct runq *rq)
{
    return rq->current || !list_empty(&rq->movable) || rq->bitmap || rq->reserved ||
           rq->shared.count;
}

bool balance_place(struct runq *rq, struct sc *sc)
{
    if (sc->pinned || sc->pending || sc->queued || sc->exhausted || sc->running || !busy(rq))
        return false;
    uint32_t cpu = claim_idle(sc);
    if (cpu == SCHED_CPUS)
        return false;
    __atomic_store_n(&sc->cpu, cpu, __ATOMIC_RELEASE);
    return true;
}

void balance_insert(struct runq *rq, struct sc *sc)
{
    if (list_empty(&rq->movable))
        cpuset_add(&laden_cpus, sc->cpu);
    list_add_tail(&rq->movable, &sc->movable);
}

void balance_remove(struct runq *rq, struct sc *sc)
{
    list_del(&sc->movable);
    if (list_empty(&rq->movable))
        cpuset_take(&laden_cpus, sc->cpu);
}

void balance_idle(struct runq *rq)
{
    rq->idle = !rq->offline;
    if (rq->idle)
        cpuset_add(&idle_cpus, cpu_self()->id);
}

void balance_busy(struct runq *rq)
{
    rq->idle = false;
    cpuset_take(&idle_cpus, cpu_self()->id);
}

/* Lock held, and released: the context goes to the other CPU. */
static void send_to(struct runq *rq, struct sc *sc, uint32_t cpu)
{
    sched_dequeue(rq, sc);
    sc->pinned &= cpuset_has(&sc->is.affinity, cpu); /* astray: as soon as it can, it returns */
    __atomic_store_n(&sc->cpu, cpu, __ATOMIC_RELEASE);
    spin_unlock(&rq->lock);
    sched_go_home(sc, false);
}

void balance_evacuate(struct runq *rq, struct sc *sc)
{
    uint32_t cpu = cpuset_next_both(&online_cpus, &sc->is.affinity, 0, cpu_limit());
    send_to(rq, sc,
            cpu < SCHED_CPUS ? cpu : cpuset_next_both(&online_cpus, &online_cpus, 0, cpu_limit()));
}

/* A CPU that runs nothing is about to run the one that it has: two CPUs that took it from each
 * other would never come to. */
static bool to_spare(const struct runq *rq)
{
    return rq->current || rq->offline || rq->movable.next != rq->movable.prev;
}

/* true: fetched one from a CPU of this set. */
static bool pull_from(const struct cpuset *set, uint32_t self)
{
    uint32_t end = cpu_limit();
    for (uint32_t cpu = 0; (cpu = cpuset_next_both(&laden_cpus, set, cpu, end)) < end; cpu++) {
        struct runq *rq = cpus[cpu]->runq;
        spin_lock(&rq->lock);
        list_for_each(sc, &rq->movable, struct sc, movable)
        {
            if (to_spare(rq) && cpuset_has(&sc->is.affinity, self)) {
                send_to(rq, sc, self);
                return true;
            }
        }
        spin_unlock(&rq->lock);
    }
    return false;
}

void balance_pull(void)
{
    const struct runq *own = cpu_self()->runq;
    bool found = own->offline;
    for (uint32_t i = 0; i < SCHED_LEVELS && !found; i++)
        found = pull_from(&own->near[i], cpu_self()->id);
    if (!found)
        (void)pull_from(&online_cpus, cpu_self()->id);
}

/* true: sent one. */
static bool push_to_idle(struct runq *rq)
{
    if (cpuset_next_both(&idle_cpus, &online_cpus, 0, cpu_limit()) == SCHED_CPUS)
        return false;
    spin_lock(&rq->lock);
    list_for_each(sc, &rq->movable, struct sc, movable)
    {
        uint32_t cpu = claim_idle(sc);
        if (cpu < SCHED_CPUS) {
            send_to(rq, sc, cpu);
            cpu_reschedule(cpus[cpu]); /* it was claimed, and the context may have gone on */
            return true;
        }
    }
    spin_unlock(&rq->lock);
    return false;
}

/* CPUs' virtual times part while one idles, has a single context, or pinned ones: that is nobody's
 * claim, and neither of two CPUs keeps more of it than contexts can be owed. No lock held. */
static void catch_up(struct runq *rq, uint64_t at, uint64_t now)
{
    if (!vtime_missing(&rq->shared, now, at))
        return;
    spin_lock(&rq->lock);
    rq->shared.offset += vtime_missing(&rq->shared, now, at);
    spin_unlock(&rq->lock);
}

static void seen(uint64_t at)
{
    if (time_before(vtime_front, at))
        __atomic_store_n(&vtime_front, at, __ATOMIC_RELAXED);
}

/* The next one that is online. */
static uint32_t probe(struct runq *rq)
{
    uint32_t cpu = cpuset_next_both(&online_cpus, &online_cpus, rq->probe, cpu_limit());
    if (cpu == SCHED_CPUS)
        cpu = cpuset_next_both(&online_cpus, &online_cpus, 0, cpu_limit());
    rq->probe = cpu + 1;
    return cpu;
}

void balance_first(struct runq *rq, uint64_t now)
{
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t cpu = probe(rq);
        if (cpu < SCHED_CPUS && cpus[cpu]->runq != rq)
            seen(vtime_estimate(&cpus[cpu]->runq->shared, now));
    }
}

/* Sends one context to a CPU where its equals have got more. */
static bool push_to_ahead(struct runq *rq, uint32_t cpu, uint64_t now)
{
    const struct vtime *there = &cpus[cpu]->runq->shared;
    uint64_t at = vtime_estimate(there, now);
    uint64_t owed = OWED * vtime_slice << !cpuset_has(&rq->near[2], cpu);
    catch_up(rq, at, now);
    catch_up(cpus[cpu]->runq, vtime_estimate(&rq->shared, now), now);
    seen(at);
    spin_lock(&rq->lock);
    list_for_each(sc, &rq->movable, struct sc, movable)
    {
        uint64_t v = sc->v + rq->shared.offset;
        if (sc->is.class == SC_SHARED && cpuset_has(&sc->is.affinity, cpu) && there->runs &&
            time_before(v + vtime_of(sc, owed), at)) {
            send_to(rq, sc, cpu);
            return true;
        }
    }
    spin_unlock(&rq->lock);
    return false;
}

void balance_push(uint64_t now)
{
    struct runq *rq = cpu_self()->runq;
    rq->balance_at = now + balance_period;
    while (push_to_idle(rq))
        continue;
    for (uint32_t i = 0; i < PROBES; i++) {
        uint32_t cpu = probe(rq);
        if (cpu < SCHED_CPUS && cpu != cpu_self()->id && push_to_ahead(rq, cpu, now))
            return;
    }
}

uint32_t balance_admit(const struct sc *sc, const struct cpuset *affinity, uint32_t need,
                       uint32_t *promised)
{
    uint32_t best = SCHED_CPUS, end = cpu_limit();
    *promised = SC_RESERVABLE_PPM;
    for (uint32_t cpu = 0; (cpu = cpuset_next_both(affinity, &online_cpus, cpu, end)) < end;
         cpu++) {
        uint32_t has = cpus[cpu]->runq->promised - (cpu == sc->cpu ? sc->promised : 0);
        if (best == SCHED_CPUS || has < *promised) {
            best = cpu;
            *promised = has;
        }
    }
    return *promised + need <= SC_RESERVABLE_PPM ? best : SCHED_CPUS;
}

void balance_promise(struct sc *sc, uint32_t cpu, uint32_t need)
{
    cpus[sc->cpu]->runq->promised -= sc->promised;
    list_del(&sc->promises);
    sc->promised = need;
    cpus[cpu]->runq->promised += need;
    if (need)
        list_add_tail(&cpus[cpu]->runq->promises, &sc->promises);
}

void sched_online(uint32_t cpu)
{
    cpus[cpu]->runq->offline = false;
    cpuset_add(&online_cpus, cpu);
    cpu_reschedule(cpus[cpu]);
}

bool sched_offline(uint32_t cpu)
{
    struct runq *rq = cpus[cpu]->runq;
    cpuset_take(&online_cpus, cpu);
    bool fits = cpuset_next_both(&online_cpus, &online_cpus, 0, cpu_limit()) < SCHED_CPUS;
    while (fits && !list_empty(&rq->promises)) {
        struct sc *sc = list_first(&rq->promises, struct sc, promises);
        struct sc_config config = sc->pending ? sc->next : sc->is;
        uint32_t promised;
        fits = sc_configure(sc, &config, &promised);
    }
    if (!fits) {
        cpuset_add(&online_cpus, cpu);
        return false;
    }
    spin_lock(&rq->lock);
    rq->offline = true;
    cpuset_take(&idle_cpus, cpu);
    spin_unlock(&rq->lock);
    cpu_reschedule(cpus[cpu]); /* there sched_pick() sends all away */
    return true;
}
