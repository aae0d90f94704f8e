/* SPDX-License-Identifier: BSD-2-Clause */
/* What a CPU runs next, and how its time is charged. */
#include "sched/runq.h"

#include "arch/x86_64/insn.h"
#include "arch/x86_64/kmem.h"
#include "arch/x86_64/platform.h"
#include "sched/balance.h"
#include "sched/trace.h"
#include "sched/vtime.h"

#define TURN_US     5000u /* equals of fixed priority take turns this long */
#define SLICE_US    3000u /* request of a shared context */
#define BALANCE_US  5000u
#define DEBT_SLICES 64u /* that helpers may run ahead of who pays */
#define PAY_SLICES  2u  /* that are paid at once */
#define CHARGE_PART 64u /* of a slice: what goes uncharged when another context comes */

/* The ranks on one CPU: fixed priorities are the even ones. */
#define RANK_RESERVED (2 * SC_PRIORITY_URGENT - 1)
#define RANK_SHARED   (2 * SC_PRIORITY_SYSTEM - 1)

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
    list_init(&rq->movable);
    list_init(&rq->promises);
    timer_init(&rq->slice, slice_fired);
    vtime_slice = tsc_from_us(SLICE_US);
    balance_period = tsc_from_us(BALANCE_US);
    cpu->runq = rq;
    if (cpu->id < SCHED_CPUS)
        sched_online(cpu->id);
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

static bool is_shared(const struct sc *sc)
{
    return sc->is.class == SC_SHARED;
}

static bool is_reserved(const struct sc *sc)
{
    return sc->is.class == SC_RESERVED;
}

/* Front: its turn was interrupted by a higher rank, it goes on with what is left of it. */
static void enqueue(struct runq *rq, struct sc *sc, bool front)
{
    if (is_shared(sc)) {
        vtime_insert(&rq->shared, sc);
    } else if (is_reserved(sc)) {
        heap_insert(&rq->reserved, &sc->node, sc->period_end);
    } else {
        struct list *queue = &rq->ready[sc->is.priority];
        if (front) {
            list_add(queue, &sc->ready);
        } else {
            list_add_tail(queue, &sc->ready);
            sc->turn_left = tsc_from_us(TURN_US);
        }
        rq->bitmap |= 1ull << sc->is.priority;
    }
    sc->queued = true;
    if (!sc->pinned)
        balance_insert(rq, sc);
}

/* Shared: it goes on competing. */
static void take_out(struct runq *rq, struct sc *sc)
{
    if (is_shared(sc)) {
        vtime_remove(&rq->shared, sc);
    } else if (is_reserved(sc)) {
        heap_remove(&rq->reserved, &sc->node);
    } else {
        list_del(&sc->ready);
        if (list_empty(&rq->ready[sc->is.priority]))
            rq->bitmap &= ~(1ull << sc->is.priority);
    }
    sc->queued = false;
    if (!sc->pinned)
        balance_remove(rq, sc);
}

void sched_dequeue(struct runq *rq, struct sc *sc)
{
    take_out(rq, sc);
    if (is_shared(sc))
        vtime_leave(&rq->shared, sc);
}

/* A new period from now on; an overrun is made up for. */
static void new_period(struct sc *sc, uint64_t now)
{
    sc->left = (int64_t)sc->is.budget + MIN(sc->left, 0);
    sc->period_end = now + sc->is.period;
}

/* The wake-up rule of constant-bandwidth servers (Abeni and Buttazzo, 1998): what is left of the
 * budget may be used up to the old deadline only if that is no more than its bandwidth. */
static void wake_budget(struct sc *sc, uint64_t now)
{
    if (now >= sc->period_end ||
        (sc->left > 0 && (unsigned __int128)(uint64_t)sc->left * sc->is.period >
                             (unsigned __int128)(sc->period_end - now) * sc->is.budget))
        new_period(sc, now);
}

/* Reserved and left to wait: its deadline passed before it got its budget. */
static void check_deadline(struct sc *sc, uint64_t now)
{
    if (now >= sc->period_end) {
        sc->misses += is_reserved(sc) && sc->left > 0;
        new_period(sc, now);
    }
}

static void exhaust(struct sc *sc, uint64_t now)
{
    sc->exhausted = true;
    sc->waits_since = now;
    trace(TRACE_THROTTLE, sc->id, sc->cpu);
    timer_arm(&sc->replenish, sc->period_end);
}

