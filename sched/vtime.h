/* SPDX-License-Identifier: BSD-2-Clause */
/* Proportional share by earliest eligible virtual deadline (Stoica and Abdel-Wahab, 1995), with a
 * virtual time that never goes back.
 *
 * Each shared context has a virtual time v: cycles received times 1024 / weight. A CPU's virtual
 * time is what v would be on an ideal fluid machine: it advances by cycles * 1024 / sum of the
 * weights that compete. weight * (now - v) is a context's lag: what it is owed. Who is owed nothing
 * (v > now) waits; of the others the one runs whose request, a slice, is to be complete first in
 * virtual time. While nobody joins or leaves, the lags add up to 0, and none goes beyond one slice
 * either way.
 *
 * Who leaves takes its lag with it, and the sum is not 0 any more. Above 0, the virtual time stands
 * still until that is worked off; below, it jumps when nobody is eligible. It never goes back, so
 * nobody is ever ahead by more than one slice and what it brought along; and all that are behind
 * together are behind by what others are ahead.
 *
 * Between CPUs: virtual times, with their offsets, are one scale, and whoever is owed two
 * slices on the scale of another CPU goes there, one a balancing period. In the simulator
 * equals that never rest get the same but for some ten slices. CPUs whose contexts cannot be
 * balanced (one was idle, has a single context, or pinned ones) part, but no further than contexts
 * may carry from one to the other. */
#ifndef SCHED_VTIME_H
#define SCHED_VTIME_H

#include "sched/runq.h"

extern uint64_t vtime_slice; /* TSC; constant after start */
/* How far ahead any CPU's virtual time was seen: where an empty one goes on. */
extern uint64_t vtime_front;

static inline uint64_t vtime_of(const struct sc *sc, uint64_t cycles)
{
    return cycles * 1024 / sc->is.weight;
}
/* Starts to compete. wakes: it slept, so it is owed nothing for that time; what it was owed before,
 * and what it overdrew, still counts. */
void vtime_join(struct vtime *vt, struct sc *sc, bool wakes);
void vtime_leave(struct vtime *vt, struct sc *sc);
void vtime_run(struct vtime *vt, struct sc *sc, uint64_t cycles);
/* How far it is from being so many of its cycles ahead; at most `cycles`. */
uint64_t vtime_below(const struct vtime *vt, const struct sc *sc, uint64_t cycles);
/* It pays for cycles that others ran: its virtual time alone moves on. */
void vtime_pay(struct vtime *vt, struct sc *sc, uint64_t cycles);
/* Its request is served, or it yields: the next one. */
void vtime_renew(struct sc *sc);
/* Who competes waits for the CPU, or stops waiting. */
void vtime_insert(struct vtime *vt, struct sc *sc);
void vtime_remove(struct vtime *vt, struct sc *sc);
/* Who shall run; NULL: none waits. */
struct sc *vtime_first(struct vtime *vt);
/* Cycles until its request is served. */
uint64_t vtime_left(const struct sc *sc);
/* The machine's virtual time on a CPU; from elsewhere without lock an estimate. */
uint64_t vtime_estimate(const struct vtime *vt, uint64_t now);
/* By how much it is further behind `at` than contexts can be owed for. The same without lock. */
uint64_t vtime_missing(const struct vtime *vt, uint64_t now, uint64_t at);
/* Its request is complete. */
static inline bool vtime_done(const struct sc *sc)
{
    return !time_before(sc->v, sc->v_deadline);
}

#endif
