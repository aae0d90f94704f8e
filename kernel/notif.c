/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/notif.h"

#include "kernel/cap.h"
#include "kernel/portal.h"
#include "kernel/syscall.h"

static void timer_fired(struct timer *timer)
{
    struct notif *notif = container_of(timer, struct notif, timer);
    notif_signal(notif, notif->timer_bits);
}

int64_t sys_notif_create(struct thread *self, struct regs *r)
{
    int64_t status = cap_reserve(self->pd, r->rdi);
    if (status != OK)
        return status;
    struct notif *notif = obj_create(self->pd, OBJ_NOTIF, sizeof(*notif), &status);
    if (!notif)
        return status;
    list_init(&notif->waiters);
    timer_init(&notif->timer, timer_fired);
    return cap_insert(self->pd, r->rdi, &notif->obj, RIGHT_ALL, 0, NULL);
}

uint64_t notif_take(struct notif *notif)
{
    return __atomic_exchange_n((uint64_t *)&notif->bits, 0, __ATOMIC_SEQ_CST);
}

/* Ends the wait of the first thread in the queue; under the notification's lock. false: none. */
static bool wake_first(struct notif *notif)
{
    while (!list_empty(&notif->waiters)) {
        struct thread *thread = list_first(&notif->waiters, struct thread, waiting);
        list_del(&thread->waiting);
        timer_disarm(&thread->timeout);
        spin_lock(&thread->lock);
        bool waits = thread->state == THREAD_BLOCKED; /* else it is being killed */
        if (waits) {
            thread->regs.rax = notif->obj.dead ? (uint64_t)ERR_GONE : OK;
            thread->regs.rdi = notif->obj.dead ? 0 : notif_take(notif);
            thread_wake_locked(thread);
        }
        spin_unlock(&thread->lock);
        if (waits)
            return true;
    }
    return false;
}

void notif_signal(struct notif *notif, uint64_t bits)
{
    /* Partner: the exit loop stores cpu->in_guest, then looks at the bits. */
    uint64_t before = __atomic_fetch_or((uint64_t *)&notif->bits, bits, __ATOMIC_SEQ_CST);
    /* Whoever set them first wakes, and nobody waits while there are bits to take. */
    if ((before & bits) == bits)
        return;
    spin_lock(&notif->lock);
    bool taken = wake_first(notif);
    struct thread *bound = notif->bound;
    spin_unlock(&notif->lock);
    if (!taken && bound) {
        thread_kick(bound, VEC_RESCHED);
        portal_notify(bound, notif);
    }
}

int64_t sys_notif_signal(struct thread *self, struct regs *r)
{
    ARG_NOTIF(notif, r->rdi, r->rsi, RIGHT_WRITE);
    notif_signal(notif, notif_bits);
    return OK;
}

static int64_t take_now(struct notif *notif, struct regs *r)
{
    r->rdi = notif_take(notif);
    return OK;
}

int64_t sys_notif_poll(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct notif, notif, r->rdi, OBJ_NOTIF, RIGHT_READ);
    return take_now(notif, r);
}

int64_t sys_notif_wait(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct notif, notif, r->rdi, OBJ_NOTIF, RIGHT_READ);
    uint64_t deadline = r->rsi;
    spin_lock(&notif->lock);
    if (notif->bits || notif->obj.dead) {
        spin_unlock(&notif->lock);
        return notif->obj.dead ? ERR_GONE : take_now(notif, r);
    }
    if (deadline && deadline <= rdtsc()) {
        spin_unlock(&notif->lock);
        return ERR_TIMEOUT;
    }
    self->waits_notif = notif;
    bool blocked = thread_block(self, WAIT_NOTIF);
    if (blocked) {
        list_add_tail(&notif->waiters, &self->waiting);
        self->timeout.deadline = UINT64_MAX; /* for the timer of an earlier wait that fires late */
        if (deadline)
            timer_arm(&self->timeout, deadline);
    }
    spin_unlock(&notif->lock);
    return blocked ? SYSCALL_BLOCKED : SYSCALL_RESTART;
}

int64_t sys_notif_signal_wait(struct thread *self, struct regs *r)
{
    ARG_NOTIF(peer, r->rdx, r->r10, RIGHT_WRITE);
    notif_signal(peer, peer_bits);
    return sys_notif_wait(self, r);
}

void notif_timeout(struct timer *timer)
{
    struct thread *thread = container_of(timer, struct thread, timeout);
    struct notif *notif = thread->waits_notif;
    if (!notif)
        return;
    spin_lock(&notif->lock);
    /* The deadline tells a wait that began after this timer fired from the one it belongs to. */
    bool waits =
        thread->waits_notif == notif && !list_empty(&thread->waiting) && timer->deadline <= rdtsc();
    if (waits) {
        list_del(&thread->waiting);
        spin_lock(&thread->lock);
        if (thread->state == THREAD_BLOCKED)
            thread->regs.rax = (uint64_t)ERR_TIMEOUT;
        thread_wake_locked(thread);
        spin_unlock(&thread->lock);
    }
    spin_unlock(&notif->lock);
}

int64_t sys_notif_timer(struct thread *self, struct regs *r)
{
    ARG_NOTIF(notif, r->rdi, r->rdx, RIGHT_CONTROL);
    /* The lock keeps two CPUs from arming the one timer at once, and from arming it after
     * notif_destroy(). */
    spin_lock(&notif->lock);
    timer_disarm(&notif->timer);
    if (r->rsi && !notif->obj.dead) {
        notif->timer_bits = notif_bits;
        timer_arm(&notif->timer, r->rsi);
    }
    spin_unlock(&notif->lock);
    return OK;
}

void notif_destroy(struct obj *obj)
{
    struct notif *notif = (struct notif *)obj;
    spin_lock(&notif->lock);
    timer_disarm(&notif->timer);
    while (wake_first(notif)) {
    }
    spin_unlock(&notif->lock);
}
