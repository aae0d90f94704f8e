/* SPDX-License-Identifier: BSD-2-Clause */
#include "sched/vtime.h"

#define CARRY_SLICES 128u /* lag that a context keeps when it changes its CPU, at most */
/* The same for all of a CPU against another: each on average, and in all. */
#define CLAIM_SLICES 64u
#define CLAIM_MOST   512u
#define RUN_MAX      (1ull << 40) /* cycles charged at once; alone, the mean goes with it anyway */

uint64_t vtime_slice;
uint64_t vtime_front;

/* Seen from now; below 0: it is owed. */
static int64_t ahead(const struct vtime *vt, const struct sc *sc)
{
    return (int64_t)(sc->v - vt->now) * (int64_t)sc->is.weight;
}

static void advance(struct vtime *vt, uint64_t steps)
{
    vt->now += steps;
    vt->ahead -= (int64_t)(steps * vt->weight);
}

void vtime_join(struct vtime *vt, struct sc *sc, bool wakes)
{
    sc->v -= vt->offset;
    if (vt->weight) {
        /* CPUs' virtual times differ; what it had on its own, however much, it keeps. */
        uint64_t reach = vtime_of(sc, CARRY_SLICES * vtime_slice);
        uint64_t owed = sc->lag < 0 ? (uint64_t)-sc->lag : 0;
        uint64_t over = sc->lag > 0 ? (uint64_t)sc->lag : 0;
        uint64_t beyond = wakes ? over : MAX(reach, over);
        sc->v = time_later(sc->v, vt->now - (wakes ? MIN(reach, owed) : MAX(reach, owed)));
        if (time_before(vt->now + beyond, sc->v))
            sc->v = vt->now + beyond;
    } else {
        uint64_t front = __atomic_load_n(&vtime_front, __ATOMIC_RELAXED) - vt->offset;
        sc->v = vt->now = time_later(time_later(vt->now, front), sc->v);
    }
    /* A short first request: it goes before those that compute all the time. */
    sc->v_deadline = sc->v + vtime_of(sc, wakes ? vtime_slice / 4 : vtime_slice);
    vt->weight += sc->is.weight;
    vt->count++;
    vt->ahead += ahead(vt, sc);
}

void vtime_leave(struct vtime *vt, struct sc *sc)
{
    vt->ahead -= ahead(vt, sc);
    sc->lag = (int64_t)(sc->v - vt->now);
    vt->weight -= sc->is.weight;
    vt->count--;
    if (!vt->weight)
        vt->now = time_later(vt->now, sc->v);
    sc->v += vt->offset;
}

/* total / divisor; the remainder is kept for the next time, so that no rounding adds up. */
static uint64_t divide(uint64_t total, uint64_t *rest, uint64_t divisor)
{
    total += *rest;
    uint64_t quotient = total / divisor;
    *rest = total - quotient * divisor;
    return quotient;
}

void vtime_run(struct vtime *vt, struct sc *sc, uint64_t cycles)
{
    uint64_t work = MIN(cycles, RUN_MAX) * 1024;
    uint64_t steps = divide(work, &sc->residue, sc->is.weight);
    sc->v += steps;
    vt->ahead += (int64_t)(steps * sc->is.weight);
    steps = divide(work, &vt->residue, vt->weight);
    if (vt->ahead > 0)
        advance(vt, MIN(steps, (uint64_t)vt->ahead / vt->weight));
}

uint64_t vtime_below(const struct vtime *vt, const struct sc *sc, uint64_t cycles)
{
    int64_t room = (int64_t)cycles - ahead(vt, sc) / 1024;
    return room > 0 ? MIN((uint64_t)room, cycles) : 0;
}

void vtime_pay(struct vtime *vt, struct sc *sc, uint64_t cycles)
{
    uint64_t steps = divide(cycles * 1024, &sc->residue, sc->is.weight);
    sc->v += steps;
    vt->ahead += (int64_t)(steps * sc->is.weight);
}

void vtime_renew(struct sc *sc)
{
    sc->v_deadline = sc->v + vtime_of(sc, vtime_slice);
}

void vtime_insert(struct vtime *vt, struct sc *sc)
{
    sc->eligible = !time_before(vt->now, sc->v);
    if (sc->eligible)
        heap_insert(&vt->eligible, &sc->node, sc->v_deadline);
    else
        heap_insert(&vt->early, &sc->node, sc->v);
}

void vtime_remove(struct vtime *vt, struct sc *sc)
{
    heap_remove(sc->eligible ? &vt->eligible : &vt->early, &sc->node);
}

struct sc *vtime_first(struct vtime *vt)
{
    if (!vt->eligible && vt->early && time_before(vt->now, vt->early->key))
        advance(vt, vt->early->key - vt->now);
    while (vt->early && !time_before(vt->now, vt->early->key)) {
        struct sc *sc = container_of(vt->early, struct sc, node);
        vtime_remove(vt, sc);
        vtime_insert(vt, sc);
    }
    return vt->eligible ? container_of(vt->eligible, struct sc, node) : NULL;
}

uint64_t vtime_left(const struct sc *sc)
{
    return time_before(sc->v, sc->v_deadline) ? (sc->v_deadline - sc->v) * sc->is.weight / 1024 : 0;
}

uint64_t vtime_estimate(const struct vtime *vt, uint64_t now)
{
    uint64_t at = vt->now + vt->offset, weight = __atomic_load_n(&vt->weight, __ATOMIC_RELAXED);
    uint64_t charged = __atomic_load_n(&vt->charged, __ATOMIC_RELAXED);
    if (!vt->runs || !weight || !time_before(charged, now)) /* another CPU may have charged since */
        return at;
    return at + MIN(now - charged, RUN_MAX) * 1024 / weight;
}

uint64_t vtime_missing(const struct vtime *vt, uint64_t now, uint64_t at)
{
    uint64_t weight = __atomic_load_n(&vt->weight, __ATOMIC_RELAXED);
    uint64_t slices = MIN(CLAIM_SLICES * vt->count, CLAIM_MOST);
    uint64_t has = vtime_estimate(vt, now) + (weight ? slices * vtime_slice * 1024 / weight : 0);
    return time_before(has, at) ? at - has : 0;
}
