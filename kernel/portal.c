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
 * Runs under the object lock although the call is a fast one, so it leaves its section first: both
 * threads are referenced. */
static uint32_t transfer_caps(struct thread *from, struct thread *to, uint32_t count)
{
    struct cpu *cpu = cpu_self();
    uint32_t done = 0;
    obj_ref(&from->obj);
    obj_ref(&to->obj);
    section_leave(cpu);
    bool locked = object_lock_take();
    section_enter(cpu);
    uint32_t first = to->utcb->recv_slot;
    for (uint32_t i = 0; locked && first && i < count; i++) {
        struct utcb_cap send = from->utcb->send[i];
        struct cap *cap = cap_lookup(from->pd, send.slot);
        if (!cap || cap_copy(cap, to->pd, first + i, send.rights, 0) != OK)
            break;
        done++;
    }
    if (locked)
        spin_unlock(&object_lock);
    obj_unref(&from->obj);
    obj_unref(&to->obj);
    return done;
}

/* The receiver is blocked or is the running thread: its registers may be written. */
static void transfer(struct thread *from, struct thread *to, uint64_t badge)
{
    memcpy(to->utcb->mr, from->utcb->mr, from->words * sizeof(uint64_t));
    uint32_t caps = from->caps ? transfer_caps(from, to, from->caps) : 0;
    to->regs.rax = OK;
    to->regs.rdi = from->words | (uint64_t)caps << 32;
    to->regs.rsi = badge;
}

static void lend_sc(struct thread *caller, struct thread *server)
{
    if (server->own_sc || !caller->sc)
        return;
    struct sc *sc = caller->sc;
    obj_ref(&container_of(sc, struct sc_object, sc)->obj);
    caller->sc = NULL;
    server->sc = sc;
    sc->thread = server;
}

/* Gives a lent context back; without a caller (it died) the context just stops. */
static void return_sc(struct thread *server, struct thread *caller)
{
    struct sc *sc = server->sc;
    if (!sc || sc == server->own_sc)
        return;
    server->sc = server->own_sc;
    struct sc_object *object = container_of(sc, struct sc_object, sc);
    if (caller && !object->obj.dead) {
        sc->thread = caller;
        caller->sc = sc;
    } else {
        sched_unready(sc);
        sc->thread = NULL;
    }
    obj_unref(&object->obj);
}

/* Both are out of all queues; the caller is blocked in WAIT_REPLY from here on. */
static void connect(struct thread *caller, struct thread *server)
{
    server->caller = caller;
    caller->server = server;
    transfer(caller, server, caller->badge);
    lend_sc(caller, server);
}

static bool message_ok(uint64_t words, uint64_t caps)
{
    return words <= UTCB_WORDS && caps <= UTCB_CAPS;
}

int64_t sys_portal_call(struct thread *self, struct regs *r)
{
    int64_t status;
    uint64_t badge;
    struct portal *portal =
        cap_object_badge(self->pd, r->rdi, OBJ_PORTAL, RIGHT_WRITE, &badge, &status);
    if (!portal)
        return status;
    if (!message_ok(r->rsi, r->rdx))
        return ERR_ARG;
    self->badge = badge;
    self->words = (uint32_t)r->rsi;
    self->caps = (uint32_t)r->rdx;
    self->portal = portal;
    spin_lock(&portal->lock);
    if (portal->obj.dead) {
        spin_unlock(&portal->lock);
        return ERR_GONE;
    }
    if (list_empty(&portal->servers)) {
        list_add_tail(&portal->callers, &self->waiting);
        thread_block(self, WAIT_PORTAL_CALL);
        spin_unlock(&portal->lock);
        return SYSCALL_BLOCKED;
    }
    struct thread *server = list_first(&portal->servers, struct thread, waiting);
    list_del(&server->waiting);
    spin_unlock(&portal->lock);
    server->served_call = true;
    connect(self, server);
    thread_block(self, WAIT_REPLY);
    thread_wake(server);
    return SYSCALL_BLOCKED;
}

static void reply(struct thread *self, uint32_t words, uint32_t caps)
{
    struct thread *caller = self->caller;
    self->caller = NULL;
    if (!caller) {
        return_sc(self, NULL);
        return;
    }
    self->words = words;
    self->caps = caps;
    caller->server = NULL;
    transfer(self, caller, 0);
    return_sc(self, caller);
    thread_wake(caller);
}

static int64_t serve_next(struct thread *self, struct portal *portal)
{
    self->portal = portal;
    spin_lock(&portal->lock);
    if (portal->obj.dead) {
        spin_unlock(&portal->lock);
        return ERR_GONE;
    }
    /* By turns, so that neither a caller in a loop nor a flood of signals starves the other. */
    bool notified = self->bound && notif_pending(self);
    if (!list_empty(&portal->callers) && !(notified && self->served_call)) {
        struct thread *caller = list_first(&portal->callers, struct thread, waiting);
        list_del(&caller->waiting);
        caller->wait = WAIT_REPLY;
        spin_unlock(&portal->lock);
        self->served_call = true;
        connect(caller, self);
        if (self->sc != self->own_sc) {
            sched_ready(self->sc);
            cpu_self()->resched = 1;
        }
        return SYSCALL_BLOCKED; /* the results are in the registers */
    }
    if (notified) {
        spin_unlock(&portal->lock);
        self->served_call = false;
        self->regs.rdi = notif_take(self->bound);
        self->regs.rsi = 0;
        return NOTIFIED;
    }
    list_add_tail(&portal->servers, &self->waiting);
    thread_block(self, WAIT_PORTAL_SERVE);
    spin_unlock(&portal->lock);
    /* Signalled between the check and the block: the signaller found us not yet waiting. */
    if (self->bound && notif_pending(self))
        portal_notify(self);
    return SYSCALL_BLOCKED;
}

int64_t sys_portal_wait(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct portal, portal, r->rdi, OBJ_PORTAL, RIGHT_READ);
    if (self->caller)
        return ERR_STATE;
    return serve_next(self, portal);
}

int64_t sys_portal_reply_wait(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct portal, portal, r->rdi, OBJ_PORTAL, RIGHT_READ);
    if (!message_ok(r->rsi, r->rdx))
        return ERR_ARG;
    reply(self, (uint32_t)r->rsi, (uint32_t)r->rdx);
    return serve_next(self, portal);
}

void portal_notify(struct thread *server)
{
    struct portal *portal = server->portal;
    if (!portal)
        return;
    spin_lock(&portal->lock);
    bool waits = server->state == THREAD_BLOCKED && server->wait == WAIT_PORTAL_SERVE &&
                 !list_empty(&server->waiting);
    if (waits)
        list_del(&server->waiting);
    spin_unlock(&portal->lock);
    if (!waits)
        return;
    server->served_call = false;
    server->regs.rax = NOTIFIED;
    server->regs.rdi = notif_take(server->bound);
    server->regs.rsi = 0;
    thread_wake(server);
}

void portal_detach(struct thread *thread)
{
    if (thread->caller) {
        struct thread *caller = thread->caller;
        thread->caller = NULL;
        caller->server = NULL;
        caller->regs.rax = (uint64_t)ERR_GONE;
        return_sc(thread, caller);
        thread_wake(caller);
    }
    if (thread->server) {
        thread->server->caller = NULL;
        thread->server = NULL;
    }
}

static void end_waits(struct list *queue)
{
    while (!list_empty(queue)) {
        struct thread *thread = list_first(queue, struct thread, waiting);
        list_del(&thread->waiting);
        thread->regs.rax = (uint64_t)ERR_GONE;
        thread->portal = NULL;
        thread_wake(thread);
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
