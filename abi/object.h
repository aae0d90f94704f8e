/* SPDX-License-Identifier: BSD-2-Clause */
/* Object types, rights, and the slots every program starts with. */
#ifndef ABI_OBJECT_H
#define ABI_OBJECT_H

enum obj_type {
    OBJ_NONE,
    OBJ_PD,      /* protection domain: an address space, a capability table, a memory account */
    OBJ_THREAD,  /* a ring-3 thread */
    OBJ_SC,      /* scheduling context: CPU, priority, budget, period */
    OBJ_PORTAL,  /* synchronous IPC endpoint */
    OBJ_NOTIF,   /* notification: 64 event bits and a one-shot timer */
    OBJ_MEM,     /* a physically contiguous range of memory or MMIO */
    OBJ_PORTS,   /* a range of I/O ports */
    OBJ_IRQ,     /* one interrupt source: a GSI or an MSI vector */
    OBJ_GUEST,   /* guest space: guest-physical memory, CPUID and MSR policy, doorbells */
    OBJ_VCPU,    /* one virtual CPU of a guest space */
    OBJ_MACHINE, /* the authority over the machine: interrupts, power, kernel log, kernel memory */
    OBJ_DEVICE,  /* what sends DMA requests under some requester ids, and the memory it reaches */
    OBJ_TYPES
};

/* Rights. A copy never has more than its source. What a bit means depends on the type. */
#define RIGHT_COPY    0x01u /* may be copied and sent (all types) */
#define RIGHT_CONTROL 0x02u /* configure, create inside, destroy (all types) */
#define RIGHT_READ    0x04u /* memory: map readable; notification: wait; portal: receive */
#define RIGHT_WRITE   0x08u /* memory: map writable; notification: signal; portal: call */
#define RIGHT_EXEC    0x10u /* memory: map executable */
#define RIGHT_ALL     0x1fu

#define CAP_SLOTS 4096u /* slots of a domain's table; slot 0 is never valid */

/* Slots that the creator of a program fills before it starts. */
#define SLOT_SELF_PD     1u
#define SLOT_SELF_THREAD 2u
#define SLOT_SELF_SC     3u
#define SLOT_MACHINE     4u /* root task only */
#define SLOT_PORTS       5u /* root task only: all I/O ports but the kernel's */
#define SLOT_ROOT_MEM    6u /* root task only: first of root_info.mem_count memory capabilities */

/* For programs started by the manager (user/spawn.h). */
#define SLOT_PARENT 4u /* portal to the manager, badged with the program's identity */
#define SLOT_NOTIF  5u /* notification bound to the first thread */
#define SLOT_HEAP   6u /* memory for malloc() */
#define SLOT_ARGS   7u /* first of the program's own capabilities, see its args page */

#endif
