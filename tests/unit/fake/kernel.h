/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel core on fake CPUs: system calls go through syscall_dispatch(), interrupts through
 * user_interrupt(), and what a CPU runs is what the kernel chose. Everything below (FPU, I/O APIC)
 * and above (virtualisation) is empty. */
#ifndef TESTS_UNIT_FAKE_KERNEL_H
#define TESTS_UNIT_FAKE_KERNEL_H

#include "tests/unit/fake/memory.h"

#include <setjmp.h>

#include "abi/kinfo.h"
#include "abi/syscall_numbers.h"

#include "tests/unit/fake/iommu.h"

#include "arch/x86_64/ptab.c"
#include "kernel/cap.c"
#include "kernel/device.c"
#include "kernel/dispatch.c"
#include "kernel/mapping.c"
#include "kernel/notif.c"
#include "kernel/obj.c"
#include "kernel/pd.c"
#include "kernel/portal.c"
#include "kernel/quiesce.c"
#include "kernel/shootdown.c"
#include "kernel/space.c"
#include "kernel/sys_cap.c"
#include "kernel/sys_mem.c"
#include "kernel/sys_thread.c"
#include "kernel/thread.c"
#include "sched/balance.c"
#include "sched/heap.c"
#include "sched/runq.c"
#include "sched/trace.c"
#include "sched/timer.c"
#include "sched/vtime.c"

const struct pt_format user_pt_format = {.table = 7,
                                         .leaf = 0x65,
                                         .large = 0x80,
                                         .present = 1,
                                         .write = 2,
                                         .noexec = 1ull << 63,
                                         .uncached = 0x18,
                                         .wc = 8,
                                         .wc_large = 8,
                                         .max_level = 2,
                                         .levels = 4};
static char fake_kinfo[4096] __attribute__((aligned(4096)));
struct kinfo *kinfo = (struct kinfo *)fake_kinfo;

static struct {
    struct tss tss;
    uint8_t iopm[8193];
} fake_tss[FAKE_CPUS];
static bool fake_in_kernel[FAKE_CPUS];
static jmp_buf *fake_idle_exit[FAKE_CPUS];

uint64_t *kpaging_new_root(void)
{
    return kmem_pages(0);
}
void kpaging_load_kernel(void)
{
    fake_cr3[fake_cpu] = 0;
}
void mitigate_switch(void)
{
}
void mitigate_exit(bool to_guest)
{
    (void)to_guest;
}
void fpu_release(void)
{
}
void fpu_load(struct fpu_area *area)
{
    (void)area;
}
uint64_t fpu_area_bytes(void)
{
    return PAGE_SIZE;
}
bool fpu_area_init(struct fpu_area *area)
{
    area->image = kmem_pages(0);
    return area->image != NULL;
}
void fpu_area_fini(struct fpu_area *area)
{
    kmem_free_pages(area->image, 0);
    area->image = NULL;
}
static bool fake_kmem_add;
bool kmem_add(hpa_t base, uint64_t size)
{
    (void)base, (void)size;
    return fake_kmem_add;
}
void irq_interrupt(uint8_t vector)
{
    (void)vector;
}
void nmi_interrupt(const struct regs *regs)
{
    (void)regs;
}
struct space *guest_space(struct obj *guest)
{
    (void)guest;
    return NULL;
}
void guest_flush(struct space *space, uint64_t address, uint64_t size)
{
    (void)space, (void)address, (void)size;
}
enum vcpu_outcome vcpu_resume(struct thread *thread, struct vcpu *vcpu)
{
    (void)thread, (void)vcpu;
    return VCPU_TO_USER;
}
void vcpu_put(struct thread *thread, struct vcpu *vcpu)
{
    (void)thread, (void)vcpu;
}
void vcpu_abort(struct thread *thread, struct vcpu *vcpu, int64_t status)
{
    (void)thread, (void)vcpu, (void)status;
}

#define FAKE_EMPTY(name)       \
    void name(struct obj *obj) \
    {                          \
        (void)obj;             \
    }
FAKE_EMPTY(irq_destroy)
FAKE_EMPTY(guest_destroy)
FAKE_EMPTY(guest_free)
FAKE_EMPTY(vcpu_destroy)
FAKE_EMPTY(vcpu_free)

#define FAKE_CALL(name)                                  \
    int64_t sys_##name(struct thread *s, struct regs *r) \
    {                                                    \
        (void)s, (void)r;                                \
        return ERR_CPU;                                  \
    }
FAKE_CALL(irq_create)
FAKE_CALL(msi_create)
FAKE_CALL(irq_bind)
FAKE_CALL(irq_ack)
FAKE_CALL(guest_create)
FAKE_CALL(guest_cpuid)
FAKE_CALL(guest_msr)
FAKE_CALL(guest_doorbell)
FAKE_CALL(guest_msi)
FAKE_CALL(guest_dirty)
FAKE_CALL(vcpu_create)
FAKE_CALL(vcpu_run)
FAKE_CALL(vcpu_get)
FAKE_CALL(vcpu_set)
FAKE_CALL(vcpu_kick)
FAKE_CALL(vcpu_lapic)
FAKE_CALL(vcpu_stats)
FAKE_CALL(machine_info)
FAKE_CALL(machine_control)
FAKE_CALL(cpu_info)
FAKE_CALL(klog_write)
FAKE_CALL(klog_read)

