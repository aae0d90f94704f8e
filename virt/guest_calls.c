/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on guest spaces. */
#include "arch/x86_64/platform.h"
#include "kernel/machine.h"
#include "kernel/notif.h"
#include "kernel/quiesce.h"
#include "kernel/syscall.h"
#include "virt/guest.h"
#include "virt/ops.h"

static int64_t guest_setup(struct guest *guest, struct pd *payer)
{
    int64_t status = OK;
    guest->tables = pd_pages(payer, 1, &status);
    if (!guest->tables)
        return status;
    uint64_t *root = pd_pages(payer, 0, &status);
    if (!root)
        return status; /* guest_free gives the tables back */
    space_init(&guest->space, virt->nested, root, GUEST_LIMIT, SPACE_GUEST, payer);
    return OK;
}

int64_t sys_guest_create(struct thread *self, struct regs *r)
{
    if (!virt)
        return ERR_CPU;
    int64_t status = cap_reserve(self->pd, r->rdi);
    if (status != OK)
        return status;
    struct guest *guest = obj_create(self->pd, OBJ_GUEST, sizeof(*guest), &status);
    if (!guest)
        return status;
    status = guest_setup(guest, self->pd);
    if (status == OK)
        return cap_insert(self->pd, r->rdi, &guest->obj, RIGHT_ALL, 0, NULL);
    guest->obj.dead = true;
    obj_unref(&guest->obj);
    return status;
}

int64_t sys_guest_cpuid(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct guest, guest, r->rdi, OBJ_GUEST, RIGHT_CONTROL);
    uint32_t leaf = (uint32_t)r->rsi;
    uint32_t flags = (uint32_t)r->rdx, subleaf = (uint32_t)(r->rdx >> 32);
    struct cpuid_regs wanted = {.eax = (uint32_t)r->r10,
                                .ebx = (uint32_t)(r->r10 >> 32),
                                .ecx = (uint32_t)r->r8,
                                .edx = (uint32_t)(r->r8 >> 32)};
    if ((flags & ~CPUID_KEY_SUBLEAF) || r->rsi > UINT32_MAX)
        return ERR_ARG;
    return cpuid_set(&guest->tables->cpuid, leaf, subleaf, flags, wanted);
}

int64_t sys_guest_msr(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct guest, guest, r->rdi, OBJ_GUEST, RIGHT_CONTROL);
    if ((r->rsi | r->rdx | r->r10) > UINT32_MAX)
        return ERR_ARG;
    return msr_rule_set(&guest->tables->msr, (uint32_t)r->rsi, (uint32_t)r->rdx, (uint32_t)r->r10,
                        r->r8);
}

int64_t sys_guest_doorbell(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct guest, guest, r->rdi, OBJ_GUEST, RIGHT_CONTROL);
    uint32_t flags = (uint32_t)r->rsi;
    struct doorbell model = {.kind = flags & DOORBELL_MMIO,
                             .address = r->rdx,
                             .match = (flags & DOORBELL_MATCH) != 0,
                             .value = r->r10,
                             .bits = r->r9};
    if ((flags & ~(DOORBELL_MMIO | DOORBELL_REMOVE | DOORBELL_MATCH)) || r->rsi > UINT32_MAX)
        return ERR_ARG;
    if (model.address >= (model.kind == DOORBELL_PIO ? 0x10000 : GUEST_LIMIT))
        return ERR_ARG;
    if (flags & DOORBELL_REMOVE) {
        struct doorbell *bell = doorbell_remove(&guest->tables->doorbells, &model);
        if (!bell)
            return ERR_ARG;
        quiesce();
        doorbell_free(bell);
        pd_credit(guest->obj.payer, doorbell_cost());
        return OK;
    }
    ARG_NOTIF(notif, r->r8, r->r9, RIGHT_WRITE);
    model.notif = notif;
    model.bits = notif_bits;
    int64_t status = pd_charge(guest->obj.payer, doorbell_cost());
    if (status != OK)
        return status;
    status = doorbell_add(&guest->tables->doorbells, &model);
    if (status != OK)
        pd_credit(guest->obj.payer, doorbell_cost());
    return status;
}

int64_t sys_guest_msi(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct guest, guest, r->rdi, OBJ_GUEST, RIGHT_WRITE);
    struct apic_message m;
    if (!msi_decode(r->rsi, r->rdx, &m))
        return ERR_ARG;
    guest_deliver(guest, &m, NULL);
    return OK;
}

int64_t sys_guest_dirty(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct guest, guest, r->rdi, OBJ_GUEST, RIGHT_CONTROL);
    uint64_t address = r->rsi, size = r->rdx;
    if (!(virt_assists & ASSIST_DIRTY))
        return ERR_CPU;
    if (!aligned(address | size, PAGE_SIZE) || size > GUEST_DIRTY_STEP || address > GUEST_LIMIT ||
        size > GUEST_LIMIT - address || r->r10 > 1)
        return ERR_ARG;
    __atomic_store_n(&guest->log, r->r10 != 0, __ATOMIC_RELAXED);
    int64_t pages = ptab_dirty(&guest->space.ptab, address, size, guest->log);
    /* All vCPUs look at `log` when they take note; nothing is unmapped. */
    guest_flush(&guest->space, address, 0);
    if (pages < 0)
        return pages;
    r->rdi = (uint64_t)pages;
    return OK;
}
