/* SPDX-License-Identifier: BSD-2-Clause */
/* Portal: synchronous call. A server without a scheduling context of its own runs on its caller's.
 */
#ifndef KERNEL_PORTAL_H
#define KERNEL_PORTAL_H

#include "kernel/thread.h"

/* Lock order: object lock, notification, portal, calling thread, serving thread, run queue, timer
 * queue. (A thread is on one side of one call only while it is being connected.) */
struct portal { /* OBJ_PORTAL */
    struct obj obj;
    spinlock_t lock;
    struct list callers; /* struct thread.waiting, WAIT_PORTAL_CALL */
    struct list servers; /* struct thread.waiting, WAIT_PORTAL_SERVE */
};

/* Its bound notification fired: a server that waits in a portal gets NOTIFIED, unless it has no
 * scheduling context to run on. */
void portal_notify(struct thread *server, struct notif *notif);
/* The thread is dead: its caller gets ERR_GONE, a lent context goes back. Object lock held. */
void portal_detach(struct thread *thread);
void portal_destroy(struct obj *obj);

#endif
