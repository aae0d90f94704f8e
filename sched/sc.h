/* SPDX-License-Identifier: BSD-2-Clause */
/* Scheduling contexts: what a CPU chooses between. A thread runs on its own context, or on that of
 * the caller it serves. This header is the seam behind which policies (weights, caps, reservations,
 * balancing) live. */
#ifndef SCHED_SC_H
#define SCHED_SC_H

#include "lib/list.h"
#include "sched/timer.h"

#define SC_PRIORITIES 64u

struct thread;

struct sc {
    struct list ready; /* in the run queue of cpu, if queued */
    /* Under the lock of the home's run queue. wants_cpu: its thread can run. */
    bool queued, exhausted, wants_cpu;
    /* 1 + the CPU that runs it, 0: none. Until that CPU puts it back no other queues it, though its
     * home may have changed. Written under that CPU's lock. */
    _Atomic uint32_t running;
    uint32_t cpu; /* home */
    uint32_t priority;
    uint64_t budget, period; /* TSC; budget 0: no limit */
    uint64_t left;           /* of the budget in this period */
    uint64_t started;        /* TSC when it was put on the CPU or last charged */
    uint64_t turn_left;      /* TSC until an equal that waits comes first */
    uint64_t period_end;
    uint64_t used; /* TSC cycles in all */
    uint64_t switches;
    struct timer replenish;
    struct thread *thread; /* who runs on it; NULL: nobody, it is never queued then */
};

void sc_init(struct sc *sc, uint32_t cpu, uint32_t priority, uint64_t budget, uint64_t period);
void sc_configure(struct sc *sc, uint32_t cpu, uint32_t priority, uint64_t budget, uint64_t period);
/* Its thread can run: queue it at its home CPU and, if it beats what runs there, make that CPU
 * reschedule. */
void sched_ready(struct sc *sc);
/* Its thread cannot run any more: out of the queue. */
void sched_unready(struct sc *sc);
/* Own CPU: charges what ran and picks what runs next; NULL: idle. yield: what ran goes behind its
 * equals. */
struct sc *sched_pick(bool yield);
/* What sched_pick gave last on this CPU, unless it became unready since. */
struct sc *sched_current(void);
/* The context is about to be freed: it must be unready; its timer is disarmed. */
void sc_fini(struct sc *sc);
bool runq_init(struct cpu *cpu);
/* Upward event, defined in kernel/thread.c: the CPU should look at its queue again (sets
 * cpu->resched, kicks). */
void cpu_reschedule(struct cpu *cpu);

#endif
