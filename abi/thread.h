/* SPDX-License-Identifier: BSD-2-Clause */
/* What thread_info(), sc_info() and pd_info() write into the caller's UTCB (mr[]), and map flags.
 */
#ifndef ABI_THREAD_H
#define ABI_THREAD_H

#include <stdint.h>
#include "abi/map.h"

enum thread_state {
    THREAD_NEW,
    THREAD_READY,
    THREAD_BLOCKED,
    THREAD_SUSPENDED,
    THREAD_FAULTED,
    THREAD_DEAD
};

/* thread_info.fault_vector of a thread that called thread_exit(). */
#define THREAD_EXIT_VECTOR 256u

struct thread_info {
    uint64_t state; /* enum thread_state */
    uint64_t fault_vector, fault_error, fault_addr;
    uint64_t rip, rsp, rflags;
    uint64_t gpr[16]; /* enum vcpu_gpr order */
};

struct sc_info {
    uint64_t cpu, priority;
    uint64_t budget_us, period_us; /* 0: no limit */
    uint64_t used_tsc;             /* TSC cycles consumed since creation */
    uint64_t switches;
};

struct pd_info {
    uint64_t kmem_used, kmem_limit; /* bytes of kernel memory, this domain */
    uint64_t threads, caps, mappings, page_tables;
    uint64_t faults;          /* times a thread of the domain was stopped by a fault */
    struct thread_info fault; /* the thread of the first one, as it stopped */
};

/* What keeps a device's DMA to the memory that is mapped for it. */
enum dma_kind { DMA_OPEN /* nothing: it reaches all memory */, DMA_VTD, DMA_AMDVI };

/* machine_info(): the kernel's own accounting, and how DMA is confined. */
struct machine_info {
    uint64_t kmem_total, kmem_free; /* bytes */
    uint64_t objects[16];           /* live objects by enum obj_type */
    uint64_t klog_head;             /* bytes ever written to the kernel log */
    uint64_t dma;                   /* enum dma_kind */
    uint64_t dma_bits;              /* width of the addresses that can be mapped into a device */
};

/* cpu_info(): per-CPU counters. */
struct cpu_info {
    uint64_t apic_id, node;
    uint64_t idle_tsc;
    uint64_t switches, interrupts, ipis, shootdowns, timer_irqs, syscalls;
};

/* irq_create() flags. */
#define IRQ_LEVEL      0x1u
#define IRQ_ACTIVE_LOW 0x2u
#define IRQ_ISA        0x4u /* the number is an ISA IRQ: translate by MADT overrides */

/* machine_control() operations. */
enum machine_op {
    MACHINE_RESET = 1, /* chip set's register, keyboard controller, triple fault (user/power.h) */
    MACHINE_CONSOLE, /* arg 1: ring 3 owns serial line and screen, the kernel only logs; 0: back */
    MACHINE_PANIC    /* crash on purpose (tests of the panic record) */
};

#endif
