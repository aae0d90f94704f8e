/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the IOMMU code: one remapping unit. Both vendors' units take commands of 16 bytes from a
 * ring of one page, store a word when they have come to a certain command, and interrupt with a
 * message when they have stopped something. */
#ifndef ARCH_IOMMU_UNIT_H
#define ARCH_IOMMU_UNIT_H

#include "arch/x86_64/iommu.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/mmio.h"

#define COMMAND_RING_SIZE PAGE_SIZE

/* Domains, the tags of cached translations: one a device, but 0, and 1 for all that still has only
 * what firmware reserved. */
#define DOMAIN_FIRMWARE 1u
#define DOMAINS_MAX     1024u
extern uint32_t iommu_domains; /* what all units can tell apart */

/* One page that all units share: where each vector goes, for messages that name it. NULL: a unit
 * cannot remap interrupts. */
extern void *iommu_routes;
void iommu_no_routes(void);

struct iommu_command {
    uint64_t low, high;
};

struct iommu_unit {
    const struct acpi_iommu *acpi;
    volatile uint8_t *regs;
    uint64_t cap, ecap;          /* VT-d: capability registers; AMD: cap is the extended features */
    uint64_t *table;             /* root table, device table */
    uint32_t table_size;         /* AMD: requester ids below this have an entry */
    struct iommu_command *queue; /* NULL: VT-d without queued invalidation */
    volatile uint64_t *done;     /* the word that the unit stores */
    uint32_t tail;               /* byte offset in the queue */
    uint32_t tail_register;
    uint64_t *events; /* AMD: event log */
    bool tell_mapped; /* it may remember that nothing was mapped, or buffer our writes */
};

/* What differs. All but faults() under the object lock or at boot. */
struct iommu_ops {
    const char *name;
    /* Reads what the unit offers and takes away from iommu.format what it cannot. false: unusable
     * (logged). */
    bool (*probe)(struct iommu_unit *unit);
    /* Switches translation on, for what has been attached so far. */
    void (*start)(struct iommu_unit *unit);
    /* false: no memory. Neither flushes. */
    bool (*attach)(struct iommu_unit *unit, uint32_t function, hpa_t root, uint32_t domain);
    void (*detach)(struct iommu_unit *unit, uint32_t function);
    /* Forgets what it has read about functions, or the translations of a domain. */
    void (*flush_functions)(struct iommu_unit *unit, uint32_t first, uint32_t count);
    void (*flush)(struct iommu_unit *unit, uint32_t domain);
    /* Writes a vector's entry; UINT32_MAX: nowhere. The units must forget the old one. */
    void (*route)(uint8_t vector, uint32_t apic_id, bool level);
    void (*flush_routes)(struct iommu_unit *unit);
    void (*faults)(struct iommu_unit *unit);
    void (*report)(struct iommu_unit *unit, bool on); /* faults, by interrupts */
};
extern const struct iommu_ops vtd_ops, amdvi_ops;

static inline uint32_t unit_read32(const struct iommu_unit *unit, uint32_t reg)
{
    return mmio_read32(unit->regs + reg);
}
static inline uint64_t unit_read64(const struct iommu_unit *unit, uint32_t reg)
{
    return mmio_read64(unit->regs + reg);
}
static inline void unit_write32(const struct iommu_unit *unit, uint32_t reg, uint32_t value)
{
    mmio_write32(unit->regs + reg, value);
}
static inline void unit_write64(const struct iommu_unit *unit, uint32_t reg, uint64_t value)
{
    mmio_write64(unit->regs + reg, value);
}

/* Waits for (register & mask) == value; panics after a second: a unit that does not answer
 * protects nothing. */
void unit_wait(const struct iommu_unit *unit, uint32_t reg, uint32_t mask, uint32_t value);
/* Puts a command into the ring. */
void unit_command(struct iommu_unit *unit, uint64_t low, uint64_t high);
/* Puts the command that stores 1 into *unit->done, and waits for that. */
void unit_complete(struct iommu_unit *unit, uint64_t low, uint64_t high);
/* The ring, and the word. */
bool unit_make_queue(struct iommu_unit *unit, uint32_t tail_register);
/* Prints, a few lines a second. */
void unit_fault(const struct iommu_unit *unit, uint32_t function, const char *what,
                uint64_t address, const char *why, uint32_t code);

#endif