/* Nothing runs on the CPU: back to whoever let it enter the kernel. */
uint64_t idle_poll_most;
void idle_poll(struct cpu *cpu, uint64_t start)
{
    (void)cpu, (void)start;
}
void idle_wait(void)
{
    longjmp(*fake_idle_exit[fake_cpu], 1);
}

static struct regs *fake_reschedule(void)
{
    section_enter(cpu_self());
    return kernel_exit();
}

static inline void fake_enter(uint32_t cpu, struct regs *(*entry)(void))
{
    jmp_buf here;
    volatile uint32_t before = fake_cpu;
    fake_cpu = cpu;
    fake_in_kernel[cpu] = true;
    fake_idle_exit[cpu] = &here;
    if (setjmp(here) == 0)
        entry();
    if (cpus[fake_cpu]->section & 1) {
        printf("CPU %u left the kernel inside a section\n", fake_cpu);
        abort();
    }
    fake_in_kernel[fake_cpu] = false;
    fake_cpu = before;
}

static inline void fake_interrupt(uint32_t cpu, uint64_t vector)
{
    struct thread *current = cpus[cpu]->current;
    if (current) {
        current->regs.vector = vector;
        fake_enter(cpu, user_interrupt);
        return;
    }
    uint32_t before = fake_cpu;
    fake_cpu = cpu;
    kernel_interrupt(&(struct regs){.vector = vector});
    fake_cpu = before;
    if (cpus[cpu]->resched)
        fake_enter(cpu, fake_reschedule);
}

/* Lets one CPU take what is pending for it; false: nothing is. */
static inline bool fake_deliver(uint32_t cpu)
{
    if (fake_in_kernel[cpu])
        return false;
    if (fake_ipis[cpu]) {
        uint32_t bit = fake_ipis[cpu] & -fake_ipis[cpu];
        fake_ipis[cpu] &= ~bit;
        fake_interrupt(cpu, bit == 2 ? VEC_SHOOTDOWN : VEC_RESCHED);
        return true;
    }
    if (fake_deadline[cpu] <= fake_tsc) {
        fake_deadline[cpu] = UINT64_MAX;
        fake_interrupt(cpu, VEC_TIMER);
        return true;
    }
    if (!cpus[cpu]->current && cpus[cpu]->resched) {
        fake_enter(cpu, fake_reschedule);
        return true;
    }
    return false;
}

static inline void fake_deliver_others(void)
{
    for (uint32_t i = 0; i < FAKE_CPUS; i++)
        if (i != fake_cpu)
            fake_deliver(i);
}

/* Until no interrupt is pending anywhere. */
static inline void fake_settle(void)
{
    for (uint32_t i = 0; i < FAKE_CPUS; i++)
        if (fake_deliver(i))
            i = UINT32_MAX;
}

static inline void fake_kernel_init(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    setvbuf(stdout, NULL, _IOLBF, 0);
    fake_machine_init();
    fake_on_pause = fake_deliver_others;
    for (uint32_t i = 0; i < FAKE_CPUS; i++) {
        cpus[i]->tss = &fake_tss[i].tss;
        cpus[i]->resched = 1;
        runq_init(cpus[i]);
        timerq_init(cpus[i]);
    }
}

/* The CPU on which a thread runs in ring 3; FAKE_CPUS: nowhere. */
static inline uint32_t fake_where(const struct thread *thread)
{
    uint32_t i = 0;
    while (i < FAKE_CPUS && cpus[i]->current != thread)
        i++;
    return i;
}

#define STILL_BLOCKED 1000 /* fake_call: the thread sleeps */
#define NOT_RUNNING   1001

struct fake_args {
    uint64_t v[6]; /* RDI RSI RDX R10 R8 R9 */
};
#define ARGS(...) ((struct fake_args){{__VA_ARGS__}})

/* Starts a system call of a running thread and delivers no interrupt afterwards. */
static inline int64_t fake_call_raw(struct thread *thread, uint64_t number, struct fake_args args)
{
    uint32_t cpu = thread ? fake_where(thread) : FAKE_CPUS;
    if (cpu == FAKE_CPUS)
        return NOT_RUNNING;
    struct regs *r = &thread->regs;
    fake_spins = 0;
    do {
        r->rax = number;
        r->rdi = args.v[0], r->rsi = args.v[1], r->rdx = args.v[2];
        r->r10 = args.v[3], r->r8 = args.v[4], r->r9 = args.v[5];
        r->rip = 0x1000;
        obj_ref(&thread->obj); /* stays readable if it deletes itself */
        fake_enter(cpu, syscall_dispatch);
        cpu = fake_where(thread);
    } while (r->rip != 0x1000 && cpu < FAKE_CPUS);
    int64_t status = thread->state == THREAD_READY ? (int64_t)r->rax : STILL_BLOCKED;
    obj_unref(&thread->obj);
    return status;
}

static inline int64_t fake_call(struct thread *thread, uint64_t number, struct fake_args args)
{
    int64_t status = fake_call_raw(thread, number, args);
    fake_settle();
    return status;
}
#define CALL(thread, name, ...) fake_call(thread, SYS_##name, ARGS(__VA_ARGS__))

#endif
