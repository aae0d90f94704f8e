/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/space.h"

#include "arch/x86_64/klog.h"
#include "kernel/device.h"
#include "kernel/mapping.h"
#include "kernel/slab.h"

void space_init(struct space *space, const struct pt_format *format, uint64_t *root, uint64_t limit,
                enum space_kind kind, struct pd *payer)
{
    *space = (struct space){.limit = limit, .kind = kind, .payer = payer};
    space->ptab =
        (struct ptab){.format = format, .root = root, .charge = pd_charge_ptab, .account = payer};
}

static struct mapping *mapping_alloc(struct space *space, int64_t *status)
{
    *status = pd_charge(space->payer, slab_cost(sizeof(struct mapping)));
    if (*status != OK)
        return NULL;
    struct mapping *mapping = slab_alloc(sizeof(*mapping));
    if (!mapping) {
        pd_credit(space->payer, slab_cost(sizeof(*mapping)));
        *status = ERR_NOMEM;
    }
    return mapping;
}

static void mapping_free(struct space *space, struct mapping *mapping)
{
    slab_free(mapping, sizeof(*mapping));
    pd_credit(space->payer, slab_cost(sizeof(*mapping)));
}

static bool range_ok(const struct space *space, uint64_t address, uint64_t size)
{
    return size && aligned(address | size, PAGE_SIZE) && address + size > address &&
           address + size <= space->limit;
}

static void flush(struct space *space, uint64_t address, uint64_t size)
{
    if (space->kind == SPACE_GUEST)
        guest_flush(space, address, size);
    else if (space->kind == SPACE_DEVICE)
        device_flush(space);
    else
        space_flush(space);
}

static int64_t clear(struct space *space, uint64_t address, uint64_t size)
{
    void *free_list = NULL;
    int64_t status = ptab_unmap(&space->ptab, address, size, &free_list);
    if (status == OK) {
        flush(space, address, size);
        ptab_release(&space->ptab, free_list);
    }
    return status;
}

static int64_t add(struct space *space, struct mapping *m, hpa_t pa)
{
    int64_t status = ptab_map_part(&space->ptab, m->address, pa, m->size, m->flags);
    if (status != OK) {
        /* Another thread of the domain may have used the part that was mapped. */
        int64_t cleared = clear(space, m->address, m->size);
        ASSERT(cleared == OK);
        mapping_free(space, m);
        return status;
    }
    m->space = space;
    list_init(&m->by_cap);
    if (m->cap)
        list_add_tail(&m->cap->mappings, &m->by_cap);
    mapping_insert(space, m);
    if (space->kind == SPACE_DEVICE)
        device_mapped(space);
    return OK;
}

/* A mapping over a range where there is none yet, in no list. */
static struct mapping *make(struct space *space, uint64_t address, uint64_t size, uint32_t flags,
                            int64_t *status)
{
    *status = ERR_ARG;
    if (!range_ok(space, address, size))
        return NULL;
    *status = ERR_EXISTS;
    if (mapping_find(space, address, size))
        return NULL;
    struct mapping *m = mapping_alloc(space, status);
    if (m) {
        m->address = address;
        m->size = size;
        m->flags = flags;
    }
    return m;
}

int64_t space_map(struct space *space, struct cap *mem_cap, uint64_t address, uint64_t offset,
                  uint64_t size, uint32_t flags)
{
    ASSERT(spin_held(&object_lock));
    struct mem *mem = (struct mem *)mem_cap->obj;
    if (!aligned(offset, PAGE_SIZE) || offset + size < offset || offset + size > mem->size)
        return ERR_ARG;
    int64_t status;
    struct mapping *m = make(space, address, size, flags, &status);
    if (!m)
        return status;
    m->cap = mem_cap;
    m->offset = offset;
    return add(space, m, hpa(mem->base.v + offset));
}

