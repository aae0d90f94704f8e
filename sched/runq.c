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
    bool sharing;                     /* (l) an equal waits: the slice ends current's turn */
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

/* Its home may change until the home's lock is held. */
static struct runq *lock_home(const struct sc *sc)
{
    for (;;) {
        struct runq *rq = home(sc);
        spin_lock(&rq->lock);
        if (rq == home(sc))
            return rq;
        spin_unlock(&rq->lock);
    }
}

/* Front: its turn was interrupted by a higher priority, it goes on with what is left of it. */
static void enqueue(struct runq *rq, struct sc *sc, bool front)
{
    if (front) {
        list_add(&rq->ready[sc->priority], &sc->ready);
    } else {
        list_add_tail(&rq->ready[sc->priority], &sc->ready);
        sc->turn_left = tsc_from_us(QUANTUM_US);
    }
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

/* Does `sc`, just queued, beat what runs? Equal priority: the turn of what runs is to be timed. */
static bool beats_current(struct runq *rq, const struct sc *sc)
{
    const struct sc *current = rq->current;
    if (!current || sc->priority > current->priority)
        return true;
    bool starts = sc->priority == current->priority && !rq->sharing;
    rq->sharing |= starts;
    return starts;
}

/* Queues it, if it is to be in a queue; home's lock held. true: its CPU shall reschedule. */
static bool queue_it(struct runq *rq, struct sc *sc)
{
    if (!sc->wants_cpu || sc->exhausted || sc->queued ||
        __atomic_load_n((uint32_t *)&sc->running, __ATOMIC_ACQUIRE))
        return false;
    enqueue(rq, sc, false);
    return beats_current(rq, sc);
}

static void replenish_fired(struct timer *timer)
{
    struct sc *sc = container_of(timer, struct sc, replenish);
    struct runq *rq = lock_home(sc);
    sc->exhausted = false;
    sc->left = sc->budget;
    sc->period_end = rdtsc() + sc->period;
    uint32_t cpu = sc->cpu;
    bool preempt = queue_it(rq, sc);
    spin_unlock(&rq->lock);
    if (preempt)
        cpu_reschedule(cpus[cpu]);
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
    sc->turn_left -= MIN(sc->turn_left, ran);
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

/* Queues it at its home; ready: its thread can run from now on. */
static void go_home(struct sc *sc, bool ready)
{
    struct runq *rq = lock_home(sc);
    sc->wants_cpu |= ready;
    uint32_t cpu = sc->cpu;
    bool preempt = queue_it(rq, sc);
    spin_unlock(&rq->lock);
    if (preempt)
        cpu_reschedule(cpus[cpu]);
}

void sched_ready(struct sc *sc)
{
    go_home(sc, true);
}

void sched_unready(struct sc *sc)
{
    struct runq *own = cpu_self()->runq;
    spin_lock(&own->lock);
    bool was_current = own->current == sc;
    if (was_current) {
        charge(sc, rdtsc());
        own->current = NULL;
        sc->wants_cpu = false;
        __atomic_store_n((uint32_t *)&sc->running, 0, __ATOMIC_RELEASE);
    }
    spin_unlock(&own->lock);
    if (was_current)
        return;
    struct runq *rq = lock_home(sc);
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
    rq->current = NULL;
    __atomic_store_n((uint32_t *)&sc->running, 0, __ATOMIC_RELEASE);
    if (__atomic_load_n(&sc->cpu, __ATOMIC_ACQUIRE) != cpu)
        return sc;
    /* Made unready from another CPU meanwhile: nobody may find it in a queue again. */
    if (sc->wants_cpu && !sc->exhausted)
        enqueue(rq, sc, !yield && sc->turn_left);
    return NULL;
}

/* When must this CPU look again although nothing happens? */
static void arm_slice(struct runq *rq, struct sc *sc, uint64_t now)
{
    uint64_t deadline = UINT64_MAX;
    rq->sharing = !list_empty(&rq->ready[sc->priority]);
    if (rq->sharing)
        deadline = now + sc->turn_left;
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
        __atomic_store_n((uint32_t *)&next->running, cpu->id + 1, __ATOMIC_RELAXED);
        next->started = now;
        next->switches += next != before;
        arm_slice(rq, next, now);
    }
    spin_unlock(&rq->lock);
    if (moved)
        go_home(moved, false);
    return next;
}

void sc_configure(struct sc *sc, uint32_t cpu, uint32_t priority, uint64_t budget, uint64_t period)
{
    struct runq *rq = lock_home(sc);
    if (sc->queued)
        dequeue(rq, sc);
    timer_disarm(&sc->replenish); /* under the lock: not one that is armed by the new rules */
    sc->priority = priority;
    sc->budget = budget;
    sc->period = period;
    sc->left = budget;
    sc->exhausted = false;
    /* Last: partner put_back(), which may run on a CPU that is no more its home. */
    __atomic_store_n(&sc->cpu, cpu, __ATOMIC_RELEASE);
    uint32_t running = __atomic_load_n((uint32_t *)&sc->running, __ATOMIC_ACQUIRE);
    spin_unlock(&rq->lock);
    if (running)
        cpu_reschedule(cpus[running - 1]);
    go_home(sc, false);
}
