/* SPDX-License-Identifier: BSD-2-Clause */
/* The run queue of a CPU: inside sched/ only. */
#ifndef SCHED_RUNQ_H
#define SCHED_RUNQ_H

#include "arch/x86_64/spinlock.h"
#include "sched/sc.h"

/* Virtual time of the shared contexts on this CPU that run or are queued, see vtime.h. */
struct vtime {
    struct heap_node *eligible; /* by virtual deadline */
    struct heap_node *early;    /* got more than their share: by v */
    uint64_t now;
    uint64_t residue; /* cycles times 1024, modulo weight, that now lacks */
    uint64_t weight;  /* sum */
    int64_t ahead;    /* sum of weight * (v - now) */
    uint32_t count;
    uint64_t offset;  /* local plus offset: the machine's virtual time */
    uint64_t charged; /* TSC of the last charge */
    bool runs;        /* one of them is the current context */
};

/* Legend: (l) under lock; the current context leaves only on its own CPU. (o) object lock. */
struct runq {
    spinlock_t lock;
    bool looks;      /* (l) the slice ends current's turn, or balances, if anything waits */
    bool idle;       /* (l) in the machine's set of idle CPUs, unless somebody took it out */
    bool offline;    /* (l) */
    uint64_t bitmap; /* (l) priorities with contexts in ready[] */
    struct heap_node *reserved; /* (l) by deadline */
    struct vtime shared;        /* (l) */
    struct sc *current;         /* (l) not queued */
    struct list movable;        /* (l) queued contexts that may go to other CPUs */
    uint64_t balance_at;        /* own CPU: TSC */
    uint32_t probe;             /* a hint: the next CPU to compare with */
    uint32_t promised;          /* (o) to reserved contexts, in millionths */
    struct list promises;       /* (o) these */
    struct timer slice;
    struct cpuset near[SCHED_LEVELS]; /* constant once guests run; all empty: nothing is known */
    struct list ready[SC_PRIORITIES]; /* (l) */
};

/* Puts a context that was dequeued (or is new at its home) where it belongs now. ready: its thread
 * can run from now on. */
void sched_go_home(struct sc *sc, bool ready);
/* Takes it out of the queue and, if shared, out of the virtual time; lock held. */
void sched_dequeue(struct runq *rq, struct sc *sc);

#endif
