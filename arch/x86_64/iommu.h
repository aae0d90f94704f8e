/* SPDX-License-Identifier: BSD-2-Clause */
/* DMA remapping units, Intel VT-d and AMD-Vi behind one interface. From iommu_init() on, what has
 * not been attached reaches no memory. Calls are under the object lock. */
#ifndef ARCH_IOMMU_H
#define ARCH_IOMMU_H

#include "abi/thread.h"
#include "arch/x86_64/ptab.h"
#include "boot/acpi.h"

struct iommu_unit;

struct iommu_info {
    enum dma_kind kind;
    uint32_t bits;           /* width of a device address */
    struct pt_format format; /* of device spaces: what all units of this machine can walk */
    bool handles;            /* interrupt messages name an entry, the vector's, instead of a CPU */
};
extern struct iommu_info iommu;
extern struct acpi_dma dma_tables; /* what firmware says */

/* Boot CPU, before other CPUs and ring 3 run: switches the units on. */
void iommu_init(const struct acpi_dma *from);
/* The unit before a requester id; NULL: its DMA is not confined. */
struct iommu_unit *iommu_of(uint32_t requester);
/* Lets requests of `count` ids through the tables at root, and chooses *domain. false: no memory,
 * no domain left, or another unit stands before some of them. */
bool iommu_attach(struct iommu_unit *unit, uint32_t requester, uint32_t count, hpa_t root,
                  uint32_t *domain);
/* After it returns they reach nothing. */
void iommu_detach(struct iommu_unit *unit, uint32_t requester, uint32_t count, uint32_t domain);
/* After it returns the unit has forgotten the domain's translations, and requests that used them
 * are through. */
void iommu_flush(struct iommu_unit *unit, uint32_t domain);
/* Entries became present. */
void iommu_mapped(struct iommu_unit *unit, uint32_t domain);
/* Lets devices raise a vector, on this CPU and in no other way than by it; or no longer. Nothing
 * happens where interrupts are not remapped. */
void iommu_route(uint8_t vector, uint32_t cpu, bool level);
void iommu_unroute(uint8_t vector);
/* VEC_IOMMU: prints what was stopped. */
void iommu_interrupt(void);

#endif
