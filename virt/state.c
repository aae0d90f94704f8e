/* SPDX-License-Identifier: BSD-2-Clause */
/* State groups between a vCPU and the page it shares with its VMM. The page is read once: what the
 * VMM writes meanwhile counts next time. */
#include "virt/lazy.h"

#include "arch/x86_64/insn.h"
#include "arch/x86_64/platform.h"
#include "kernel/machine.h"
#include "virt/guest.h"
#include "virt/init.h"

#define XSAVE_HEADER 512u
#define MXCSR_OFFSET 24u
#define MXCSR_VALID  0xffffu

static void save_fpu(struct vcpu *vcpu)
{
    if (cpu_self()->fpu_owner == &vcpu->fpu)
        fpu_release();
    const uint64_t *from = vcpu->fpu.image;
    uint64_t *to = (uint64_t *)((char *)vcpu->page + PAGE_SIZE);
    uint32_t bytes = MIN(features.xsave_size, (uint32_t)PAGE_SIZE);
    for (uint32_t i = 0; i < bytes / 8; i++)
        to[i] = from[i];
}

void vcpu_save_core(struct vcpu *vcpu)
{
    struct vcpu_page *page = vcpu->page;
    page->gpr[GPR_RAX] = vcpu->rax;
    page->rip = vcpu->rip;
    page->block = vcpu->block;
    page->gpr[GPR_RSP] = vcpu->rsp;
    page->rflags = vcpu->rflags;
}

void vcpu_save_groups(struct vcpu *vcpu, uint32_t groups)
{
    struct vcpu_page *page = vcpu->page;
    uint32_t vendor =
        VCPU_GROUP_SEGS | VCPU_GROUP_CTRL | VCPU_GROUP_DEBUG | VCPU_GROUP_SYSCALL | VCPU_GROUP_CODE;
    if (groups & vendor)
        virt->save(vcpu, page, groups & vendor);
    if (groups & VCPU_GROUP_CTRL)
        page->xcr0 = vcpu->fpu.xcr0;
    if (likely(!(groups & ~(VCPU_GROUP_CODE | VCPU_GROUP_SEGS | VCPU_GROUP_CTRL))))
        return;
    if (groups & VCPU_GROUP_DEBUG) {
        if (vcpu->dr_loaded)
            lazy_store_dr(vcpu);
        for (uint32_t i = 0; i < 4; i++)
            page->dr[i] = vcpu->dr[i];
    }
    if (groups & VCPU_GROUP_EVENTS) {
        page->event = vcpu->event;
        if (vcpu->event.type == EVENT_NONE && vcpu->event_vector)
            page->event =
                (struct vcpu_event){.type = EVENT_INTR, .vector = (uint8_t)vcpu->event_vector};
    }
    if (groups & VCPU_GROUP_TIME) {
        page->tsc_offset = vcpu->tsc_offset;
        page->tsc_aux = vcpu->tsc_aux;
        page->tsc_scale = vcpu->tsc_scale;
    }
    if (groups & VCPU_GROUP_MISC) {
        page->pat = virt->get(vcpu, VREG_PAT);
        page->spec_ctrl = vcpu->spec_ctrl;
        page->run_state = vcpu->run_state;
        page->apic_base = vcpu->lapic.base;
    }
    if (groups & VCPU_GROUP_FPU)
        save_fpu(vcpu);
}

/* XRSTOR faults on a bad header or MXCSR: copy into the kernel first, then look. (Intel SDM vol. 1,
 * "Operation of XRSTOR".) */
static bool load_fpu(struct vcpu *vcpu)
{
    if (cpu_self()->fpu_owner == &vcpu->fpu)
        fpu_release();
    const uint64_t *from = (const uint64_t *)((const char *)vcpu->page + PAGE_SIZE);
    uint64_t *to = vcpu->fpu.image;
    uint32_t bytes = MIN(features.xsave_size, (uint32_t)PAGE_SIZE);
    for (uint32_t i = 0; i < bytes / 8; i++)
        to[i] = ((const volatile uint64_t *)from)[i];
    uint32_t *mxcsr = (uint32_t *)(void *)((char *)to + MXCSR_OFFSET);
    bool good = (*mxcsr & ~MXCSR_VALID) == 0;
    *mxcsr &= MXCSR_VALID;
    if (!features.xsave)
        return good;
    /* All that the host has: SSE needs no XCR0, and what a guest has switched off it keeps. */
    uint64_t *header = to + XSAVE_HEADER / 8;
    good = good && (header[0] & ~features.xcr0) == 0 && header[1] == 0;
    header[0] &= features.xcr0;
    for (uint32_t i = 1; i < 8; i++)
        header[i] = 0;
    return good;
}

static int64_t load_event(struct vcpu *vcpu, struct vcpu_event e)
{
    if (e.type > EVENT_SWINT || (e.type == EVENT_EXC && (e.vector > 31 || e.vector == 2)))
        return ERR_ARG;
    if (e.type == EVENT_INTR) {
        vcpu->event = (struct vcpu_event){.type = EVENT_NONE};
        vcpu->event_vector = (uint16_t)(0x100u | e.vector);
    } else {
        if (e.type == EVENT_NMI)
            e.vector = 2;
        e.has_error = e.has_error != 0;
        vcpu->event = e;
        vcpu->event_vector = 0;
    }
    vcpu_note(vcpu, REQ_IRQ);
    return OK;
}

