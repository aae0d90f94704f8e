/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on capabilities and protection domains. */
#include "kernel/syscall.h"

#include "kernel/ports.h"

#define REVOKE_STEP 32u /* capabilities deleted before interrupts get their turn */

static int64_t lookup(struct thread *self, uint64_t slot, struct cap **cap)
{
    *cap = cap_lookup(self->pd, slot);
    return *cap ? OK : ERR_CAP;
}

int64_t sys_cap_copy(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct pd, pd, r->rdi, OBJ_PD, RIGHT_CONTROL);
    struct cap *src;
    int64_t status = lookup(self, r->rdx, &src);
    return status == OK ? cap_copy(src, pd, r->rsi, (uint32_t)r->r10, r->r8) : status;
}

int64_t sys_cap_delete(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct pd, pd, r->rdi, OBJ_PD, RIGHT_CONTROL);
    struct cap *cap = cap_lookup(pd, r->rsi);
    if (!cap)
        return ERR_CAP;
    cap_delete(cap);
    return OK;
}

int64_t sys_cap_revoke(struct thread *self, struct regs *r)
{
    struct cap *cap;
    int64_t status = lookup(self, r->rdi, &cap);
    if (status != OK)
        return status;
    uint32_t budget = REVOKE_STEP;
    return cap_revoke(cap, &budget) ? OK : SYSCALL_RESTART;
}

int64_t sys_cap_info(struct thread *self, struct regs *r)
{
    if (r->rdi == 0 || r->rdi >= CAP_SLOTS)
        return ERR_ARG;
    const struct cap *cap = cap_lookup(self->pd, r->rdi);
    const struct obj *obj = cap ? cap->obj : NULL;
    r->rdi = obj ? obj->type : OBJ_NONE;
    r->rsi = obj ? cap->rights : 0;
    return OK;
}

int64_t sys_pd_create(struct thread *self, struct regs *r)
{
    int64_t status = cap_reserve(self->pd, r->rdi);
    if (status != OK)
        return status;
    struct pd *pd = pd_create(self->pd, r->rsi, &status);
    return pd ? cap_insert(self->pd, r->rdi, &pd->obj, RIGHT_ALL, 0, NULL) : status;
}

int64_t sys_pd_info(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct pd, pd, r->rdi, OBJ_PD, RIGHT_CONTROL);
    struct pd_info *info = (struct pd_info *)self->utcb->mr;
    *info = (struct pd_info){
        .kmem_used = pd->kmem_used,
        .kmem_limit = pd->kmem_limit,
        .caps = pd->cap_count,
        .mappings = pd->space.mappings,
        .page_tables = pd->space.ptab.pages,
        .faults = __atomic_load_n((uint64_t *)&pd->faults, __ATOMIC_ACQUIRE),
    };
    if (info->faults)
        info->fault = pd->fault;
    return OK;
}

int64_t sys_pd_quota(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct pd, pd, r->rdi, OBJ_PD, RIGHT_CONTROL);
    if (pd->parent != self->pd)
        return ERR_ARG;
    uint64_t now = pd->kmem_limit, want = r->rsi;
    if (want > now) {
        int64_t status = pd_charge(self->pd, want - now);
        if (status != OK)
            return status;
    } else if (want < pd->kmem_used) {
        return ERR_QUOTA;
    } else {
        pd_credit(self->pd, now - want);
    }
    pd->kmem_limit = want;
    return OK;
}

int64_t sys_pd_ports(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct pd, pd, r->rdi, OBJ_PD, RIGHT_CONTROL);
    ARG_OBJECT(struct ports, ports, r->rsi, OBJ_PORTS, RIGHT_WRITE);
    if (r->rdx > 1)
        return ERR_ARG;
    return pd_allow_ports(pd, ports->base, ports->count, r->rdx);
}

int64_t sys_ports_derive(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct ports, src, r->rsi, OBJ_PORTS, RIGHT_COPY);
    uint64_t base = r->rdx, count = r->r10;
    if (count == 0 || base < src->base || base + count > (uint64_t)src->base + src->count ||
        count > 0x10000)
        return ERR_ARG;
    int64_t status = cap_reserve(self->pd, r->rdi);
    if (status != OK)
        return status;
    struct ports *ports = obj_create(self->pd, OBJ_PORTS, sizeof(*ports), &status);
    if (!ports)
        return status;
    ports->base = (uint32_t)base;
    ports->count = (uint32_t)count;
    struct cap *parent = cap_lookup(self->pd, r->rsi);
    return cap_insert(self->pd, r->rdi, &ports->obj, parent->rights, 0, parent);
}
