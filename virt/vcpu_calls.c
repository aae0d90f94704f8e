/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on virtual CPUs, and their life. */
#include "arch/x86_64/insn.h"
#include "kernel/notif.h"
#include "kernel/quiesce.h"
#include "kernel/syscall.h"
#include "virt/guest.h"
#include "virt/init.h"
#include "virt/lazy.h"
#include "virt/vlapic_timer.h"

#define PAGE_ORDER 1u /* exits and registers; XSAVE image */
#define PAGE_BYTES (PAGE_SIZE << PAGE_ORDER)

/* Everything of its own; what was made is given back by vcpu_free. */
static int64_t vcpu_setup(struct vcpu *vcpu, struct pd *payer)
{
    int64_t status = OK;
    vcpu->page = pd_pages(payer, PAGE_ORDER, &status);
    if (!vcpu->page)
        return status;
    vcpu->shadow = pd_pages(payer, 0, &status);
    if (!vcpu->shadow)
        return status;
    status = pd_charge(payer, fpu_area_bytes());
    if (status != OK)
        return status;
    if (!fpu_area_init(&vcpu->fpu)) {
        pd_credit(payer, fpu_area_bytes());
        return ERR_NOMEM;
    }
    return virt->vcpu_init(vcpu);
}

static int64_t page_map(struct vcpu *vcpu, struct pd *pd, uint64_t va)
{
    char *page = (char *)vcpu->page;
    if (va > USER_TOP - PAGE_BYTES)
        return ERR_ARG;
    int64_t status = space_map_kernel(&pd->space, va, kva_to_hpa(page), PAGE_SIZE);
    if (status != OK)
        return status;
    status = space_map_kernel(&pd->space, va + PAGE_SIZE, kva_to_hpa(page + PAGE_SIZE), PAGE_SIZE);
    if (status != OK) {
        space_unmap_kernel(&pd->space, va);
        return status;
    }
    vcpu->pd = pd;
    vcpu->page_va = va;
    obj_ref(&pd->obj);
    return OK;
}

static void page_unmap(struct vcpu *vcpu)
{
    struct pd *pd = vcpu->pd;
    vcpu->pd = NULL;
    if (!pd->obj.dead) {
        space_unmap_kernel(&pd->space, vcpu->page_va);
        space_unmap_kernel(&pd->space, vcpu->page_va + PAGE_SIZE);
    }
    obj_unref(&pd->obj);
}

static void enlist(struct guest *guest, struct vcpu *vcpu, uint32_t apic_id)
{
    vcpu->apic_id = apic_id;
    vcpu->run_state = apic_id == 0 ? VCPU_RUN_RUNNABLE : VCPU_RUN_WAIT_SIPI;
    vcpu->tsc_offset = 0;
    vcpu->flush = true; /* tables and tag may have been another guest's */
    vlapic_timer_init(&vcpu->lapic);
    vcpu_reset(vcpu, false);
    vcpu_set_tsc_offset(vcpu, 0);
    vcpu_save_core(vcpu);
    vcpu_save_groups(vcpu, VCPU_GROUP_ALL & ~VCPU_GROUP_CORE);
    vcpu->page->valid = VCPU_GROUP_ALL;
    if (guest->apic_limit <= apic_id)
        __atomic_store_n(&guest->apic_limit, apic_id + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&guest->tables->vcpu[apic_id], vcpu, __ATOMIC_RELEASE);
}

int64_t sys_vcpu_create(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct guest, guest, r->rsi, OBJ_GUEST, RIGHT_CONTROL);
    uint64_t apic_id = r->rdx;
    if (!cpu_self()->virt)
        return ERR_CPU;
    if (apic_id >= GUEST_VCPUS - 1) /* 255 is the broadcast */
        return ERR_ARG;
    if (guest->tables->vcpu[apic_id])
        return ERR_EXISTS;
    int64_t status = cap_reserve(self->pd, r->rdi);
    if (status != OK)
        return status;
    struct vcpu *vcpu = obj_create(self->pd, OBJ_VCPU, sizeof(*vcpu), &status);
    if (!vcpu)
        return status;
    vcpu->guest = guest;
    obj_ref(&guest->obj);
    status = vcpu_setup(vcpu, self->pd);
    if (status == OK)
        status = page_map(vcpu, self->pd, r->r10);
    if (status == OK) {
        enlist(guest, vcpu, (uint32_t)apic_id);
        return cap_insert(self->pd, r->rdi, &vcpu->obj, RIGHT_ALL, 0, NULL);
    }
    vcpu->obj.dead = true;
    obj_unref(&vcpu->obj);
    return status;
}

