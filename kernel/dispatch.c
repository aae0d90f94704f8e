/* SPDX-License-Identifier: BSD-2-Clause */
/* What runs on a CPU: kernel entries and exits, switching threads, idling. */
#include "kernel/dispatch.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/iommu.h"
#include "arch/x86_64/idle.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/kpaging.h"
#include "arch/x86_64/platform.h"
#include "kernel/irq.h"
#include "kernel/quiesce.h"
#include "kernel/syscall.h"
#include "lib/string.h"

#define MSR_FS_BASE 0xc0000100u
#define EXC_NM      7u
#define EXC_PF      14u

static void thread_put(struct cpu *cpu)
{
    struct thread *thread = cpu->current;
    if (!thread)
        return;
    if (thread->ran)
        vcpu_put(thread, thread->ran);
    fpu_release();
    cpu->current = NULL;
    __atomic_store_n((bool *)&thread->on_cpu, false, __ATOMIC_RELEASE);
    obj_unref(&thread->obj);
}

/* Only the ports of the domain; the common case is none, where the bitmap lies beyond the TSS
 * limit. */
static void load_ports(struct cpu *cpu, struct pd *pd)
{
    if (!pd->iopm) {
        cpu->tss->iomap_base = 0xffff;
        return;
    }
    if (cpu->iopm_owner != pd) {
        /* Owner first. Partner: ports_changed() changes the bitmap, then looks for owners. */
        __atomic_store_n(&cpu->iopm_owner, pd, __ATOMIC_SEQ_CST);
        memcpy((uint8_t *)cpu->tss + sizeof(struct tss), pd->iopm, 8193);
    }
    cpu->tss->iomap_base = sizeof(struct tss);
}

void ports_changed(struct pd *pd)
{
    for (uint32_t i = 0; i < cpu_count; i++) {
        struct cpu *cpu = cpus[i];
        void *owner = pd;
        __atomic_compare_exchange_n(&cpu->iopm_owner, &owner, NULL, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_RELAXED);
        if (cpu == cpu_self() && cpu->current && cpu->current->pd == pd)
            load_ports(cpu, pd);
        else if (cpu != cpu_self() && cpu->active == &pd->space)
            apic_ipi(i, VEC_RESCHED); /* its handler loads them */
    }
}

static void thread_load(struct cpu *cpu, struct thread *thread)
{
    obj_ref(&thread->obj);
    while (__atomic_load_n((bool *)&thread->on_cpu, __ATOMIC_ACQUIRE)) {
        cpu_pause();
        shootdown_poll();
    }
    thread->on_cpu = true;
    thread->cpu = cpu->id;
    cpu->current = thread;
    struct pd *pd = thread->pd;
    if (cpu->active != &pd->space) {
        /* Partner: space_flush() looks at active after it has changed the tables. */
        __atomic_store_n(&cpu->active, &pd->space, __ATOMIC_SEQ_CST);
        write_cr3(kva_to_hpa(pd->space.ptab.root).v);
        mitigate_switch();
    }
    load_ports(cpu, pd);
    cpu->user_regs = &thread->regs + 1;
    cpu->tss->rsp[0] = (uint64_t)cpu->user_regs;
    wrmsr(MSR_FS_BASE, thread->utcb_va);
    cpu->info.switches++;
}

static void idle(struct cpu *cpu)
{
    thread_put(cpu);
    if (cpu->active) {
        kpaging_load_kernel();
        __atomic_store_n(&cpu->active, NULL, __ATOMIC_RELEASE);
    }
    uint64_t start = rdtsc();
    section_leave(cpu);
    if (cpu->poll_tsc)
        idle_poll(cpu, start);
    while (!cpu->resched)
        idle_wait();
    section_enter(cpu);
    uint64_t idled = rdtsc() - start;
    cpu->info.idle_tsc += idled;
    if (idle_poll_most)
        cpu->poll_tsc = idle_window(cpu->poll_tsc, idled, idle_poll_most);
}

