/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/portal.h"

#include "kernel/cap.h"
#include "kernel/notif.h"
#include "kernel/quiesce.h"
#include "kernel/syscall.h"
#include "lib/string.h"

int64_t sys_portal_create(struct thread *self, struct regs *r)
{
    int64_t status = cap_reserve(self->pd, r->rdi);
    if (status != OK)
        return status;
    struct portal *portal = obj_create(self->pd, OBJ_PORTAL, sizeof(*portal), &status);
    if (!portal)
        return status;
    list_init(&portal->callers);
    list_init(&portal->servers);
    return cap_insert(self->pd, r->rdi, &portal->obj, RIGHT_ALL, 0, NULL);
}

/* Copies the capabilities that the sender named into the receiver's free slots; returns how many.
 * Object lock held. */
static uint32_t transfer_caps(struct thread *from, struct thread *to)
{
    uint32_t done = 0, first = to->utcb->recv_slot;
    for (; first && done < from->caps; done++) {
        struct utcb_cap send = from->utcb->send[done];
        struct cap *cap = cap_lookup(from->pd, send.slot);
        if (!cap || cap_copy(cap, to->pd, (uint64_t)first + done, send.rights, 0) != OK)
            break;
    }
    return done;
}

/* The receiver is stopped, and its lock held, or it is the running thread: its registers may be
 * written. */
static void transfer(struct thread *from, struct thread *to, uint64_t badge)
{
    memcpy(to->utcb->mr, from->utcb->mr, from->words * sizeof(uint64_t));
    uint32_t caps = from->caps ? transfer_caps(from, to) : 0;
    to->regs.rax = OK;
    to->regs.rdi = from->words | (uint64_t)caps << 32;
    to->regs.rsi = badge;
}

static struct sc_object *object_of(struct sc *sc)
{
    return container_of(sc, struct sc_object, sc);
}

/* Both locks held. A borrower has a reference, which goes from hand to hand in nested calls. */
static void lend_sc(struct thread *caller, struct thread *server)
{
    struct sc *sc = caller->sc;
    if (!sc || server->sc)
        return;
    if (sc == caller->own_sc)
        obj_ref(&object_of(sc)->obj);
    caller->sc = NULL;
    server->sc = sc;
    sc->thread = server;
}

/* false: the thread does not need or cannot take it. */
static bool give_sc(struct sc *sc, struct thread *to)
{
    if (!to)
        return false;
    spin_lock(&to->lock);
    bool taken = to->state != THREAD_DEAD && !to->sc;
    if (taken) {
        to->sc = sc;
        sc->thread = to;
        if (to->state == THREAD_READY)
            sched_ready(sc);
    }
    spin_unlock(&to->lock);
    return taken;
}

/* Gives a lent context back: to the caller, else to the thread that it belongs to (whose call ended
 * early); else it just stops. */
static void return_sc(struct thread *server, struct thread *caller)
{
    spin_lock(&server->lock);
    struct sc *sc = server->sc, *own = server->own_sc;
    bool lent = sc && sc != own;
    if (lent)
        server->sc = own && !object_of(own)->obj.dead && !own->thread ? own : NULL;
    if (lent && server->sc)
        own->thread = server;
    spin_unlock(&server->lock);
    if (!lent)
        return;
    cpu_self()->resched = 1;
    struct sc_object *object = object_of(sc);
    bool taken = !object->obj.dead && (give_sc(sc, caller) || give_sc(sc, object->owner));
    if (!taken) {
        sched_unready(sc);
        sc->thread = NULL;
    }
    if (!taken || sc->thread == object->owner)
        obj_unref(&object->obj);
}

/* Both locks held, both out of all queues, the caller blocked. */
static void connect(struct thread *caller, struct thread *server)
{
    caller->wait = WAIT_REPLY;
    caller->regs.rax = (uint64_t)ERR_GONE; /* unless a reply comes */
    transfer(caller, server, caller->badge);
    caller->server = server;
    __atomic_store_n((struct thread **)&server->caller, caller, __ATOMIC_RELEASE);
}

static bool message_ok(uint64_t words, uint64_t caps)
{
    return words <= UTCB_WORDS && caps <= UTCB_CAPS;
}

/* Capabilities are copied under the object lock: it is taken before anything is looked up, as
 * structural calls do (quiesce.h), and held until caller and server are connected or separated, so
 * that neither dies in between. */
