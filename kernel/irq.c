/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/irq.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/iommu.h"
#include "arch/x86_64/ioapic.h"
#include "kernel/cap.h"
#include "kernel/syscall.h"

/* One table for all CPUs keeps it small: a vector belongs to one interrupt machine-wide, 176 of
 * them. */
#define VECTORS (VEC_DEVICE_LAST - VEC_DEVICE_FIRST + 1)
static struct irq *_Atomic by_vector[VECTORS];
static _Atomic uint64_t spurious;

static bool gsi_taken(uint32_t gsi)
{
    for (uint32_t i = 0; i < VECTORS; i++) {
        const struct irq *irq = by_vector[i];
        if (irq && irq->gsi == gsi)
            return true;
    }
    return false;
}

static uint8_t free_vector(void)
{
    for (uint32_t i = 0; i < VECTORS; i++)
        if (!by_vector[i])
            return (uint8_t)(VEC_DEVICE_FIRST + i);
    return 0;
}

static struct irq *irq_new(struct thread *self, uint64_t slot, uint32_t gsi, uint32_t cpu,
                           int64_t *status)
{
    *status = cap_reserve(self->pd, slot);
    uint8_t vector = free_vector();
    if (*status == OK && !vector)
        *status = ERR_NOMEM;
    struct irq *irq = *status == OK ? obj_create(self->pd, OBJ_IRQ, sizeof(*irq), status) : NULL;
    if (!irq)
        return NULL;
    irq->gsi = gsi;
    irq->cpu = cpu;
    irq->vector = vector;
    return irq;
}

int64_t sys_irq_create(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct obj, machine, r->rsi, OBJ_MACHINE, RIGHT_CONTROL);
    uint32_t gsi = (uint32_t)r->rdx, flags = (uint32_t)r->r10, cpu = (uint32_t)r->r8;
    if (cpu >= cpu_count || (flags & ~(IRQ_LEVEL | IRQ_ACTIVE_LOW | IRQ_ISA)))
        return ERR_ARG;
    if (flags & IRQ_ISA) {
        if (gsi > 15)
            return ERR_ARG;
        gsi = ioapic_isa(gsi, &flags);
        flags &= ~IRQ_ISA;
    }
    if (gsi_taken(gsi))
        return ERR_EXISTS;
    int64_t status;
    struct irq *irq = irq_new(self, r->rdi, gsi, cpu, &status);
    if (!irq)
        return status;
    irq->flags = flags;
    iommu_route(irq->vector, cpu, flags & IRQ_LEVEL);
    if (!ioapic_route(gsi, flags, cpu, irq->vector)) {
        iommu_unroute(irq->vector);
        obj_unref(&irq->obj);
        return ERR_ARG;
    }
    by_vector[irq->vector - VEC_DEVICE_FIRST] = irq;
    return cap_insert(self->pd, r->rdi, &irq->obj, RIGHT_ALL, 0, NULL);
}

int64_t sys_msi_create(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct obj, machine, r->rsi, OBJ_MACHINE, RIGHT_CONTROL);
    uint32_t cpu = (uint32_t)r->rdx;
    if (cpu >= cpu_count)
        return ERR_ARG;
    int64_t status;
    uint64_t slot = r->rdi;
    struct irq *irq = irq_new(self, slot, UINT32_MAX, cpu, &status);
    if (!irq)
        return status;
    by_vector[irq->vector - VEC_DEVICE_FIRST] = irq;
    uint32_t data;
    iommu_route(irq->vector, cpu, false);
    apic_msi(cpu, irq->vector, &r->rdi, &data);
    r->rsi = data;
    return cap_insert(self->pd, slot, &irq->obj, RIGHT_ALL, 0, NULL);
}

int64_t sys_irq_bind(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct irq, irq, r->rdi, OBJ_IRQ, RIGHT_CONTROL);
    ARG_NOTIF(notif, r->rsi, r->rdx, RIGHT_WRITE);
    obj_ref(&notif->obj);
    spin_lock(&irq->lock);
    struct notif *old = irq->notif;
    irq->notif = notif;
    irq->bits = notif_bits;
    spin_unlock(&irq->lock);
    if (old)
        obj_unref(&old->obj);
    if (irq->gsi != UINT32_MAX)
        ioapic_unmask(irq->gsi);
    return OK;
}

int64_t sys_irq_ack(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct irq, irq, r->rdi, OBJ_IRQ, RIGHT_CONTROL);
    if (irq->gsi != UINT32_MAX && (irq->flags & IRQ_LEVEL))
        ioapic_unmask(irq->gsi);
    return OK;
}

void irq_interrupt(uint8_t vector)
{
    struct irq *irq = vector >= VEC_DEVICE_FIRST && vector <= VEC_DEVICE_LAST
                          ? by_vector[vector - VEC_DEVICE_FIRST]
                          : NULL;
    if (irq && (irq->flags & IRQ_LEVEL))
        ioapic_mask(irq->gsi);
    apic_eoi();
    if (!irq) {
        spurious++;
        return;
    }
    irq->count++;
    spin_lock(&irq->lock);
    struct notif *notif = irq->notif;
    uint64_t bits = irq->bits;
    spin_unlock(&irq->lock);
    if (notif)
        notif_signal(notif, bits);
}

void irq_destroy(struct obj *obj)
{
    struct irq *irq = (struct irq *)obj;
    if (irq->gsi != UINT32_MAX)
        ioapic_mask(irq->gsi);
    iommu_unroute(irq->vector);
    by_vector[irq->vector - VEC_DEVICE_FIRST] = NULL;
    spin_lock(&irq->lock);
    struct notif *notif = irq->notif;
    irq->notif = NULL;
    spin_unlock(&irq->lock);
    if (notif)
        obj_unref(&notif->obj);
}
