/* SPDX-License-Identifier: BSD-2-Clause */
/* Notification: 64 event bits, one queue of waiters, one timer; may be bound to one thread. */
#ifndef KERNEL_NOTIF_H
#define KERNEL_NOTIF_H

#include "kernel/thread.h"

struct notif { /* OBJ_NOTIF */
    struct obj obj;
    _Atomic uint64_t bits;
    spinlock_t lock;     /* waiters, bound */
    struct list waiters; /* struct thread.waiting */
    struct thread
        *bound; /* thread whose vcpu_run and portal_wait it ends; cleared by the thread's destroy */
    struct timer timer;
    uint64_t timer_bits;
};

/* From any CPU and any context without the notification's lock. */
void notif_signal(struct notif *notif, uint64_t bits);
/* A capability's badge is the set of bits that can be signalled through it, by whatever call. */
static inline uint64_t notif_allowed(uint64_t badge, uint64_t bits)
{
    return badge ? bits & badge : bits;
}
/* Takes all bits. */
uint64_t notif_take(struct notif *notif);
/* True if the thread's bound notification has bits: vcpu_resume checks before each entry. */
static inline bool notif_pending(const struct thread *thread)
{
    const struct notif *n = thread->bound;
    return n && __atomic_load_n((const uint64_t *)&n->bits, __ATOMIC_RELAXED) != 0;
}

/* The timeout of a thread's notif_wait. */
void notif_timeout(struct timer *timer);
/* Called by obj.c. */
void notif_destroy(struct obj *obj);

#endif