/* A guest's threads have one account: what helpers run (its VMM's thread, a driver for it) is a
 * debt, and its vCPUs pay it with virtual time and, if they are capped, with budget. A reservation
 * is for its vCPU alone. The debt is bounded, for when nobody is there to pay. */
static void owe(struct sc *payer, uint64_t cycles)
{
    uint64_t has = __atomic_load_n((uint64_t *)&payer->debt, __ATOMIC_RELAXED);
    uint64_t more = MIN(cycles, DEBT_SLICES * vtime_slice - MIN(has, DEBT_SLICES * vtime_slice));
    __atomic_fetch_add((uint64_t *)&payer->debt, more, __ATOMIC_RELAXED);
}

/* Not more at once than PAY_SLICES: who has paid does not run before the others have got as much.
 */
static uint64_t pay(struct vtime *vt, struct sc *sc)
{
    uint64_t *debt = (uint64_t *)&sc->payer->debt, has = __atomic_load_n(debt, __ATOMIC_RELAXED);
    uint64_t part = has ? MIN(has, vtime_below(vt, sc, PAY_SLICES * vtime_slice)) : 0;
    if (!part || !__atomic_compare_exchange_n(debt, &has, has - part, false, __ATOMIC_RELAXED,
                                              __ATOMIC_RELAXED))
        return 0;
    vtime_pay(vt, sc, part);
    return part;
}

/* The current context of rq; from any CPU, rq's lock held. */
static void charge(struct runq *rq, struct sc *sc, uint64_t now)
{
    uint64_t ran =
        now > sc->started ? now - sc->started : 0; /* another CPU's clock may be behind */
    sc->started += ran;
    sc->used += ran;
    uint64_t paid = 0;
    if (sc->payer && !sc->pays)
        owe(sc->payer, ran);
    if (is_shared(sc)) {
        vtime_run(&rq->shared, sc, ran);
        rq->shared.charged = now;
        paid = sc->pays ? pay(&rq->shared, sc) : 0;
    } else {
        sc->turn_left -= MIN(sc->turn_left, ran);
    }
    if (!sc->is.budget)
        return;
    sc->left -= (int64_t)(ran + paid);
    check_deadline(sc, now);
    if (sc->left <= 0 && !sc->exhausted)
        exhaust(sc, now);
}

void sched_bill(struct sc *sc, struct sc *whom)
{
    struct runq *rq = cpu_self()->runq;
    spin_lock(&rq->lock);
    charge(rq, sc, rdtsc());
    spin_unlock(&rq->lock);
    if (whom && whom->payer)
        owe(whom->payer, sc->used - sc->billed);
    sc->billed = sc->used;
}

/* Does `sc`, just queued, beat what runs? Or must that CPU look, so that its timer gets armed? */
static bool beats_current(struct runq *rq, const struct sc *sc)
{
    const struct sc *current = rq->current;
    if (!current || sc->rank > current->rank)
        return true;
    bool equal = sc->rank == current->rank;
    if (equal && is_reserved(sc))
        return time_before(sc->period_end, current->period_end);
    if (equal && is_shared(sc) && sc->eligible && time_before(sc->v_deadline, current->v_deadline))
        return true;
    bool starts = !rq->looks && (equal || !sc->pinned);
    rq->looks |= starts;
    return starts;
}

/* Parameters take effect when it is neither queued nor runs: what is counted in by the old ones is
 * counted out by them. */
static void apply(struct sc *sc)
{
    timer_disarm(&sc->replenish); /* under the lock: not one that is armed by the new rules */
    sc->pending = false;
    sc->is = sc->next;
    uint32_t first = cpuset_next_both(&sc->is.affinity, &sc->is.affinity, 0, SCHED_CPUS);
    sc->pinned = is_reserved(sc) || cpuset_next_both(&sc->is.affinity, &sc->is.affinity, first + 1,
                                                     SCHED_CPUS) == SCHED_CPUS;
    sc->rank = is_shared(sc) ? RANK_SHARED : is_reserved(sc) ? RANK_RESERVED : 2u * sc->is.priority;
    sc->residue = 0;
    sc->lag = 0;
    sc->exhausted = false;
    sc->left = 0;
    sc->period_end = 0;
}

/* Queues it, if it is to be in a queue; home's lock held. wakes: it could not run before. true: its
 * CPU shall reschedule. */