/* The thread was chosen but shall not run. */
static void stop(struct thread *thread)
{
    spin_lock(&thread->lock);
    if (thread->suspend && thread->state == THREAD_READY) {
        thread->state = THREAD_SUSPENDED;
        thread->suspend = false;
    }
    if (thread->sc && thread->state != THREAD_READY)
        sched_unready(thread->sc);
    spin_unlock(&thread->lock);
}

static NOINLINE struct thread *reschedule(struct cpu *cpu)
{
    for (;;) {
        bool yield = cpu->resched & RESCHED_YIELD & ~1u;
        cpu->resched = 0;
        struct sc *sc = sched_pick(yield);
        if (!sc) {
            idle(cpu);
            continue;
        }
        struct thread *thread = sc->thread;
        if (!thread) {
            sched_unready(sc);
        } else if (thread->suspend || thread->state != THREAD_READY) {
            stop(thread);
            if (thread == cpu->current)
                thread_put(cpu);
        } else {
            if (thread == cpu->current)
                return thread;
            thread_put(cpu);
            thread_load(cpu, thread);
            /* Partner: thread_kill() stores the state, then looks at on_cpu. */
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
            if (__atomic_load_n(&thread->state, __ATOMIC_RELAXED) == THREAD_READY)
                return thread;
        }
    }
}

struct regs *kernel_exit(void)
{
    struct cpu *cpu = cpu_self();
    for (;;) {
        struct thread *thread = cpu->current;
        if (unlikely(cpu->resched || !thread))
            thread = reschedule(cpu);
        if (thread->vcpu) {
            if (vcpu_resume(thread, thread->vcpu) != VCPU_TO_USER) {
                cpu->resched |= 1;
                continue;
            }
            if (cpu->resched)
                continue;
        }
        section_leave(cpu);
        mitigate_exit(false);
        return &thread->regs;
    }
}

static void user_exception(struct thread *thread, uint64_t vector)
{
    struct regs *r = &thread->regs;
    if (vector == EXC_NM) {
        int64_t status = OK;
        if (!thread->fpu.image) {
            status = pd_charge(thread->pd, fpu_area_bytes());
            if (status == OK && !fpu_area_init(&thread->fpu)) {
                pd_credit(thread->pd, fpu_area_bytes());
                status = ERR_NOMEM;
            }
        }
        if (status == OK) {
            fpu_load(&thread->fpu);
            return;
        }
    }
    thread_fault(thread, vector, r->error, vector == EXC_PF ? read_cr2() : 0);
}

static void interrupt(struct cpu *cpu, uint64_t vector)
{
    cpu->info.interrupts++;
    switch (vector) {
    case VEC_TIMER:
        cpu->info.timer_irqs++;
        apic_eoi();
        timer_interrupt();
        break;
    case VEC_RESCHED:
        cpu->info.ipis++;
        apic_eoi();
        if (cpu->current && !cpu->iopm_owner)
            load_ports(cpu, cpu->current->pd);
        break;
    case VEC_SHOOTDOWN:
        apic_eoi();
        shootdown_poll();
        break;
    case VEC_IOMMU:
        apic_eoi();
        iommu_interrupt();
        break;
    case VEC_POSTED: /* came too late: the guest is not running, and will look */
        apic_eoi();
        break;
    case VEC_SPURIOUS:
        break;
    default:
        irq_interrupt((uint8_t)vector);
    }
}

struct regs *user_interrupt(void)
{
    struct cpu *cpu = cpu_self();
    section_enter(cpu);
    struct thread *thread = cpu->current;
    uint64_t vector = thread->regs.vector;
    if (vector < 32)
        user_exception(thread, vector);
    else
        interrupt(cpu, vector);
    return kernel_exit();
}

void kernel_interrupt(const struct regs *regs)
{
    if (regs->vector < 32)
        panic_regs(regs, "exception %llu in the kernel, error %#llx, CR2 %#llx",
                   (unsigned long long)regs->vector, (unsigned long long)regs->error,
                   (unsigned long long)read_cr2());
    struct cpu *cpu = cpu_self();
    bool idle_section = !(cpu->section & 1);
    if (idle_section)
        section_enter(cpu);
    interrupt(cpu, regs->vector);
    if (idle_section)
        section_leave(cpu);
}

