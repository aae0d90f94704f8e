/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPU a context goes to: inside sched/ only. Two run queues are never locked together: a
 * context that changes its CPU is taken out of one, given its new home, and put into the other by
 * sched_go_home(), which finds out what became of it in between. */
#ifndef SCHED_BALANCE_H
#define SCHED_BALANCE_H

#include "sched/runq.h"

extern uint64_t balance_period; /* TSC; constant after start */

/* A context comes to be queued, its home's lock held. true: its home is now an idle CPU instead,
 * which is to reschedule in any case. */
bool balance_place(struct runq *rq, struct sc *sc);
/* The first shared context comes to a CPU: others' virtual time is looked at, so that
 * it has no claim for the time that was nobody's. Lock held. */
void balance_first(struct runq *rq, uint64_t now);
/* sc->movable came into, or goes out of, the queue; lock held. */
void balance_insert(struct runq *rq, struct sc *sc);
void balance_remove(struct runq *rq, struct sc *sc);
/* Own CPU has nothing to run, and says so; lock held. */
void balance_idle(struct runq *rq);
void balance_busy(struct runq *rq);
/* Own CPU is idle: fetches what waits elsewhere. No lock held. */
void balance_pull(void);
/* Own CPU, once a period while movable contexts wait: sends them to idle CPUs, or where they would
 * already have got more. No lock held. */
void balance_push(uint64_t now);
/* Sends a queued context away from a CPU that is offline. Lock held, and released. */
void balance_evacuate(struct runq *rq, struct sc *sc);
/* Best CPU for a reservation; SCHED_CPUS: it fits on none. Object lock. */
uint32_t balance_admit(const struct sc *sc, const struct cpuset *affinity, uint32_t need,
                       uint32_t *promised);
/* Books `need` millionths of its home instead of what it had. Object lock. */
void balance_promise(struct sc *sc, uint32_t cpu, uint32_t need);

#endif