static bool queue_it(struct runq *rq, struct sc *sc, bool wakes)
{
    if (sc->queued || __atomic_load_n((uint32_t *)&sc->running, __ATOMIC_ACQUIRE))
        return false;
    if (unlikely(sc->pending))
        apply(sc);
    if (!sc->wants_cpu || sc->exhausted)
        return false;
    uint64_t now = rdtsc();
    if (sc->is.budget)
        wake_budget(sc, now);
    if (is_shared(sc)) {
        /* A little later is soon enough: sc->v itself is exact, so it gains no more than to have
         * slept that much less. */
        if (rq->current && is_shared(rq->current) &&
            now - rq->current->started > vtime_slice / CHARGE_PART)
            charge(rq, rq->current, now);
        if (!rq->shared.weight)
            balance_first(rq, now);
        vtime_join(&rq->shared, sc, wakes);
    }
    if (wakes)
        sc->waits_since = now;
    enqueue(rq, sc, false);
    return beats_current(rq, sc);
}

static void replenish_fired(struct timer *timer)
{
    struct sc *sc = container_of(timer, struct sc, replenish);
    struct runq *rq = lock_home(sc);
    uint64_t now = rdtsc();
    bool preempt = false;
    uint32_t cpu = sc->cpu;
    if (sc->exhausted) {
        sc->throttled += sc->wants_cpu ? now - sc->waits_since : 0;
        sc->waits_since = now;
        sc->left = MIN(sc->left + (int64_t)sc->is.budget, (int64_t)sc->is.budget);
        sc->period_end += sc->is.period;
        if (sc->period_end <= now)
            sc->period_end = now + sc->is.period;
        sc->exhausted = sc->left <= 0;
        if (sc->exhausted)
            timer_arm(&sc->replenish, sc->period_end);
        else
            trace(TRACE_REPLENISH, sc->id, sc->cpu);
        preempt = queue_it(rq, sc, true);
    }
    spin_unlock(&rq->lock);
    if (preempt)
        cpu_reschedule(cpus[cpu]);
}

struct sc_config sc_fixed(uint32_t cpu, uint32_t priority, uint64_t budget, uint64_t period)
{
    struct sc_config config = {
        .class = SC_FIXED, .priority = (uint8_t)priority, .budget = budget, .period = period};
    config.affinity.word[cpu / 64] = 1ull << cpu % 64;
    return config;
}

void sc_init(struct sc *sc, const struct sc_config *config)
{
    uint32_t cpu = cpuset_next_both(&config->affinity, &config->affinity, 0, SCHED_CPUS);
    static uint32_t last_id;
    *sc = (struct sc){.next = *config, .cpu = cpu, .last_cpu = cpu};
    sc->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    list_init(&sc->ready);
    list_init(&sc->movable);
    list_init(&sc->promises);
    timer_init(&sc->replenish, replenish_fired);
    apply(sc);
}

/* The queue whose lock guards its accounts. */
static struct runq *lock_place(const struct sc *sc)
{
    for (;;) {
        uint32_t on = __atomic_load_n((const uint32_t *)&sc->running, __ATOMIC_ACQUIRE);
        struct runq *rq = on ? cpus[on - 1]->runq : home(sc);
        spin_lock(&rq->lock);
        if (on == __atomic_load_n((const uint32_t *)&sc->running, __ATOMIC_ACQUIRE) &&
            (on || rq == home(sc)))
            return rq;
        spin_unlock(&rq->lock);
    }
}

void sc_account(const struct sc *sc, struct sc_info *info)
{
    struct runq *rq = lock_place(sc);
    uint64_t now = rdtsc();
    uint64_t since = sc->running ? sc->started : sc->waits_since;
    uint64_t more = now > since ? now - since : 0;
    info->used_tsc = sc->used + (sc->running ? more : 0);
    info->wait_tsc = sc->waited + (sc->queued ? more : 0);
    info->throttled_tsc = sc->throttled;
    if (sc->exhausted && sc->wants_cpu && !sc->running)
        info->throttled_tsc += more;
    info->cpu = sc->last_cpu;
    info->switches = sc->switches;
    info->migrations = sc->migrations;
    info->deadline_misses = sc->misses;
    spin_unlock(&rq->lock);
}

void sc_release(struct sc *sc)
{
    balance_promise(sc, sc->cpu, 0);
}

