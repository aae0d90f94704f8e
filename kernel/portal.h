/* SPDX-License-Identifier: BSD-2-Clause */
/* Portal: synchronous call. A server without a scheduling context of its own runs on its caller's.
 */
#ifndef KERNEL_PORTAL_H
#define KERNEL_PORTAL_H

#include "kernel/thread.h"

/* Lock order: notification, portal, thread, run queue, timer queue. */
struct portal { /* OBJ_PORTAL */
    struct obj obj;
    spinlock_t lock;
    struct list callers; /* struct thread.waiting, WAIT_PORTAL_CALL */
    struct list servers; /* struct thread.waiting, WAIT_PORTAL_SERVE */
};

/* A bound notification fired: a server that waits in a portal gets NOTIFIED. */
void portal_notify(struct thread *server);
/* The thread dies: its caller gets ERR_GONE, its server's reply goes nowhere. */
void portal_detach(struct thread *thread);
void portal_destroy(struct obj *obj);

#endif