static int64_t under_object_lock(int64_t (*handler)(struct thread *, struct regs *, bool),
                                 struct thread *self, struct regs *r)
{
    struct cpu *cpu = cpu_self();
    section_leave(cpu);
    bool locked = object_lock_take();
    section_enter(cpu);
    if (!locked)
        return SYSCALL_RESTART;
    int64_t status = handler(self, r, true);
    spin_unlock(&object_lock);
    return status;
}

/* First waiting server that is not just being killed, with its lock held. */
static struct thread *take_server(struct portal *portal)
{
    while (!list_empty(&portal->servers)) {
        struct thread *server = list_first(&portal->servers, struct thread, waiting);
        list_del(&server->waiting);
        server->portal = NULL;
        spin_lock(&server->lock);
        if (server->state == THREAD_BLOCKED)
            return server;
        spin_unlock(&server->lock);
    }
    return NULL;
}

/* Portal's lock and own lock held. */
static int64_t call_or_queue(struct thread *self, struct portal *portal)
{
    if (portal->obj.dead)
        return ERR_GONE;
    if (self->state != THREAD_READY || self->suspend)
        return SYSCALL_RESTART;
    struct thread *server = take_server(portal);
    if (!server) {
        thread_block_locked(self, WAIT_PORTAL_CALL);
        self->portal = portal;
        list_add_tail(&portal->callers, &self->waiting);
        return SYSCALL_BLOCKED;
    }
    server->served_call = true;
    lend_sc(self, server); /* before the block: the context goes on running */
    thread_block_locked(self, WAIT_REPLY);
    connect(self, server);
    thread_wake_locked(server);
    spin_unlock(&server->lock);
    return SYSCALL_BLOCKED;
}

static int64_t portal_call(struct thread *self, struct regs *r, bool locked)
{
    (void)locked;
    int64_t status;
    uint64_t badge;
    struct portal *portal =
        cap_object_badge(self->pd, r->rdi, OBJ_PORTAL, RIGHT_WRITE, &badge, &status);
    if (!portal)
        return status;
    self->badge = badge;
    self->words = (uint32_t)r->rsi;
    self->caps = (uint32_t)r->rdx;
    spin_lock(&portal->lock);
    spin_lock(&self->lock);
    status = call_or_queue(self, portal);
    spin_unlock(&self->lock);
    spin_unlock(&portal->lock);
    return status;
}

int64_t sys_portal_call(struct thread *self, struct regs *r)
{
    if (!message_ok(r->rsi, r->rdx))
        return ERR_ARG;
    return r->rdx ? under_object_lock(portal_call, self, r) : portal_call(self, r, false);
}

static void reply(struct thread *self, uint32_t words, uint32_t caps)
{
    /* Partner: leave_call(), portal_detach(). */
    struct thread *caller =
        __atomic_exchange_n((struct thread **)&self->caller, NULL, __ATOMIC_ACQ_REL);
    if (caller) {
        self->words = words;
        self->caps = caps;
        spin_lock(&caller->lock);
        caller->server = NULL;
        /* Suspended and resumed while we took it over: its call has ended with ERR_GONE. */
        if (caller->state == THREAD_BLOCKED || caller->state == THREAD_SUSPENDED)
            transfer(self, caller, 0);
        spin_unlock(&caller->lock);
    }
    return_sc(self, caller);
    if (caller)
        thread_wake(caller);
}

/* The first caller is connected; NULL: none waits. Portal's lock held. */
static struct thread *take_caller(struct thread *self, struct portal *portal)
{
    while (!list_empty(&portal->callers)) {
        struct thread *caller = list_first(&portal->callers, struct thread, waiting);
        list_del(&caller->waiting);
        caller->portal = NULL;
        spin_lock(&caller->lock);
        bool waits = caller->state == THREAD_BLOCKED; /* else it is being killed */
        if (waits) {
            lend_sc(caller, self);
            connect(caller, self);
        }
        spin_unlock(&caller->lock);
        if (waits)
            return caller;
    }
    return NULL;
}

