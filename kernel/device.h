/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices: the requester ids under which something sends DMA requests, and the memory that these
 * reach. */
#ifndef KERNEL_DEVICE_H
#define KERNEL_DEVICE_H

#include "kernel/space.h"

struct iommu_unit;

struct device { /* OBJ_DEVICE */
    struct obj obj;
    struct space space;      /* device addresses */
    struct iommu_unit *unit; /* NULL: nothing confines it */
    uint32_t domain;         /* the unit's tag for what it caches of the space */
    uint32_t requester, count;
    struct list in_all;
};

/* Whether this may be mapped into a device: OK or ERR_ARG. */
int64_t device_check(const struct space *space, const struct mem *mem, uint64_t address,
                     uint64_t offset, uint64_t size, uint32_t flags);
/* After it returns the device reaches nothing that was unmapped before, and what was on its way
 * there has arrived. */
void device_flush(struct space *space);
/* Something was mapped: a unit that remembers that nothing was there is told. */
void device_mapped(struct space *space);
void device_destroy(struct obj *obj);

#endif