void sc_fini(struct sc *sc)
{
    timer_disarm(&sc->replenish);
}

void sched_go_home(struct sc *sc, bool ready)
{
    struct runq *rq = lock_home(sc);
    bool wakes = ready && !sc->wants_cpu;
    sc->wants_cpu |= ready;
    bool placed = sc->wants_cpu && balance_place(rq, sc);
    uint32_t cpu = sc->cpu;
    if (placed) {
        spin_unlock(&rq->lock);
        rq = lock_home(sc);
    }
    if (wakes)
        trace(TRACE_READY, sc->id, sc->cpu);
    bool preempt = queue_it(rq, sc, wakes);
    uint32_t queued_at = sc->cpu;
    spin_unlock(&rq->lock);
    if (preempt)
        cpu_reschedule(cpus[queued_at]);
    if (placed && (!preempt || cpu != queued_at))
        cpu_reschedule(cpus[cpu]);
}

void sched_ready(struct sc *sc)
{
    sched_go_home(sc, true);
}

/* The current context does not run any more. */
static void put_off(struct runq *rq, struct sc *sc)
{
    if (is_shared(sc))
        vtime_leave(&rq->shared, sc);
    rq->current = NULL;
    rq->shared.runs = false;
    __atomic_store_n((uint32_t *)&sc->running, 0, __ATOMIC_RELEASE);
}

void sched_unready(struct sc *sc)
{
    struct runq *own = cpu_self()->runq;
    spin_lock(&own->lock);
    bool was_current = own->current == sc;
    if (was_current) {
        charge(own, sc, rdtsc());
        sc->wants_cpu = false;
        put_off(own, sc);
        trace(TRACE_BLOCK, sc->id, sc->cpu);
    }
    spin_unlock(&own->lock);
    if (was_current)
        return;
    struct runq *rq = lock_home(sc);
    if (sc->wants_cpu)
        trace(TRACE_BLOCK, sc->id, sc->cpu);
    sc->wants_cpu = false;
    if (sc->queued)
        sched_dequeue(rq, sc);
    spin_unlock(&rq->lock);
}

/* Deadlines change hands, not virtual time: who helps another gains nothing by it. */
bool sched_yield_to(struct sc *to)
{
    struct runq *rq = lock_home(to);
    bool waits = to->queued && is_shared(to);
    if (waits) {
        vtime_remove(&rq->shared, to);
        to->v_deadline = to->v;
        vtime_insert(&rq->shared, to);
    }
    spin_unlock(&rq->lock);
    return waits;
}

struct sc *sched_current(void)
{
    return cpu_self()->runq->current;
}

/* Puts the context that ran back, unless its thread stopped meanwhile (another CPU's
 * sched_unready() leaves a current context to this one), or it is to change its CPU or its
 * parameters: then returns it for the caller to bring home. */
static struct sc *put_back(struct runq *rq, uint32_t cpu, bool yield, uint64_t now)
{
    struct sc *sc = rq->current;
    if (!sc)
        return NULL;
    charge(rq, sc, now);
    bool moves = __atomic_load_n(&sc->cpu, __ATOMIC_ACQUIRE) != cpu || sc->pending;
    if (moves || !sc->wants_cpu || sc->exhausted) {
        if (moves)
            sc->waits_since = now;
        put_off(rq, sc);
        return moves ? sc : NULL;
    }
    rq->current = NULL;
    rq->shared.runs = false;
    __atomic_store_n((uint32_t *)&sc->running, 0, __ATOMIC_RELAXED);
    if (is_shared(sc) && (yield || vtime_done(sc)))
        vtime_renew(sc);
    sc->waits_since = now;
    enqueue(rq, sc, !yield && sc->turn_left);
    return NULL;
}

/* When must this CPU look again although nothing happens? */
static void arm_slice(struct runq *rq, struct sc *sc, uint64_t now)
{
    uint64_t deadline = UINT64_MAX;
    if (is_shared(sc) && rq->shared.count > 1)
        deadline = now + vtime_left(sc);
    if (sc->is.class == SC_FIXED && !list_empty(&rq->ready[sc->is.priority]))
        deadline = now + sc->turn_left;
    if (!list_empty(&rq->movable))
        deadline = MIN(deadline, MAX(rq->balance_at, now + balance_period / 16));
    rq->looks = deadline != UINT64_MAX;
    if (sc->is.budget)
        deadline = MIN(deadline, now + (uint64_t)sc->left);
    /* One that is armed for an earlier moment is left: to look once too often costs less than to
     * arm it at each switch. */
    if (!rq->slice.cpu ? deadline != UINT64_MAX : deadline < rq->slice.deadline)
        timer_arm(&rq->slice, deadline);
    else if (deadline == UINT64_MAX && rq->slice.cpu)
        timer_disarm(&rq->slice);
}