static int64_t serve_queue(struct thread *self, struct portal *portal)
{
    if (self->state != THREAD_READY)
        return SYSCALL_RESTART;
    /* By turns, so that neither a caller in a loop nor a flood of signals starves the other. */
    bool notified = self->bound && self->sc && notif_pending(self);
    if (!(notified && self->served_call) && take_caller(self, portal)) {
        self->served_call = true;
        if (self->sc && self->sc != self->own_sc)
            sched_ready(self->sc);
        cpu_self()->resched = 1;
        return SYSCALL_BLOCKED; /* the results are in the registers */
    }
    if (notified) {
        self->served_call = false;
        self->regs.rdi = notif_take(self->bound);
        self->regs.rsi = 0;
        return NOTIFIED;
    }
    if (self->suspend)
        return SYSCALL_RESTART;
    /* Partner: portal_notify(). The lock operations of the block order this before the last look at
     * the notification's bits. */
    self->portal = portal;
    thread_block_locked(self, WAIT_PORTAL_SERVE);
    list_add_tail(&portal->servers, &self->waiting);
    return SYSCALL_BLOCKED;
}

static int64_t portal_wait(struct thread *self, struct regs *r, bool locked)
{
    ARG_OBJECT(struct portal, portal, r->rdi, OBJ_PORTAL, RIGHT_READ);
    spin_lock(&portal->lock);
    if (portal->obj.dead) {
        spin_unlock(&portal->lock);
        return ERR_GONE;
    }
    if (!locked && !list_empty(&portal->callers) &&
        list_first(&portal->callers, struct thread, waiting)->caps) {
        spin_unlock(&portal->lock);
        return under_object_lock(portal_wait, self, r);
    }
    spin_lock(&self->lock);
    int64_t status = serve_queue(self, portal);
    spin_unlock(&self->lock);
    spin_unlock(&portal->lock);
    /* Signalled between the check and the block: the signaller found us not yet waiting. */
    struct notif *bound = self->bound;
    if (status == SYSCALL_BLOCKED && bound && notif_pending(self))
        portal_notify(self, bound);
    return status;
}

int64_t sys_portal_wait(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct portal, portal, r->rdi, OBJ_PORTAL, RIGHT_READ);
    return self->caller ? ERR_STATE : portal_wait(self, r, false);
}

static int64_t portal_reply_wait(struct thread *self, struct regs *r, bool locked)
{
    ARG_OBJECT(struct portal, portal, r->rdi, OBJ_PORTAL, RIGHT_READ);
    reply(self, (uint32_t)r->rsi, (uint32_t)r->rdx);
    return portal_wait(self, r, locked);
}

int64_t sys_portal_reply_wait(struct thread *self, struct regs *r)
{
    if (!message_ok(r->rsi, r->rdx))
        return ERR_ARG;
    return r->rdx ? under_object_lock(portal_reply_wait, self, r)
                  : portal_reply_wait(self, r, false);
}

void portal_notify(struct thread *server, struct notif *notif)
{
    /* Set only while it is in the portal's queue: what we see lives at least as long as our section
     * lasts. */
    struct portal *portal = server->portal;
    if (!portal)
        return;
    spin_lock(&portal->lock);
    spin_lock(&server->lock);
    if (server->portal == portal && server->state == THREAD_BLOCKED &&
        server->wait == WAIT_PORTAL_SERVE && !list_empty(&server->waiting) && server->sc) {
        list_del(&server->waiting);
        server->portal = NULL;
        server->served_call = false;
        server->regs.rax = NOTIFIED;
        server->regs.rdi = notif_take(notif);
        server->regs.rsi = 0;
        thread_wake_locked(server);
    }
    spin_unlock(&server->lock);
    spin_unlock(&portal->lock);
}

void portal_detach(struct thread *thread)
{
    struct thread *caller =
        __atomic_exchange_n((struct thread **)&thread->caller, NULL, __ATOMIC_ACQ_REL);
    if (caller)
        caller->server = NULL;
    return_sc(thread, caller);
    if (caller)
        thread_wake(caller); /* connect() set its status to ERR_GONE */
}

static void end_waits(struct list *queue)
{
    while (!list_empty(queue)) {
        struct thread *thread = list_first(queue, struct thread, waiting);
        list_del(&thread->waiting);
        thread->portal = NULL;
        spin_lock(&thread->lock);
        if (thread->state == THREAD_BLOCKED)
            thread->regs.rax = (uint64_t)ERR_GONE;
        thread_wake_locked(thread);
        spin_unlock(&thread->lock);
    }
}

void portal_destroy(struct obj *obj)
{
    struct portal *portal = (struct portal *)obj;
    spin_lock(&portal->lock);
    end_waits(&portal->callers);
    end_waits(&portal->servers);
    spin_unlock(&portal->lock);
}
