/* SPDX-License-Identifier: BSD-2-Clause */
/* Fixed priorities with budgets, one queue a CPU. Constant time in the number of contexts. */
#include "sched/sc.h"

#include "arch/x86_64/insn.h"
#include "arch/x86_64/kmem.h"
#include "arch/x86_64/platform.h"

#define QUANTUM_US 5000u /* equals take turns this long */

/* Legend: (l) under lock; the current context leaves only on its own CPU. */
struct runq {
    spinlock_t lock;
    struct list ready[SC_PRIORITIES]; /* (l) */
    uint64_t bitmap;                  /* (l) priorities with contexts in ready[] */
    struct sc *current;               /* (l) not in ready[] */
    uint64_t quantum_end;             /* (l) of current, while an equal waits */
    struct timer slice;
};

static void slice_fired(struct timer *timer)
{
    (void)timer;
    cpu_reschedule(cpu_self());
}

bool runq_init(struct cpu *cpu)
{
    struct runq *rq = kmem_pages(0);
    _Static_assert(sizeof(*rq) <= PAGE_SIZE, "one page a CPU");
    if (!rq)
        return false;
    for (uint32_t i = 0; i < SC_PRIORITIES; i++)
        list_init(&rq->ready[i]);
    timer_init(&rq->slice, slice_fired);
    cpu->runq = rq;
    return true;
}

static struct runq *home(const struct sc *sc)
{
    return cpus[sc->cpu]->runq;
}

static void enqueue(struct runq *rq, struct sc *sc, bool front)
{
    if (front)
        list_add(&rq->ready[sc->priority], &sc->ready);
    else
        list_add_tail(&rq->ready[sc->priority], &sc->ready);
    rq->bitmap |= 1ull << sc->priority;
    sc->queued = true;
}

static void dequeue(struct runq *rq, struct sc *sc)
{
    list_del(&sc->ready);
    if (list_empty(&rq->ready[sc->priority]))
        rq->bitmap &= ~(1ull << sc->priority);
    sc->queued = false;
}

static void replenish_fired(struct timer *timer)
{
    struct sc *sc = container_of(timer, struct sc, replenish);
    struct runq *rq = home(sc);
    spin_lock(&rq->lock);
    sc->exhausted = false;
    sc->left = sc->budget;
    sc->period_end = rdtsc() + sc->period;
    bool wake = sc->wants_cpu && !sc->queued && rq->current != sc;
    if (wake)
        enqueue(rq, sc, false);
    spin_unlock(&rq->lock);
    if (wake)
        cpu_reschedule(cpus[sc->cpu]);
}

void sc_init(struct sc *sc, uint32_t cpu, uint32_t priority, uint64_t budget, uint64_t period)
{
    *sc = (struct sc){
        .cpu = cpu, .priority = priority, .budget = budget, .period = period, .left = budget};
    list_init(&sc->ready);
    timer_init(&sc->replenish, replenish_fired);
}

void sc_fini(struct sc *sc)
{
    timer_disarm(&sc->replenish);
}

static void charge(struct sc *sc, uint64_t now)
{
    uint64_t ran = now - sc->started;
    sc->started = now;
    sc->used += ran;
    if (!sc->budget)
        return;
    if (now >= sc->period_end) {
        sc->period_end = now + sc->period;
        sc->left = sc->budget;
    }
    sc->left -= MIN(sc->left, ran);
    if (!sc->left && !sc->exhausted) {
        sc->exhausted = true;
        timer_arm(&sc->replenish, sc->period_end);
    }
}

/* Does `sc`, just queued, beat what runs? Equal priority: the quantum starts to count. */
static bool beats_current(struct runq *rq, const struct sc *sc)
{
    const struct sc *current = rq->current;
    if (!current)
        return true;
    if (sc->priority == current->priority && !rq->quantum_end) {
        rq->quantum_end = 1; /* the next pick computes it */
        return true;
    }
    return sc->priority > current->priority;
}