static struct sc *best(struct runq *rq)
{
    uint32_t fixed = rq->bitmap ? 63 - (uint32_t)__builtin_clzll(rq->bitmap) : 0;
    if (fixed < SC_PRIORITY_URGENT && rq->reserved)
        return container_of(rq->reserved, struct sc, node);
    if (fixed < SC_PRIORITY_SYSTEM) {
        struct sc *sc = vtime_first(&rq->shared);
        if (sc)
            return sc;
    }
    return rq->bitmap ? list_first(&rq->ready[fixed], struct sc, ready) : NULL;
}

static void put_on(struct runq *rq, struct sc *sc, uint32_t cpu, uint64_t now)
{
    take_out(rq, sc);
    rq->current = sc;
    rq->shared.runs = is_shared(sc);
    rq->shared.charged = now;
    __atomic_store_n((uint32_t *)&sc->running, cpu + 1, __ATOMIC_RELAXED);
    sc->started = now;
    sc->waited += now - sc->waits_since;
    sc->migrations += sc->last_cpu != cpu;
    sc->last_cpu = cpu;
    if (sc->is.budget)
        check_deadline(sc, now);
    if (is_shared(sc) && vtime_done(sc))
        vtime_renew(sc);
    arm_slice(rq, sc, now);
}

/* Nothing may be queued on a CPU that is offline. Lock held, and released for a while. */
static void evacuate(struct runq *rq)
{
    for (struct sc *sc = best(rq); sc; sc = best(rq)) {
        balance_evacuate(rq, sc);
        spin_lock(&rq->lock);
    }
}

struct sc *sched_pick(bool yield)
{
    struct cpu *cpu = cpu_self();
    struct runq *rq = cpu->runq;
    spin_lock(&rq->lock);
    uint64_t now = rdtsc();
    struct sc *before = rq->current;
    struct sc *moved = put_back(rq, cpu->id, yield, now);
    if (unlikely(rq->offline))
        evacuate(rq);
    struct sc *next = best(rq);
    if (next) {
        put_on(rq, next, cpu->id, now);
        next->switches += next != before;
        if (rq->idle)
            balance_busy(rq);
    } else {
        balance_idle(rq);
    }
    if (next != before)
        trace(next ? TRACE_RUN : TRACE_IDLE, next ? next->id : 0, cpu->id);
    bool push = next && !list_empty(&rq->movable) && now >= rq->balance_at;
    spin_unlock(&rq->lock);
    if (moved)
        sched_go_home(moved, false);
    if (!next)
        balance_pull();
    else if (push)
        balance_push(now);
    return next;
}

bool sc_configure(struct sc *sc, const struct sc_config *config, uint32_t *promised)
{
    uint32_t cpu = sc->cpu, need = 0;
    *promised = 0;
    if (config->class == SC_RESERVED) {
        need = (uint32_t)((config->budget * 1000000 + config->period - 1) / config->period);
        cpu = balance_admit(sc, &config->affinity, need, promised);
        if (cpu == SCHED_CPUS)
            return false;
    } else if (!cpuset_has(&config->affinity, cpu)) {
        cpu = cpuset_next_both(&config->affinity, &config->affinity, 0, SCHED_CPUS);
    }
    balance_promise(sc, cpu, need);
    struct runq *rq = lock_home(sc);
    if (sc->queued)
        sched_dequeue(rq, sc);
    sc->next = *config;
    sc->pending = true;
    /* Last: partner put_back(), which may run on a CPU that is no more its home. */
    __atomic_store_n(&sc->cpu, cpu, __ATOMIC_RELEASE);
    uint32_t running = __atomic_load_n((uint32_t *)&sc->running, __ATOMIC_ACQUIRE);
    spin_unlock(&rq->lock);
    if (running)
        cpu_reschedule(cpus[running - 1]);
    sched_go_home(sc, false);
    return true;
}
