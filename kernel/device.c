/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/device.h"

#include "arch/x86_64/iommu.h"
#include "kernel/syscall.h"

/* Writes of a device there are interrupts whatever the IOMMU's tables say (Intel VT-d
 * specification, "Handling Requests to Interrupt Address Range"; AMD IOMMU specification, "Special
 * Address Controls"). */
#define INTERRUPT_BASE 0xfee00000ull
#define INTERRUPT_END  0xfef00000ull

/* Under the object lock. */
static struct list devices = {&devices, &devices};

int64_t device_check(const struct space *space, const struct mem *mem, uint64_t address,
                     uint64_t offset, uint64_t size, uint32_t flags)
{
    const struct device *device = container_of(space, struct device, space);
    if ((flags & ~(MAP_READ | MAP_WRITE)) || mem->device)
        return ERR_ARG;
    if (address < INTERRUPT_END && (address >= INTERRUPT_BASE || size > INTERRUPT_BASE - address))
        return ERR_ARG;
    return device->unit || address == mem->base.v + offset ? OK : ERR_ARG;
}

void device_flush(struct space *space)
{
    const struct device *device = container_of(space, struct device, space);
    if (device->unit)
        iommu_flush(device->unit, device->domain);
}

void device_mapped(struct space *space)
{
    const struct device *device = container_of(space, struct device, space);
    if (device->unit)
        iommu_mapped(device->unit, device->domain);
}

static bool taken(uint32_t requester, uint32_t count)
{
    list_for_each_safe(device, &devices, struct device, in_all)
    {
        if (requester < device->requester + device->count && device->requester < requester + count)
            return true;
    }
    return false;
}

/* What firmware keeps for the device in RAM stays reachable, at its own address. */
static int64_t map_reserved(struct device *device)
{
    int64_t status = OK;
    for (uint32_t i = 0; i < dma_tables.range_count && status == OK; i++) {
        const struct acpi_dma_range *range = &dma_tables.range[i];
        if (range->first < device->requester + device->count && device->requester <= range->last)
            status = space_map_kernel(&device->space, range->base, hpa(range->base), range->size);
        if (status == ERR_EXISTS) /* the table names it twice */
            status = OK;
    }
    return status;
}

static int64_t setup(struct device *device, struct pd *payer)
{
    int64_t status = OK;
    uint64_t *root = pd_pages(payer, 0, &status);
    if (!root)
        return status;
    space_init(&device->space, &iommu.format, root, 1ull << iommu.bits, SPACE_DEVICE, payer);
    device->unit = iommu_of(device->requester);
    if (device->unit) {
        status = map_reserved(device);
        if (status == OK && !iommu_attach(device->unit, device->requester, device->count,
                                          kva_to_hpa(root), &device->domain))
            status = ERR_NOMEM;
        device->unit = status == OK ? device->unit : NULL;
    }
    if (status != OK)
        space_destroy(&device->space);
    return status;
}

int64_t sys_device_create(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct obj, machine, r->rsi, OBJ_MACHINE, RIGHT_CONTROL);
    ARG_OBJECT(struct pd, payer, r->rdx, OBJ_PD, RIGHT_CONTROL);
    uint32_t requester = (uint32_t)r->r10, count = (uint32_t)r->r8;
    uint64_t slot = r->rdi;
    if (!count || count > 256 - (requester & 0xff))
        return ERR_ARG;
    if (payer->ended)
        return ERR_GONE;
    if (taken(requester, count))
        return ERR_EXISTS;
    int64_t status = cap_reserve(self->pd, slot);
    if (status != OK)
        return status;
    struct device *device = obj_create(payer, OBJ_DEVICE, sizeof(*device), &status);
    if (!device)
        return status;
    device->requester = requester;
    device->count = count;
    status = setup(device, payer);
    if (status != OK) {
        device->obj.dead = true;
        obj_unref(&device->obj);
        return status;
    }
    list_add_tail(&devices, &device->in_all);
    r->rdi = device->unit ? iommu.kind : DMA_OPEN;
    return cap_insert(self->pd, slot, &device->obj, RIGHT_ALL, 0, NULL);
}

void device_destroy(struct obj *obj)
{
    struct device *device = container_of(obj, struct device, obj);
    list_del(&device->in_all);
    if (device->unit)
        iommu_detach(device->unit, device->requester, device->count, device->domain);
    space_destroy(&device->space);
}