void vcpu_destroy(struct obj *obj)
{
    struct vcpu *vcpu = container_of(obj, struct vcpu, obj);
    if (vcpu->guest->tables->vcpu[vcpu->apic_id] == vcpu)
        __atomic_store_n(&vcpu->guest->tables->vcpu[vcpu->apic_id], NULL, __ATOMIC_RELEASE);
    vcpu->abort_status = ERR_GONE;
    vcpu_request(vcpu, REQ_ABORT);
    quiesce(); /* nobody finds it by its APIC id any more */
    timer_disarm(&vcpu->lapic.timer);
    if (thread_self()->ran == vcpu)
        vcpu_put(thread_self(), vcpu);
    pv_reset(vcpu, true);
    if (vcpu->pd)
        page_unmap(vcpu);
}

void vcpu_free(struct obj *obj)
{
    struct vcpu *vcpu = container_of(obj, struct vcpu, obj);
    if (vcpu->hw)
        virt->vcpu_fini(vcpu);
    if (vcpu->fpu.image) {
        fpu_area_fini(&vcpu->fpu);
        pd_credit(obj->payer, fpu_area_bytes());
    }
    if (vcpu->shadow)
        pd_free_pages(obj->payer, vcpu->shadow, 0);
    if (vcpu->page)
        pd_free_pages(obj->payer, vcpu->page, PAGE_ORDER);
    if (vcpu->guest)
        obj_unref(&vcpu->guest->obj);
}

/* Not while it runs; nor while another CPU, whose thread ran it last and has not been switched out,
 * holds some of its state: extended state, or an active VMCS. */
static int64_t claim(struct vcpu *vcpu, struct thread *self)
{
    if (!cpu_self()->virt)
        return ERR_CPU;
    if (!vcpu_claim(vcpu, self))
        return ERR_STATE;
    /* Partner: lazy_release(). */
    const struct cpu *holder = __atomic_load_n(&vcpu->cpu, __ATOMIC_ACQUIRE);
    if (unlikely(holder && holder != cpu_self())) {
        vcpu_disclaim(vcpu);
        return ERR_STATE;
    }
    return OK;
}

int64_t sys_vcpu_run(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct vcpu, vcpu, r->rdi, OBJ_VCPU, RIGHT_CONTROL);
    int64_t status = claim(vcpu, self);
    if (unlikely(status != OK))
        return status;
    /* Read once; the VMM may write it again at any time. */
    uint32_t dirty = __atomic_load_n(&vcpu->page->dirty, __ATOMIC_RELAXED);
    if (dirty) {
        vcpu->page->dirty = 0;
        status = dirty & ~VCPU_GROUP_ALL ? ERR_ARG : vcpu_load_groups(vcpu, dirty);
        if (status != OK) {
            vcpu_disclaim(vcpu);
            return status;
        }
    }
    if (unlikely(self->ran != vcpu)) {
        if (self->ran)
            vcpu_put(self, self->ran);
        obj_ref(&vcpu->obj);
        self->ran = vcpu;
    }
    self->vcpu = vcpu;
    return SYSCALL_BLOCKED; /* the kernel's exit goes to vcpu_resume() */
}

int64_t sys_vcpu_get(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct vcpu, vcpu, r->rdi, OBJ_VCPU, RIGHT_CONTROL);
    uint64_t groups = r->rsi;
    if (groups & ~(uint64_t)(VCPU_GROUP_ALL | VCPU_GROUP_FPU))
        return ERR_ARG;
    int64_t status = claim(vcpu, self);
    if (status != OK)
        return status;
    if (groups & VCPU_GROUP_CORE)
        vcpu_save_core(vcpu);
    vcpu_save_groups(vcpu, (uint32_t)groups);
    vcpu->page->valid |= (uint32_t)groups;
    vcpu_disclaim(vcpu);
    return OK;
}

