/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on memory objects and mappings. */
#include "kernel/syscall.h"

#include "arch/x86_64/kmem.h"
#include "kernel/device.h"
#include "kernel/machine.h"

int64_t sys_mem_derive(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct mem, src, r->rsi, OBJ_MEM, RIGHT_COPY);
    uint64_t offset = r->rdx, size = r->r10;
    if (!size || !aligned(offset | size, PAGE_SIZE) || offset + size < offset ||
        offset + size > src->size)
        return ERR_ARG;
    int64_t status = cap_reserve(self->pd, r->rdi);
    if (status != OK)
        return status;
    struct mem *mem = obj_create(self->pd, OBJ_MEM, sizeof(*mem), &status);
    if (!mem)
        return status;
    mem->base = hpa(src->base.v + offset);
    mem->size = size;
    mem->device = src->device;
    struct cap *parent = cap_lookup(self->pd, r->rsi);
    return cap_insert(self->pd, r->rdi, &mem->obj, parent->rights & (uint32_t)r->r8, 0, parent);
}

/* The space behind a capability of a domain, a guest space or a device. */
static struct space *space_of(struct thread *self, uint64_t slot, int64_t *status)
{
    struct pd *pd = cap_object(self->pd, slot, OBJ_PD, RIGHT_CONTROL, status);
    if (pd)
        return pd->ended ? NULL : &pd->space;
    if (*status != ERR_CAP)
        return NULL;
    struct obj *guest = cap_object(self->pd, slot, OBJ_GUEST, RIGHT_CONTROL, status);
    if (guest)
        return guest->dead ? NULL : guest_space(guest);
    if (*status != ERR_CAP)
        return NULL;
    struct device *device = cap_object(self->pd, slot, OBJ_DEVICE, RIGHT_CONTROL, status);
    return device ? &device->space : NULL;
}

static int64_t check_flags(const struct mem *mem, uint32_t rights, const struct space *space,
                           uint32_t *flags)
{
    if (*flags & ~(MAP_READ | MAP_WRITE | MAP_EXEC | MAP_UNCACHED | MAP_WC))
        return ERR_ARG;
    if (!(*flags & MAP_READ) || ((*flags & MAP_UNCACHED) && (*flags & MAP_WC)))
        return ERR_ARG;
    if (space->kind == SPACE_PD && (*flags & MAP_WRITE) && (*flags & MAP_EXEC))
        return ERR_ARG;
    uint32_t need = RIGHT_READ;
    need |= (*flags & MAP_WRITE) ? RIGHT_WRITE : 0;
    need |= (*flags & MAP_EXEC) ? RIGHT_EXEC : 0;
    if ((rights & need) != need)
        return ERR_RIGHTS;
    if (mem->device && !(*flags & MAP_WC))
        *flags |= MAP_UNCACHED;
    return OK;
}

/* Objects whose memory the kernel was given: what lies there is not mapped any more, through
 * whatever capability. Under the object lock. */
static struct mem *donated;

static bool overlap(uint64_t base, uint64_t size, uint64_t other, uint64_t other_size)
{
    return base < other + other_size && other < base + size;
}

static bool is_donated(const struct mem *mem, uint64_t offset, uint64_t size)
{
    if (offset > mem->size || size > mem->size - offset)
        return false; /* refused for that anyway */
    for (const struct mem *d = donated; d; d = d->next_donated)
        if (overlap(mem->base.v + offset, size, d->base.v, d->size))
            return true;
    return false;
}

int64_t sys_mem_map(struct thread *self, struct regs *r)
{
    int64_t status;
    struct space *space = space_of(self, r->rdi, &status);
    if (!space)
        return status == OK ? ERR_GONE : status;
    ARG_OBJECT(struct mem, mem, r->rsi, OBJ_MEM, RIGHT_READ);
    struct cap *cap = cap_lookup(self->pd, r->rsi);
    uint32_t flags = (uint32_t)r->r9;
    status = check_flags(mem, cap->rights, space, &flags);
    if (status == OK && is_donated(mem, r->r10, r->r8))
        status = ERR_STATE;
    if (status == OK && space->kind == SPACE_DEVICE)
        status = device_check(space, mem, r->rdx, r->r10, r->r8, flags);
    return status == OK ? space_map(space, cap, r->rdx, r->r10, r->r8, flags) : status;
}

int64_t sys_mem_unmap(struct thread *self, struct regs *r)
{
    int64_t status;
    struct space *space = space_of(self, r->rdi, &status);
    if (!space)
        return status == OK ? ERR_GONE : status;
    return space_unmap(space, r->rsi, r->rdx);
}

int64_t sys_mem_info(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct mem, mem, r->rdi, OBJ_MEM, 0);
    r->rdi = mem->base.v;
    r->rsi = mem->size;
    return OK;
}

/* All capabilities derived from top, and top, in the order parent, children, next sibling. */
static struct cap *next_derived(struct cap *cap, const struct cap *top)
{
    if (!list_empty(&cap->children))
        return list_first(&cap->children, struct cap, sibling);
    for (; cap != top; cap = cap->parent)
        if (cap->sibling.next != &cap->parent->children)
            return container_of(cap->sibling.next, struct cap, sibling);
    return NULL;
}

/* Is a byte of it mapped anywhere, through this or another capability to the same memory? */
static bool is_mapped(struct cap *cap, const struct mem *mem)
{
    struct cap *top = cap;
    while (top->parent)
        top = top->parent;
    for (cap = top; cap; cap = next_derived(cap, top)) {
        const struct mem *other = (const struct mem *)cap->obj;
        list_for_each_safe(m, &cap->mappings, struct mapping, by_cap)
        {
            if (overlap(other->base.v + m->offset, m->size, mem->base.v, mem->size))
                return true;
        }
    }
    return false;
}

/* The caller gives up its capability. Whoever has another one to the same bytes, above or beside
 * it, must not have them mapped, and cannot map them any more. */
int64_t sys_machine_donate(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct obj, machine, r->rdi, OBJ_MACHINE, RIGHT_CONTROL);
    ARG_OBJECT(struct mem, mem, r->rsi, OBJ_MEM, RIGHT_READ | RIGHT_WRITE | RIGHT_CONTROL);
    struct cap *cap = cap_lookup(self->pd, r->rsi);
    if (mem->device || !aligned(mem->base.v | mem->size, 2 * MIB))
        return ERR_ARG;
    if (mem->obj.caps != 1 || !list_empty(&cap->children) || is_mapped(cap, mem) ||
        is_donated(mem, 0, mem->size))
        return ERR_STATE;
    if (!kmem_add(mem->base, mem->size))
        return ERR_NOMEM;
    self->pd->kmem_limit += mem->size;
    obj_ref(&mem->obj); /* stays as the record */
    mem->next_donated = donated;
    donated = mem;
    cap_delete(cap);
    return OK;
}
