/* SPDX-License-Identifier: BSD-2-Clause */
/* States of threads: sleeping, waking, stopping, dying. Running them is in dispatch.c. */
#include "kernel/thread.h"

#include "abi/vcpu.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/klog.h"
#include "kernel/notif.h"
#include "kernel/pd.h"
#include "kernel/portal.h"

void cpu_reschedule(struct cpu *cpu)
{
    cpu->resched = 1; /* seq_cst partner: idle_poll() */
    if (cpu != cpu_self() && !cpu->watches)
        apic_ipi(cpu->id, VEC_RESCHED);
}

bool thread_block_locked(struct thread *thread, enum thread_wait wait)
{
    if (thread->state != THREAD_READY)
        return false;
    thread->state = THREAD_BLOCKED;
    thread->wait = (uint8_t)wait;
    if (thread->sc)
        sched_unready(thread->sc);
    cpu_self()->resched = 1;
    return true;
}

bool thread_block(struct thread *thread, enum thread_wait wait)
{
    spin_lock(&thread->lock);
    bool blocked = !thread->suspend && thread_block_locked(thread, wait);
    spin_unlock(&thread->lock);
    return blocked;
}

bool thread_sleep(struct thread *thread, enum thread_wait wait, const _Atomic uint32_t *pending)
{
    spin_lock(&thread->lock);
    bool sleeps = !*pending && thread_block_locked(thread, wait);
    spin_unlock(&thread->lock);
    return sleeps;
}

bool thread_wake_locked(struct thread *thread)
{
    if (thread->state != THREAD_BLOCKED)
        return false;
    thread->state = THREAD_READY;
    thread->wait = WAIT_NONE;
    if (thread->sc)
        sched_ready(thread->sc);
    return true;
}

bool thread_wake(struct thread *thread)
{
    spin_lock(&thread->lock);
    bool woken = thread_wake_locked(thread);
    spin_unlock(&thread->lock);
    return woken;
}

void thread_kick(struct thread *thread, uint8_t vector)
{
    /* The lock orders this after or before thread_sleep(): either it sees the event that the caller
     * has stored, or the sleeping thread is seen here. */
    spin_lock(&thread->lock);
    bool woken = thread->wait == WAIT_VCPU && thread_wake_locked(thread);
    spin_unlock(&thread->lock);
    if (woken)
        return;
    struct cpu *cpu = cpus[thread->cpu];
    struct vcpu *vcpu = thread->vcpu;
    if (vcpu && cpu->in_guest == vcpu && cpu != cpu_self())
        apic_ipi(cpu->id, vector);
}

/* Lock of the queue that the thread is in, by what it waits for. */
static spinlock_t *queue_lock(struct thread *thread)
{
    switch (thread->wait) {
    case WAIT_NOTIF:
        return &thread->waits_notif->lock;
    case WAIT_PORTAL_CALL:
    case WAIT_PORTAL_SERVE: {
        struct portal *portal = thread->portal;
        return portal ? &portal->lock : NULL;
    }
    default:
        return NULL;
    }
}

/* false: it is in no queue, somebody else ends its wait. */
static bool leave_queue(struct thread *thread)
{
    for (;;) {
        spinlock_t *lock = queue_lock(thread);
        if (!lock)
            return false;
        spin_lock(lock);
        bool same = queue_lock(thread) == lock; /* it may have been woken, and wait elsewhere */
        bool queued = same && !list_empty(&thread->waiting);
        if (queued) {
            list_del(&thread->waiting);
            thread->portal = NULL;
            timer_disarm(&thread->timeout);
        }
        spin_unlock(lock);
        if (same)
            return queued;
    }
}