/* NMI, #DF, #MC, #DB on their own stacks. 1: a thread's #DB was turned into a normal entry. */
uint32_t ist_interrupt(const struct regs *regs)
{
    struct cpu *cpu = cpu_self();
    switch (regs->vector) {
    case 1:
        if (!(regs->cs & 3))
            return 0; /* MOV SS trick: the breakpoint hit in the entry code; the program gets
                         nothing for it */
        cpu->current->regs = *regs;
        return 1;
    case 2:
        nmi_interrupt(regs);
        return 0;
    default:
        panic_regs(regs, "%s", regs->vector == 8 ? "double fault" : "machine check");
    }
}

bool object_lock_take(void)
{
    const struct thread *self = thread_self();
    while (!spin_trylock(&object_lock)) {
        cpu_pause();
        shootdown_poll();
        if (self && self->state == THREAD_DEAD)
            return false;
    }
    return true;
}

int64_t sys_none(struct thread *self, struct regs *r)
{
    (void)self;
    (void)r;
    return ERR_SYSCALL;
}

struct call {
    int64_t (*handler)(struct thread *self, struct regs *r);
    bool locked;
    uint8_t narrow; /* bit i: argument i has 32 bits */
};

static const struct call calls[] = {
#define SYSCALL(number, name, is_locked, narrow) [number] = {sys_##name, is_locked, narrow},
#include "kernel/syscall_table.inc"
#undef SYSCALL
};

/* After a structural call: frees what died, with interrupts let in between the pieces. The next
 * holder of the object lock may wait for this CPU's section to end or for this thread to stop, so
 * between the pieces the CPU is in none and gives up if the thread is killed (then its killer frees
 * the rest). false: the lock is not held any more. */
static bool clean_up(struct cpu *cpu)
{
    while (!pd_reap(64)) {
        obj_bury();
        spin_unlock(&object_lock);
        section_leave(cpu);
        irq_enable();
        cpu_pause();
        irq_disable();
        bool locked = object_lock_take();
        section_enter(cpu);
        if (!locked)
            return false;
    }
    obj_bury();
    return true;
}

static NOINLINE int64_t locked_call(struct cpu *cpu, const struct call *call, struct thread *self)
{
    section_leave(cpu);
    bool locked = object_lock_take();
    section_enter(cpu);
    if (!locked)
        return SYSCALL_RESTART;
    int64_t status = call->handler(self, &self->regs);
    if (clean_up(cpu))
        spin_unlock(&object_lock);
    return status;
}

/* What a handler takes as 32 bits must not be more in the register. */
static NOINLINE bool arguments_fit(const struct regs *r, uint32_t narrow)
{
    const uint64_t arguments[] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};
    uint64_t all = 0;
    for (uint32_t i = 0; i < ARRAY_LEN(arguments); i++)
        all |= narrow >> i & 1 ? arguments[i] : 0;
    return all <= UINT32_MAX;
}

struct regs *syscall_dispatch(void)
{
    struct cpu *cpu = cpu_self();
    section_enter(cpu);
    cpu->info.syscalls++;
    struct thread *self = cpu->current;
    struct regs *r = &self->regs;
    int64_t status = ERR_SYSCALL;
    if (likely(r->rax < ARRAY_LEN(calls))) {
        const struct call *call = &calls[r->rax];
        if (unlikely(call->narrow && !arguments_fit(r, call->narrow)))
            status = ERR_ARG;
        else
            status = call->locked ? locked_call(cpu, call, self) : call->handler(self, r);
    }
    if (status == SYSCALL_RESTART)
        r->rip -= 2; /* the length of SYSCALL */
    else if (status != SYSCALL_BLOCKED)
        r->rax = (uint64_t)status;
    return kernel_exit();
}
