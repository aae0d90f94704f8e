/* SPDX-License-Identifier: BSD-2-Clause */
/* Per-CPU state. Ring 0 runs with interrupts off on one stack a CPU; the CPU's structure is found
 * from the stack pointer, because after a #VMEXIT GS still holds the guest's base until the host
 * state is loaded, and hot exits never load it. */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include "abi/thread.h"
#include "arch/x86_64/regs.h"

#define KSTACK_SIZE 0x4000ull /* aligned to its size; its lowest page is a guard page */

struct thread;
struct runq;
struct timerq;
struct virt_cpu;
struct fpu_area;
struct space;
struct vcpu;

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t iomap_base;
} __attribute__((packed));

enum { IST_NMI = 1, IST_DF, IST_MC, IST_DB, IST_COUNT = 4 };

/* Legend: (o) own CPU only; (a) atomic, any CPU; (c) constant after start. */
struct cpu {
    struct regs *
        user_regs; /* (o) end of the current thread's struct regs: entry from ring 3 pushes there */
    uint64_t kernel_stack;    /* (c) initial RSP in ring 0 */
    uint64_t scratch;         /* (o) RSP of ring 3 during syscall entry */
    uint32_t id;              /* (c) 0..cpu_count-1 */
    uint32_t apic_id;         /* (c) */
    uint32_t node;            /* (c) SRAT proximity domain */
    struct thread *current;   /* (o) thread whose registers are loaded; NULL: idle */
    struct space *active;     /* (o, read by shoot-down initiators) address space in CR3 */
    _Atomic uint32_t resched; /* (a) not 0: reschedule before leaving the kernel */
    _Atomic bool watches;     /* (a) it looks at resched all the time: no interrupt is needed */
    _Atomic uint32_t section; /* (a) odd while in a fast kernel section; see kernel/quiesce.h */
    _Atomic uint32_t flush_request; /* (a) generation asked by a shoot-down initiator */
    _Atomic uint32_t flush_done;    /* (a) generation this CPU has carried out */
    struct vcpu *_Atomic in_guest;  /* (a) vCPU between entry and exit, NULL otherwise */
    uint64_t poll_tsc;              /* (o) how long it looks before it halts */
    struct runq *runq;              /* (c) sched/ */
    struct timerq *timerq;          /* (c) sched/ */
    struct virt_cpu *virt;          /* (c) virt/ */
    struct fpu_area *fpu_owner; /* (o) whose extended state is in the registers; NULL: nobody's */
    void *iopm_owner;           /* (o) domain whose port bitmap is in the TSS */
    struct cpu_info info;       /* (o, read by anyone) counters */
    struct tss *tss;            /* (c) followed by the I/O permission bitmap */
    uint64_t *gdt;              /* (c) */
};

extern struct cpu **cpus; /* sized from the MADT */
extern uint32_t cpu_count;

/* The CPU's pointer lies at the top of each of its stacks. */
static inline struct cpu *cpu_self(void)
{
    uintptr_t rsp;
    __asm__("mov %%rsp, %0" : "=r"(rsp));
    return *(struct cpu **)((rsp | (KSTACK_SIZE - 1)) - 7);
}

/* GDT selectors. SYSRET wants user data right below user code. */
#define SEL_KCODE 0x08u
#define SEL_KDATA 0x10u
#define SEL_UDATA 0x23u
#define SEL_UCODE 0x2bu
#define SEL_TSS   0x30u

/* Interrupt vectors. */
#define VEC_DEVICE_FIRST 0x30u
#define VEC_DEVICE_LAST  0xdfu
#define VEC_TIMER        0xe0u
#define VEC_RESCHED      0xe1u /* wake-up from another CPU; also kicks a vCPU out of its guest */
#define VEC_SHOOTDOWN    0xe2u
#define VEC_IOMMU        0xe3u /* a DMA remapping unit has stopped something */
#define VEC_POSTED       0xe4u /* a vCPU is to look for posted interrupts: its CPU, if that can */
#define VEC_SPURIOUS     0xefu

#endif