static int64_t load_misc(struct vcpu *vcpu, const struct vcpu_page *p)
{
    if (!pat_valid(p->pat) || p->run_state > VCPU_RUN_WAIT_SIPI)
        return ERR_ARG;
    virt->set(vcpu, VREG_PAT, p->pat);
    uint64_t spec = p->spec_ctrl;
    if (spec != vcpu->spec_ctrl && msr_write(vcpu, MSR_SPEC_CTRL, &spec) != MSR_DONE)
        return ERR_ARG;
    vcpu->run_state = (uint8_t)p->run_state;
    if (p->apic_base != vcpu->lapic.base) {
        uint64_t enabled = APIC_BASE_RESET | APIC_BASE_ENABLE | (p->apic_base & APIC_BASE_BSP);
        /* x2APIC mode can be reached by way of xAPIC mode only. */
        if ((p->apic_base & APIC_BASE_EXTD) && !vlapic_set_base(vcpu, enabled))
            return ERR_ARG;
        if (!vlapic_set_base(vcpu, p->apic_base))
            return ERR_ARG;
    }
    return OK;
}

static NOINLINE void set_stack(struct vcpu *vcpu, uint64_t rsp, uint64_t rflags)
{
    virt->set(vcpu, VREG_RSP, vcpu->rsp = rsp);
    virt->set(vcpu, VREG_RFLAGS, vcpu->rflags = rflags);
}

/* CORE is what nearly every vcpu_run brings, RSP and RFLAGS as they were. */
static void load_core(struct vcpu *vcpu)
{
    const volatile struct vcpu_page *page = vcpu->page;
    uint64_t rsp = page->gpr[GPR_RSP], rflags = (page->rflags & 0x3f7fd5u) | RFLAGS_FIXED;
    vcpu->rax = page->gpr[GPR_RAX];
    vcpu->rip = page->rip;
    vcpu->block = page->block & (VCPU_BLOCK_NMI | VCPU_BLOCK_SHADOW);
    if (unlikely(rsp != vcpu->rsp || rflags != vcpu->rflags))
        set_stack(vcpu, rsp, rflags);
}

static NOINLINE int64_t load_rest(struct vcpu *vcpu, uint32_t groups)
{
    struct vcpu_page p;
    uint64_t *to = (uint64_t *)&p;
    const volatile uint64_t *from = (const volatile uint64_t *)vcpu->page;
    for (uint32_t i = 0; i < sizeof(p) / 8; i++)
        to[i] = from[i];
    int64_t status = OK;
    if (groups & VCPU_GROUP_CTRL) {
        if (features.xsave ? !xcr0_valid(p.xcr0) : p.xcr0 > 1)
            return ERR_ARG;
        if (cpu_self()->fpu_owner == &vcpu->fpu)
            fpu_release();
        vcpu->fpu.xcr0 = p.xcr0;
        vcpu->flush = true; /* other tables, or none: what the TLB has was of the old ones */
    }
    if (groups & VCPU_GROUP_DEBUG) {
        if ((p.dr6 | p.dr7) >> 32)
            return ERR_ARG;
        for (uint32_t i = 0; i < 4; i++)
            vcpu->dr[i] = p.dr[i];
        if (vcpu->dr_loaded)
            lazy_load_dr(vcpu);
    }
    if (groups & VCPU_GROUP_TIME) {
        if (p.tsc_aux > UINT32_MAX || (p.tsc_aux && !features.rdtscp) ||
            (p.tsc_scale && (!(virt_assists & ASSIST_TSC_SCALING) || p.tsc_scale < TSC_SCALE_MIN ||
                             p.tsc_scale > TSC_SCALE_MAX)))
            return ERR_ARG;
        vcpu->tsc_aux = p.tsc_aux;
        vcpu->tsc_scale = p.tsc_scale;
        vcpu_set_tsc_offset(vcpu, p.tsc_offset);
    }
    uint32_t vendor = VCPU_GROUP_SEGS | VCPU_GROUP_CTRL | VCPU_GROUP_DEBUG | VCPU_GROUP_SYSCALL;
    if (groups & vendor)
        status = virt->load(vcpu, &p, groups & vendor);
    if (status == OK && (groups & VCPU_GROUP_EVENTS))
        status = load_event(vcpu, p.event);
    if (status == OK && (groups & VCPU_GROUP_MISC))
        status = load_misc(vcpu, &p);
    if (status == OK && (groups & VCPU_GROUP_FPU) && !load_fpu(vcpu))
        status = ERR_ARG;
    return status;
}

int64_t vcpu_load_groups(struct vcpu *vcpu, uint32_t groups)
{
    if (groups & VCPU_GROUP_CORE)
        load_core(vcpu);
    return likely(!(groups & ~VCPU_GROUP_CORE)) ? OK : load_rest(vcpu, groups);
}
