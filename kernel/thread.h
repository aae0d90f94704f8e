/* SPDX-License-Identifier: BSD-2-Clause */
/* Ring-3 threads. The kernel has one stack a CPU: a thread that does not run is only this
 * structure. */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include "abi/thread.h"
#include "abi/utcb.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/regs.h"
#include "kernel/obj.h"
#include "sched/sc.h"

struct notif;
struct portal;
struct vcpu;

enum thread_wait {
    WAIT_NONE,
    WAIT_NOTIF,
    WAIT_PORTAL_CALL,
    WAIT_PORTAL_SERVE,
    WAIT_REPLY,
    WAIT_VCPU
};

struct thread { /* OBJ_THREAD */
    struct obj obj;
    struct regs regs;  /* of ring 3; the entry code pushes here */
    struct pd *pd;     /* referenced */
    struct utcb *utcb; /* kernel address of the UTCB page */
    uint64_t utcb_va;  /* ring-3 address: FS.base */
    struct list in_pd;

    spinlock_t lock;      /* state, wait, wake_pending */
    uint8_t state;        /* enum thread_state */
    uint8_t wait;         /* enum thread_wait, while THREAD_BLOCKED */
    bool suspend;         /* stop at the next kernel exit */
    bool served_call;     /* its last portal wait gave a call, not a notification */
    uint32_t words, caps; /* of the message it sends */
    uint64_t badge;       /* of the portal capability it called through */
    struct sc *sc;        /* what it runs on; NULL: cannot run */
    struct sc
        *own_sc; /* bound to it by sc_bind; differs from sc while it serves a call or has lent it */
    _Atomic uint32_t cpu; /* CPU it runs or last ran on */
    _Atomic bool on_cpu;  /* its registers or vCPU are loaded there */

    struct list waiting; /* in a notification's or portal's queue */
    struct notif *waits_notif;
    struct timer timeout;          /* of notif_wait */
    struct portal *portal;         /* in whose queue it is; under that portal's lock */
    struct thread *_Atomic caller; /* served client, waits for our reply; whoever takes it out (we,
                                      or who ends the call) answers it */
    struct thread *server;         /* who serves us */

    struct notif *bound; /* referenced */
    struct vcpu *vcpu;   /* vcpu_run in progress: resume by vcpu_resume(), not to ring 3 */
    struct vcpu *ran;    /* referenced: vcpu, or the last one, whose state may be in this CPU */

    struct fpu_area fpu;
    struct notif *fault_notif; /* referenced */
    uint64_t fault_bits;
    uint64_t fault_vector, fault_error, fault_addr;
};

static inline struct thread *thread_self(void)
{
    return cpu_self()->current;
}

/* Puts the running thread to sleep unless *pending is set; checks and sleeps atomically against
 * thread_wake(). true: asleep now, the CPU must reschedule (the caller returns to kernel_exit). */
bool thread_sleep(struct thread *thread, enum thread_wait wait, const _Atomic uint32_t *pending);
/* Makes a sleeping thread ready; no effect (false) on any other. The waker sets the pending word
 * first. A thread in a queue is taken out and woken under the queue's lock. */
bool thread_wake(struct thread *thread);
bool thread_wake_locked(struct thread *thread); /* thread->lock held */
/* If the thread is in a guest on some CPU, makes it leave; if it sleeps in HLT (WAIT_VCPU), wakes
 * it. */
void thread_kick(struct thread *thread, uint8_t vector);

/* Takes a blocked thread out of the queue it waits in; its call ends with `status`. */
void thread_cancel_wait(struct thread *thread, int64_t status);
/* State, registers and fault for thread_info() and pd_info(). */
void thread_describe(const struct thread *thread, struct thread_info *info);
/* The running thread did something a program must not do: stops it and tells its owner. */
void thread_fault(struct thread *thread, uint64_t vector, uint64_t error, uint64_t address);
/* Blocks the running thread without a condition; the caller holds the queue's lock and queues it
 * only then. false: it shall stop instead (suspended, killed): the call is to be restarted. */
bool thread_block(struct thread *thread, enum thread_wait wait);
bool thread_block_locked(struct thread *thread, enum thread_wait wait); /* thread->lock held */

struct sc_object { /* OBJ_SC */
    struct obj obj;
    struct sc sc;
    struct thread *owner; /* bound by sc_bind; NULL when it dies */
};

/* Object lock, outside a section. false: the thread is being killed by whoever holds it; leave the
 * kernel. */
bool object_lock_take(void);

/* Kernel exit: chooses what runs next on this CPU and returns the registers to load. */
struct regs *kernel_exit(void);

/* Upward events, defined in virt/vcpu.c. vcpu_resume enters the guest and handles exits until the
 * thread must do something else. */
enum vcpu_outcome {
    VCPU_TO_USER, /* vcpu_run is complete: thread->regs.rax and results are set, thread->vcpu is
                     NULL */
    VCPU_RESCHED, /* cpu->resched is set; resume later */
    VCPU_SLEEPS   /* the thread was put to sleep (HLT, wait for SIPI) */
};
enum vcpu_outcome vcpu_resume(struct thread *thread, struct vcpu *vcpu);
/* The thread stops running on this CPU for another (or the idle loop): leave nothing of the guest
 * that it runs, or ran last (thread->ran), in registers. */
void vcpu_put(struct thread *thread, struct vcpu *vcpu);
/* The thread is suspended, killed or its call must end: vcpu_run fails with `status` when it is
 * resumed. */
void vcpu_abort(struct thread *thread, struct vcpu *vcpu, int64_t status);

/* Its domain or last capability is gone: stops it wherever it is. Object lock held. */
void thread_kill(struct thread *thread);
/* Called by obj.c. */
void thread_destroy(struct obj *obj);
void thread_free(struct obj *obj);
void sc_object_destroy(struct obj *obj);
void sc_object_free(struct obj *obj);

#endif