/* false: the server is just answering. */
static bool leave_call(struct thread *thread)
{
    struct thread *server = thread->server, *caller = thread;
    if (!server || !__atomic_compare_exchange_n((struct thread **)&server->caller, &caller, NULL,
                                                false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return false;
    thread->server = NULL;
    return true;
}

void thread_cancel_wait(struct thread *thread, int64_t status)
{
    bool ended = false;
    if (thread->wait == WAIT_VCPU && thread->vcpu)
        vcpu_abort(thread, thread->vcpu, status);
    else
        ended = leave_queue(thread);
    /* From the start, or because a server took it out of the queue just before. */
    if (!ended && thread->wait == WAIT_REPLY)
        ended = leave_call(thread);
    if (ended)
        thread->regs.rax = (uint64_t)status;
}

static void disown_sc(struct thread *thread)
{
    if (!thread->own_sc)
        return;
    struct sc_object *object = container_of(thread->own_sc, struct sc_object, sc);
    if (object->owner == thread)
        object->owner = NULL;
    if (object->sc.thread == thread)
        object->sc.thread = NULL;
}

void thread_kill(struct thread *thread)
{
    ASSERT(spin_held(&object_lock));
    if (thread->state == THREAD_DEAD)
        return;
    /* First of all, so that it cannot go to sleep any more; then out of where it sleeps. */
    spin_lock(&thread->lock);
    bool slept = thread->state == THREAD_BLOCKED;
    thread->state = THREAD_DEAD;
    disown_sc(thread);
    if (thread->sc)
        sched_unready(thread->sc);
    spin_unlock(&thread->lock);
    if (slept)
        thread_cancel_wait(thread, ERR_GONE);
    portal_detach(thread);
    list_del(&thread->in_pd);
    if (thread == thread_self()) {
        cpu_self()->resched = 1;
        return;
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* partner: reschedule() */
    while (thread->on_cpu) {
        cpu_reschedule(cpus[thread->cpu]);
        for (uint32_t i = 0; i < 1000 && thread->on_cpu; i++)
            cpu_pause();
    }
}

void thread_describe(const struct thread *thread, struct thread_info *info)
{
    const struct regs *t = &thread->regs;
    *info = (struct thread_info){
        .state = thread->state,
        .fault_vector = thread->fault_vector,
        .fault_error = thread->fault_error,
        .fault_addr = thread->fault_addr,
        .rip = t->rip,
        .rsp = t->rsp,
        .rflags = t->rflags,
        .gpr = {[GPR_RAX] = t->rax,
                [GPR_RCX] = t->rcx,
                [GPR_RDX] = t->rdx,
                [GPR_RBX] = t->rbx,
                [GPR_RSP] = t->rsp,
                [GPR_RBP] = t->rbp,
                [GPR_RSI] = t->rsi,
                [GPR_RDI] = t->rdi,
                [GPR_R8] = t->r8,
                [GPR_R9] = t->r9,
                [GPR_R10] = t->r10,
                [GPR_R11] = t->r11,
                [GPR_R12] = t->r12,
                [GPR_R13] = t->r13,
                [GPR_R14] = t->r14,
                [GPR_R15] = t->r15},
    };
}

/* Threads of one domain may fault at the same time on several CPUs: the first is described. */
static void record_fault(const struct thread *thread)
{
    static spinlock_t lock;
    struct pd *pd = thread->pd;
    spin_lock(&lock);
    if (!pd->faults)
        thread_describe(thread, &pd->fault);
    __atomic_add_fetch((uint64_t *)&pd->faults, 1, __ATOMIC_RELEASE);
    spin_unlock(&lock);
}

void thread_fault(struct thread *thread, uint64_t vector, uint64_t error, uint64_t address)
{
    spin_lock(&thread->lock);
    thread->fault_vector = vector;
    thread->fault_error = error;
    thread->fault_addr = address;
    if (thread->state == THREAD_READY) {
        thread->state = THREAD_FAULTED;
        if (thread->sc)
            sched_unready(thread->sc);
    }
    if (vector != THREAD_EXIT_VECTOR)
        record_fault(thread);
    cpu_self()->resched = 1;
    struct notif *notif = thread->fault_notif;
    spin_unlock(&thread->lock);
    if (notif) {
        notif_signal(notif, thread->fault_bits);
        return;
    }
    /* Nobody asked to be told: without a line in the log it would just be gone. */
    const struct regs *r = &thread->regs;
    kprintf("thread without supervisor stopped: vector %llu, error %#llx, address %#llx, RIP "
            "%#llx, RSP %#llx\n",
            (unsigned long long)vector, (unsigned long long)error, (unsigned long long)address,
            (unsigned long long)r->rip, (unsigned long long)r->rsp);
}

static void unbind(struct thread *thread)
{
    struct notif *notif = thread->bound;
    if (!notif)
        return;
    thread->bound = NULL;
    spin_lock(&notif->lock);
    if (notif->bound == thread)
        notif->bound = NULL;
    spin_unlock(&notif->lock);
    obj_unref(&notif->obj);
}

void thread_destroy(struct obj *obj)
{
    struct thread *thread = (struct thread *)obj;
    thread_kill(thread);
    if (thread->vcpu)
        vcpu_abort(thread, thread->vcpu, ERR_GONE);
    unbind(thread);
    if (thread->fault_notif)
        obj_unref(&thread->fault_notif->obj);
    thread->fault_notif = NULL;
    if (!thread->pd->ended)
        space_unmap_kernel(&thread->pd->space, thread->utcb_va);
}

void thread_free(struct obj *obj)
{
    struct thread *thread = (struct thread *)obj;
    if (thread->own_sc)
        obj_unref(&container_of(thread->own_sc, struct sc_object, sc)->obj);
    if (thread->fpu.image) {
        uint32_t order = thread->fpu.order;
        fpu_area_fini(&thread->fpu);
        pd_credit(thread->pd, PAGE_SIZE << order);
    }
    if (thread->utcb)
        pd_free_pages(thread->pd, thread->utcb, 0);
    obj_unref(&thread->pd->obj);
}

void sc_object_destroy(struct obj *obj)
{
    struct sc_object *object = (struct sc_object *)obj;
    struct thread *thread = object->owner;
    sc_release(&object->sc);
    if (!thread)
        return; /* lent at most: return_sc() ends that */
    spin_lock(&thread->lock);
    if (thread->sc == &object->sc) {
        sched_unready(&object->sc);
        thread->sc = NULL;
        object->sc.thread = NULL;
    }
    spin_unlock(&thread->lock);
    cpu_reschedule(cpus[thread->cpu]);
}

/* Only now: until the last CPU let go of it, its budget could run out and arm the timer. */
void sc_object_free(struct obj *obj)
{
    struct sc *sc = &((struct sc_object *)obj)->sc;
    sc_fini(sc);
    if (sc->payer && sc->payer != sc)
        obj_unref(&container_of(sc->payer, struct sc_object, sc)->obj);
}