int64_t sys_vcpu_set(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct vcpu, vcpu, r->rdi, OBJ_VCPU, RIGHT_CONTROL);
    uint64_t groups = r->rsi;
    if (groups & ~(uint64_t)(VCPU_GROUP_ALL | VCPU_GROUP_FPU))
        return ERR_ARG;
    int64_t status = claim(vcpu, self);
    if (status != OK)
        return status;
    status = vcpu_load_groups(vcpu, (uint32_t)groups);
    vcpu_disclaim(vcpu);
    return status;
}

int64_t sys_vcpu_kick(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct vcpu, vcpu, r->rdi, OBJ_VCPU, RIGHT_CONTROL);
    vcpu_request(vcpu, REQ_KICK);
    return OK;
}

/* Signals may come from any thread at any time. */
static int64_t lapic_signal(struct vcpu *vcpu, uint32_t op, uint64_t value)
{
    switch (op) {
    case LAPIC_OP_EXTINT:
        if (!__atomic_exchange_n((uint32_t *)&vcpu->extint, value != 0, __ATOMIC_ACQ_REL) && value)
            vlapic_lint0_rises(vcpu);
        vcpu_request(vcpu, REQ_IRQ);
        return OK;
    case LAPIC_OP_NMI:
        vcpu_send_nmi(vcpu);
        return OK;
    case LAPIC_OP_INIT:
        vcpu_request(vcpu, REQ_INIT);
        return OK;
    default:
        return ERR_ARG;
    }
}

static int64_t lapic_access(struct vcpu *vcpu, uint32_t op, uint64_t reg, uint64_t *value)
{
    if (op == LAPIC_OP_BASE)
        return vlapic_set_base(vcpu, *value) ? OK : ERR_ARG;
    if (op == LAPIC_OP_TPR_READ) {
        *value = vcpu->lapic.tpr;
        return OK;
    }
    if (op == LAPIC_OP_TPR_WRITE) {
        vcpu->lapic.tpr = (uint8_t)*value;
        vcpu_note(vcpu, REQ_IRQ);
        return OK;
    }
    if (reg > 0x3f0 || (reg & 0xf))
        return ERR_ARG;
    if (op == LAPIC_OP_READ) {
        (void)vlapic_read(vcpu, (uint32_t)reg, value);
        return OK;
    }
    /* The VMM has the I/O APICs: the end of a level-triggered interrupt is an exit of its own. */
    if (vlapic_write(vcpu, (uint32_t)reg, value) == VLAPIC_EOI) {
        vcpu->eoi_vector = (uint8_t)*value;
        vcpu_note(vcpu, REQ_EOI);
    }
    *value = 0;
    return OK;
}

int64_t sys_vcpu_lapic(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct vcpu, vcpu, r->rdi, OBJ_VCPU, RIGHT_CONTROL);
    uint64_t op = r->rsi, value = r->r10;
    if (op == LAPIC_OP_EXTINT || op == LAPIC_OP_NMI || op == LAPIC_OP_INIT)
        return lapic_signal(vcpu, (uint32_t)op, value);
    if (op != LAPIC_OP_READ && op != LAPIC_OP_WRITE && op != LAPIC_OP_BASE &&
        op != LAPIC_OP_TPR_READ && op != LAPIC_OP_TPR_WRITE)
        return ERR_ARG;
    if (!vcpu_claim(vcpu, self))
        return ERR_STATE;
    int64_t status = lapic_access(vcpu, (uint32_t)op, r->rdx, &value);
    vcpu_disclaim(vcpu);
    if (status == OK)
        r->rdi = value;
    return status;
}

int64_t sys_vcpu_stats(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct vcpu, vcpu, r->rdi, OBJ_VCPU, RIGHT_READ);
    for (uint32_t i = 0; i < VCPU_STATS; i++)
        self->utcb->mr[i] = vcpu->stat[i];
    return OK;
}
