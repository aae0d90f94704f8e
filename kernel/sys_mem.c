/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on memory objects and mappings. */
#include "kernel/syscall.h"

#include "arch/x86_64/kmem.h"
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

/* The space behind a capability of a domain or a guest space. */
static struct space *space_of(struct thread *self, uint64_t slot, int64_t *status)
{
    struct pd *pd = cap_object(self->pd, slot, OBJ_PD, RIGHT_CONTROL, status);
    if (pd)
        return pd->ended ? NULL : &pd->space;
    if (*status != ERR_CAP)
        return NULL;
    struct obj *guest = cap_object(self->pd, slot, OBJ_GUEST, RIGHT_CONTROL, status);
    return guest && !guest->dead ? guest_space(guest) : NULL;
}

static int64_t check_flags(const struct mem *mem, uint32_t rights, const struct space *space,
                           uint32_t *flags)
{
    if (*flags & ~(MAP_READ | MAP_WRITE | MAP_EXEC | MAP_UNCACHED | MAP_WC))
        return ERR_ARG;
    if (!(*flags & MAP_READ) || ((*flags & MAP_UNCACHED) && (*flags & MAP_WC)))
        return ERR_ARG;
    if (!space->is_guest && (*flags & MAP_WRITE) && (*flags & MAP_EXEC))
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

/* The caller gives up its capability; whoever still has another one to the same bytes would share
 * memory with the kernel, so only a memory object without other capabilities, children or mappings
 * is taken. */
int64_t sys_machine_donate(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct obj, machine, r->rdi, OBJ_MACHINE, RIGHT_CONTROL);
    ARG_OBJECT(struct mem, mem, r->rsi, OBJ_MEM, RIGHT_READ | RIGHT_WRITE | RIGHT_CONTROL);
    struct cap *cap = cap_lookup(self->pd, r->rsi);
    if (mem->device || !aligned(mem->base.v | mem->size, 2 * MIB))
        return ERR_ARG;
    if (mem->obj.caps != 1 || !list_empty(&cap->children) || !list_empty(&cap->mappings) ||
        (cap->parent && !list_empty(&cap->parent->mappings)))
        return ERR_STATE;
    if (!kmem_add(mem->base, mem->size))
        return ERR_NOMEM;
    self->pd->kmem_limit += mem->size;
    cap_delete(cap);
    return OK;
}
