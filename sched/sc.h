/* SPDX-License-Identifier: BSD-2-Clause */
/* Scheduling contexts: what a CPU chooses between. A thread runs on its own context, or on that of
 * the caller it serves. Three classes under one mechanism: fixed priority, reserved (constant
 * bandwidth, earliest deadline first) and shared (earliest eligible virtual deadline first). */
#ifndef SCHED_SC_H
#define SCHED_SC_H

#include "abi/thread.h"
#include "lib/list.h"
#include "sched/cpuset.h"
#include "sched/timer.h"

#define SC_PRIORITIES 64u

struct thread;
struct cpu;

struct sc_config {
    uint8_t class; /* enum sc_class */
    uint8_t priority;
    uint32_t weight;         /* SC_SHARED */
    uint64_t budget, period; /* TSC; budget 0: no limit */
    struct cpuset affinity;
};

/* Legend: (l) under the lock of the home's run queue; (r) while it runs, of its CPU's run queue;
 * (o) object lock. */
struct sc {
    struct list ready;     /* (l) fixed priority: in its queue */
    struct list movable;   /* (l) queued and free to go elsewhere */
    struct heap_node node; /* (l) reserved, shared: in a heap of the run queue */
    /* (l) wants_cpu: its thread can run. eligible: in that heap. pending: next is to be applied as
     * soon as it does not run. */
    bool queued, exhausted, wants_cpu, eligible, pending;
    bool pinned; /* (l) one allowed CPU, or reserved: stays at home */
    /* 1 + the CPU that runs it, 0: none. Until that CPU puts it back no other queues it, though its
     * home may have changed. Written under that CPU's lock. */
    _Atomic uint32_t running;
    uint32_t cpu;           /* home */
    uint32_t last_cpu;      /* (r) ran last */
    uint32_t rank;          /* (l) see rank_of() */
    struct sc_config is;    /* (l) */
    struct sc_config next;  /* (l) */
    uint32_t promised;      /* (o) millionths of its CPU */
    struct list promises;   /* (o) reserved: in its CPU's list */
    int64_t left;           /* (l,r) of the budget in this period; overrun: below 0 */
    uint64_t period_end;    /* (l,r) reserved: the deadline */
    uint64_t started;       /* (r) TSC when it was put on the CPU or last charged */
    uint64_t turn_left;     /* (l,r) fixed: TSC until an equal that waits comes first */
    uint64_t v, v_deadline; /* (l,r) shared, see vtime.h */
    int64_t lag;            /* (l) shared: v beyond its CPU's virtual time when it left there */
    uint64_t residue;       /* (l,r) cycles times 1024, modulo weight, that v lacks */
    uint64_t waits_since;   /* (l) TSC, queued or exhausted */
    uint64_t used;          /* TSC cycles in all */
    struct sc *payer;       /* whose debt its time counts to, itself too; constant once bound */
    bool pays;              /* it works that debt off */
    _Atomic uint64_t debt;  /* cycles that others ran for it, and nobody has paid yet */
    uint64_t billed;        /* of used: by sched_bill(); own thread only */
    uint64_t switches, waited, throttled, migrations, misses;
    struct timer replenish;
    uint32_t id;           /* in the trace */
    struct thread *thread; /* who runs on it; NULL: nobody, it is never queued then */
};

/* One CPU, fixed priority. */
struct sc_config sc_fixed(uint32_t cpu, uint32_t priority, uint64_t budget, uint64_t period);
void sc_init(struct sc *sc, const struct sc_config *config);
/* At once, also while it runs. false: the reservation fits on no allowed CPU that is online;
 * *promised: what the best of them has promised, in millionths. Object lock. */
bool sc_configure(struct sc *sc, const struct sc_config *config, uint32_t *promised);
/* Its thread can run: queue it at its home CPU, or on an idle one, and if it beats what runs there,
 * make that CPU reschedule. */
void sched_ready(struct sc *sc);
/* Its thread cannot run any more: out of the queue. */
void sched_unready(struct sc *sc);
/* Own CPU: charges what ran and picks what runs next; NULL: idle. yield: what ran goes behind its
 * equals. */
struct sc *sched_pick(bool yield);
/* What sched_pick gave last on this CPU, unless it became unready since. */
struct sc *sched_current(void);
/* Own CPU's current context gives what is left of its request to another, which waits somewhere: it
 * goes before its equals as soon as it is owed anything. false: it does not wait, or is of another
 * class. */
bool sched_yield_to(struct sc *to);
/* What ran on it since the last such call was for the payer of `whom`, who owes it now. On the CPU
 * that runs it. */
void sched_bill(struct sc *sc, struct sc *whom);
/* Its figures up to now, also of the turn or the wait that is not over. */
void sc_account(const struct sc *sc, struct sc_info *info);
bool runq_init(struct cpu *cpu);
/* The context is about to be freed: it must be unready; its timer is disarmed. */
void sc_fini(struct sc *sc);
/* It is destroyed: what it was promised is free again. Object lock. */
void sc_release(struct sc *sc);
/* Which CPUs are near this one, itself included, from the nearest: threads of its core, those that
 * share its last cache, its memory node, that and the nodes next to it. The sets grow. */
#define SCHED_LEVELS 4u
void sched_near(uint32_t cpu, const struct cpuset near[SCHED_LEVELS]);
/* Contexts leave an offline CPU at once, to where their affinity lets them, or, if that has no CPU
 * online, to any. false: its reservations fit nowhere else, or it is the last one. Object lock. */
bool sched_offline(uint32_t cpu);
void sched_online(uint32_t cpu);
/* Upward event, defined in kernel/thread.c: the CPU should look at its queue again (sets
 * cpu->resched, kicks). */
void cpu_reschedule(struct cpu *cpu);
/* In cpu->resched: what runs goes behind its equals. */
#define RESCHED_YIELD 3u

#endif