void sched_ready(struct sc *sc)
{
    struct runq *rq = home(sc);
    spin_lock(&rq->lock);
    sc->wants_cpu = true;
    bool preempt = false;
    if (!sc->queued && rq->current != sc && !sc->exhausted) {
        enqueue(rq, sc, false);
        preempt = beats_current(rq, sc);
    }
    spin_unlock(&rq->lock);
    if (preempt)
        cpu_reschedule(cpus[sc->cpu]);
}

void sched_unready(struct sc *sc)
{
    struct runq *own = cpu_self()->runq, *rq = home(sc);
    spin_lock(&own->lock);
    bool was_current = own->current == sc;
    if (was_current) {
        charge(sc, rdtsc());
        own->current = NULL;
        sc->wants_cpu = false;
    }
    spin_unlock(&own->lock);
    if (was_current)
        return;
    spin_lock(&rq->lock);
    sc->wants_cpu = false;
    if (sc->queued)
        dequeue(rq, sc);
    spin_unlock(&rq->lock);
}

struct sc *sched_current(void)
{
    return cpu_self()->runq->current;
}

/* Puts the context that ran back, unless its thread stopped meanwhile (another CPU's
 * sched_unready() leaves a current context to this one) or it went to another CPU: then returns it
 * for the caller to move. */
static struct sc *put_back(struct runq *rq, uint32_t cpu, bool yield, uint64_t now)
{
    struct sc *sc = rq->current;
    if (!sc)
        return NULL;
    charge(sc, now);
    bool turn_over = yield || (rq->quantum_end > 1 && now >= rq->quantum_end);
    rq->current = NULL;
    if (!sc->wants_cpu)
        return NULL;
    if (sc->cpu != cpu)
        return sc;
    if (!sc->exhausted)
        enqueue(rq, sc, !turn_over);
    if (turn_over)
        rq->quantum_end = 0;
    return NULL;
}

/* When must this CPU look again although nothing happens? */
static void arm_slice(struct runq *rq, struct sc *sc, uint64_t now)
{
    uint64_t deadline = UINT64_MAX;
    if (!list_empty(&rq->ready[sc->priority])) {
        if (rq->quantum_end <= now)
            rq->quantum_end = now + tsc_from_us(QUANTUM_US);
        deadline = rq->quantum_end;
    } else {
        rq->quantum_end = 0;
    }
    if (sc->budget)
        deadline = MIN(deadline, now + sc->left);
    if (deadline != UINT64_MAX)
        timer_arm(&rq->slice, deadline);
    else if (rq->slice.cpu)
        timer_disarm(&rq->slice);
}

struct sc *sched_pick(bool yield)
{
    struct cpu *cpu = cpu_self();
    struct runq *rq = cpu->runq;
    spin_lock(&rq->lock);
    uint64_t now = rdtsc();
    struct sc *before = rq->current;
    struct sc *moved = put_back(rq, cpu->id, yield, now);
    struct sc *next = NULL;
    if (rq->bitmap) {
        uint32_t priority = 63 - (uint32_t)__builtin_clzll(rq->bitmap);
        next = list_first(&rq->ready[priority], struct sc, ready);
        dequeue(rq, next);
        rq->current = next;
        next->started = now;
        next->switches += next != before;
        arm_slice(rq, next, now);
    }
    spin_unlock(&rq->lock);
    if (moved)
        sched_ready(moved);
    return next;
}

void sc_configure(struct sc *sc, uint32_t cpu, uint32_t priority, uint64_t budget, uint64_t period)
{
    struct runq *rq = home(sc);
    spin_lock(&rq->lock);
    bool queued = sc->queued, running = rq->current == sc, waits = sc->wants_cpu;
    uint32_t old_cpu = sc->cpu;
    if (queued)
        dequeue(rq, sc);
    sc->cpu = cpu;
    sc->priority = priority;
    sc->budget = budget;
    sc->period = period;
    sc->left = budget;
    sc->exhausted = false;
    spin_unlock(&rq->lock);
    timer_disarm(&sc->replenish);
    if (running)
        cpu_reschedule(cpus[old_cpu]);
    else if (waits)
        sched_ready(sc);
}