int64_t space_map_kernel(struct space *space, uint64_t address, hpa_t pa, uint64_t size)
{
    ASSERT(spin_held(&object_lock));
    int64_t status;
    struct mapping *m = make(space, address, size, MAP_READ | MAP_WRITE, &status);
    return m ? add(space, m, pa) : status;
}

static void drop(struct space *space, struct mapping *m)
{
    mapping_remove(space, m);
    list_del(&m->by_cap);
    mapping_free(space, m);
}

/* Takes [address, end) out of one mapping; *spare becomes the part above a hole. */
static void cut(struct space *space, struct mapping *m, uint64_t address, uint64_t end,
                struct mapping **spare)
{
    uint64_t m_end = m->address + m->size;
    if (m_end > end && m->address < address) {
        struct mapping *high = *spare;
        ASSERT(high);
        *spare = NULL;
        *high = *m;
        high->address = end;
        high->size = m_end - end;
        high->offset = m->offset + (end - m->address);
        list_init(&high->by_cap);
        list_add_tail(&m->cap->mappings, &high->by_cap);
        mapping_insert(space, high);
        m->size = address - m->address;
    } else if (m->address < address) {
        m->size = address - m->address;
    } else if (m_end > end) {
        mapping_remove(space, m);
        m->offset += end - m->address;
        m->size = m_end - end;
        m->address = end;
        mapping_insert(space, m);
    } else {
        drop(space, m);
    }
}

static bool has_kernel_page(struct space *space, uint64_t address, uint64_t end)
{
    for (struct mapping *m = mapping_find(space, address, end - address); m;
         m = address < end ? mapping_find(space, address, end - address) : NULL) {
        if (!m->cap)
            return true;
        address = m->address + m->size;
    }
    return false;
}

int64_t space_unmap(struct space *space, uint64_t address, uint64_t size)
{
    ASSERT(spin_held(&object_lock));
    if (!range_ok(space, address, size) || has_kernel_page(space, address, address + size))
        return ERR_ARG;
    /* Only a hole in one mapping makes two of it; everything else works without quota left. */
    int64_t status = OK;
    struct mapping *m = mapping_find(space, address, size), *spare = NULL;
    if (m && m->address < address && m->address + m->size > address + size) {
        spare = mapping_alloc(space, &status);
        if (!spare)
            return status;
    }
    status = clear(space, address, size);
    while (status == OK && (m = mapping_find(space, address, size)))
        cut(space, m, address, address + size, &spare);
    if (spare)
        mapping_free(space, spare);
    return status;
}

void space_unmap_kernel(struct space *space, uint64_t address)
{
    struct mapping *m = mapping_find(space, address, PAGE_SIZE);
    if (m && !m->cap && m->address == address) {
        clear(space, address, PAGE_SIZE);
        drop(space, m);
    }
}

void space_unmap_cap(struct cap *cap)
{
    list_for_each_safe(m, &cap->mappings, struct mapping, by_cap)
    {
        struct space *space = m->space;
        /* Whole mappings: no large page reaches out of one, so nothing is split and nothing can
         * fail. */
        int64_t status = clear(space, m->address, m->size);
        ASSERT(status == OK);
        drop(space, m);
    }
}

void space_unmap_all(struct space *space)
{
    if (!space->root)
        return;
    int64_t status = clear(space, 0, space->limit & ~PAGE_MASK);
    ASSERT(status == OK);
    while (space->root)
        drop(space, space->root);
}

void space_destroy(struct space *space)
{
    while (space->root)
        drop(space, space->root);
    ptab_destroy(&space->ptab, space->limit);
    pd_free_pages(space->payer, space->ptab.root, 0);
    space->ptab.root = NULL;
}

bool space_translate(struct space *space, uint64_t address, hpa_t *pa, uint32_t *flags)
{
    uint64_t leaf, size;
    if (address >= space->limit || !ptab_lookup(&space->ptab, address, pa, &leaf, &size))
        return false;
    const struct pt_format *f = space->ptab.format;
    *flags = MAP_READ | ((leaf & f->write) ? MAP_WRITE : 0);
    return true;
}
