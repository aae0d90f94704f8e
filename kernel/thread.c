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
    cpu->resched = 1;
    if (cpu != cpu_self())
        apic_ipi(cpu->id, VEC_RESCHED);
}

static void block_locked(struct thread *thread, enum thread_wait wait)
{
    thread->state = THREAD_BLOCKED;
    thread->wait = (uint8_t)wait;
    if (thread->sc)
        sched_unready(thread->sc);
    cpu_self()->resched = 1;
}

void thread_block(struct thread *thread, enum thread_wait wait)
{
    spin_lock(&thread->lock);
    if (thread->state == THREAD_READY)
        block_locked(thread, wait);
    spin_unlock(&thread->lock);
}

bool thread_sleep(struct thread *thread, enum thread_wait wait, const _Atomic uint32_t *pending)
{
    spin_lock(&thread->lock);
    bool sleeps = !*pending && thread->state == THREAD_READY;
    if (sleeps)
        block_locked(thread, wait);
    spin_unlock(&thread->lock);
    return sleeps;
}

bool thread_wake(struct thread *thread)
{
    spin_lock(&thread->lock);
    bool was_blocked = thread->state == THREAD_BLOCKED;
    if (was_blocked) {
        thread->state = THREAD_READY;
        thread->wait = WAIT_NONE;
        if (thread->sc)
            sched_ready(thread->sc);
    }
    spin_unlock(&thread->lock);
    return was_blocked;
}

void thread_kick(struct thread *thread)
{
    if (thread->state == THREAD_BLOCKED && thread->wait == WAIT_VCPU) {
        thread_wake(thread);
        return;
    }
    struct cpu *cpu = cpus[thread->cpu];
    struct vcpu *vcpu = thread->vcpu;
    if (vcpu && cpu->in_guest == vcpu && cpu != cpu_self())
        apic_ipi(cpu->id, VEC_RESCHED);
}

void thread_cancel_wait(struct thread *thread, int64_t status)
{
    enum thread_wait wait = thread->wait;
    if (thread->state != THREAD_BLOCKED)
        return;
    bool unlinked = wait == WAIT_REPLY;
    spinlock_t *lock = NULL;
    if (wait == WAIT_NOTIF && thread->waits_notif)
        lock = &thread->waits_notif->lock;
    else if ((wait == WAIT_PORTAL_CALL || wait == WAIT_PORTAL_SERVE) && thread->portal)
        lock = &thread->portal->lock;
    if (lock) {
        spin_lock(lock);
        unlinked = !list_empty(&thread->waiting);
        list_del(&thread->waiting);
        spin_unlock(lock);
    }
    timer_disarm(&thread->timeout);
    if (wait == WAIT_VCPU && thread->vcpu)
        vcpu_abort(thread, thread->vcpu, status);
    else if (unlinked)
        thread->regs.rax = (uint64_t)status;
    if (wait == WAIT_REPLY && thread->server) {
        thread->server->caller = NULL;
        thread->server = NULL;
    }
}

void thread_kill(struct thread *thread)
{
    ASSERT(spin_held(&object_lock));
    if (thread->state == THREAD_DEAD)
        return;
    thread_cancel_wait(thread, ERR_GONE);
    spin_lock(&thread->lock);
    thread->state = THREAD_DEAD;
    if (thread->own_sc && thread->own_sc->thread == thread)
        thread->own_sc->thread = NULL;
    if (thread->sc)
        sched_unready(thread->sc);
    spin_unlock(&thread->lock);
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
    if (!thread->pd->obj.dead)
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
    struct thread *thread = object->sc.thread;
    if (thread && thread != object->owner)
        return; /* lent: return_sc() ends it */
    if (thread) {
        spin_lock(&thread->lock);
        sched_unready(&object->sc);
        if (thread->sc == &object->sc)
            thread->sc = NULL;
        spin_unlock(&thread->lock);
        cpu_reschedule(cpus[thread->cpu]);
    }
    object->sc.thread = NULL;
    sc_fini(&object->sc);
}
