/* SPDX-License-Identifier: BSD-2-Clause */
/* (Intel SDM vol. 3, "Processor State After Reset"; AMD APM vol. 2, "Initial Processor State".) */
#include "virt/init.h"

#include "virt/guest.h"

#define CR0_RESET 0x60000010ull /* CD, NW, ET */
#define PAT_RESET 0x0007040600070406ull
#define ATTR_DATA 0x0093u
#define ATTR_CODE 0x009bu
#define ATTR_LDT  0x0082u
#define ATTR_TSS  0x008bu

static void reset_segments(struct vcpu_page *p)
{
    for (uint32_t i = 0; i < SEG_COUNT; i++)
        p->seg[i] = (struct vcpu_segment){.limit = 0xffff, .attr = ATTR_DATA};
    p->seg[SEG_CS] = (struct vcpu_segment){
        .base = 0xffff0000, .limit = 0xffff, .selector = 0xf000, .attr = ATTR_CODE};
    p->seg[SEG_LDTR].attr = ATTR_LDT;
    p->seg[SEG_TR].attr = ATTR_TSS;
    p->gdtr.limit = p->idtr.limit = 0xffff;
}

void vcpu_reset(struct vcpu *vcpu, bool init)
{
    /* CPUID.1:EAX, as the guest sees it, is in EDX after reset. */
    const struct cpuid_entry *signature = cpuid_find(&vcpu->guest->tables->cpuid, 1, 0);
    struct vcpu_page p = {
        .rflags = RFLAGS_FIXED, .rip = 0xfff0, .cr0 = CR0_RESET, .dr6 = 0xffff0ff0, .dr7 = 0x400};
    reset_segments(&p);
    uint32_t groups = VCPU_GROUP_CORE | VCPU_GROUP_SEGS | VCPU_GROUP_CTRL | VCPU_GROUP_DEBUG;
    if (!init)
        groups |= VCPU_GROUP_SYSCALL;
    for (uint32_t i = 0; i < GPR_COUNT; i++)
        vcpu->page->gpr[i] = 0;
    vcpu->page->gpr[GPR_RDX] = signature ? signature->regs.eax : 0;
    vcpu->rax = 0;
    vcpu->rip = p.rip;
    vcpu->rsp = 0;
    vcpu->rflags = RFLAGS_FIXED;
    vcpu->block = 0;
    vcpu->event = (struct vcpu_event){.type = EVENT_NONE};
    vcpu->event_vector = 0;
    vcpu->irq = (struct virq){.state = IRQ_IDLE};
    vcpu->nmi_pending = 0;
    vcpu->hlt_reported = false;
    vcpu->flush = true;
    virt->offer(vcpu);
    for (uint32_t i = 0; i < 4; i++)
        vcpu->dr[i] = 0;
    (void)virt->load(vcpu, &p, groups);
    if (!init)
        virt->set(vcpu, VREG_PAT, PAT_RESET);
    pv_reset(vcpu, false);
    vlapic_reset(vcpu, init);
}

void vcpu_startup(struct vcpu *vcpu, uint8_t vector)
{
    struct vcpu_page p;
    virt->save(vcpu, &p, VCPU_GROUP_SEGS);
    p.seg[SEG_CS].selector = (uint16_t)(vector << 8);
    p.seg[SEG_CS].base = (uint64_t)vector << 12;
    (void)virt->load(vcpu, &p, VCPU_GROUP_SEGS);
    vcpu->rip = 0;
}
