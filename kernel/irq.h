/* SPDX-License-Identifier: BSD-2-Clause */
/* Device interrupts: a vector of one CPU, delivered as notification bits. */
#ifndef KERNEL_IRQ_H
#define KERNEL_IRQ_H

#include "kernel/notif.h"

struct irq { /* OBJ_IRQ */
    struct obj obj;
    uint32_t gsi;   /* UINT32_MAX: MSI */
    uint32_t flags; /* IRQ_LEVEL, IRQ_ACTIVE_LOW */
    uint32_t cpu;
    uint8_t vector;
    spinlock_t lock;
    struct notif *notif; /* referenced */
    uint64_t bits;
    _Atomic uint64_t count;
};

/* A device vector arrived on this CPU. */
void irq_interrupt(uint8_t vector);
void irq_destroy(struct obj *obj);

#endif
