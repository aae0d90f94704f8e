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

/* What a scheduling context may use. On one CPU the ranks are, from the top: fixed priorities from
 * SC_PRIORITY_URGENT, reserved contexts by earliest deadline, fixed priorities from
 * SC_PRIORITY_SYSTEM, shared contexts by weight, the other fixed priorities. */
enum sc_class {
    SC_SHARED,   /* proportional share of what is left, by weight; a budget is a cap */
    SC_RESERVED, /* budget in every period, admitted only where it fits */
    SC_FIXED     /* by priority, equals take turns; what sc_create makes */
};

#define SC_PRIORITY_URGENT 48u
#define SC_PRIORITY_SYSTEM 16u
#define SC_WEIGHT_MIN      2u
#define SC_WEIGHT_DEFAULT  1024u
#define SC_WEIGHT_MAX      262144u
#define SC_BUDGET_MIN_US   100u
#define SC_PERIOD_MAX_US   10000000u
/* The part of each CPU, in millionths, that reservations may take in all. */
#define SC_RESERVABLE_PPM 950000u
#define SC_AFFINITY_CPUS  256u

/* sc_params() reads this from the caller's UTCB (mr[]). */
struct sc_params {
    uint32_t class;    /* enum sc_class */
    uint32_t priority; /* SC_FIXED: 0 (lowest) to 63; else 0 */
    uint32_t weight;   /* SC_SHARED: SC_WEIGHT_MIN to SC_WEIGHT_MAX; else 0 */
    uint32_t flags;    /* 0 */
    /* SC_RESERVED: how much in each period. Others: at most that much; budget 0: no limit. */
    uint64_t budget_us, period_us;
    uint64_t affinity[SC_AFFINITY_CPUS / 64]; /* bit per CPU; those that do not exist are ignored */
};

struct sc_info {
    uint64_t cpu; /* where it runs, or ran last */
    uint64_t priority;
    uint64_t budget_us, period_us; /* 0: no limit */
    uint64_t used_tsc;             /* TSC cycles consumed since creation */
    uint64_t switches;
    uint64_t class, weight;
    uint64_t affinity[SC_AFFINITY_CPUS / 64];
    uint64_t wait_tsc;        /* it could have run, but something else did */
    uint64_t throttled_tsc;   /* it could have run, but its budget was used up */
    uint64_t migrations;      /* from CPU to CPU */
    uint64_t deadline_misses; /* periods in which a reserved context wanted its budget in vain */
    uint64_t id;              /* in the trace; no other context ever has it */
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

#define MACHINE_LEVELS 4u

/* machine_control() operations. */
enum machine_op {
    MACHINE_RESET = 1, /* chip set's register, keyboard controller, triple fault (user/power.h) */
    MACHINE_CONSOLE, /* arg 1: ring 3 owns serial line and screen, the kernel only logs; 0: back */
    MACHINE_PANIC,   /* crash on purpose (tests of the panic record) */
    MACHINE_TRACE,   /* arg 1: scheduling events are traced from now on; 0: no more */
    MACHINE_TRACE_READ, /* see abi/trace.h */
    /* arg: a CPU. What is near it: MACHINE_LEVELS sets of CPUs in the UTCB (mr[]), SC_AFFINITY_CPUS
     * bits each: the threads of its core, those that share its last cache, its node, its
     * node and those next to it. */
    MACHINE_NEAR,
    MACHINE_CPU_OFFLINE, /* arg: a CPU. ERR_ADMISSION: a reservation fits nowhere else, or it is the
                            last. It still serves interrupts */
    MACHINE_CPU_ONLINE
};

#endif
