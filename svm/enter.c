/* SPDX-License-Identifier: BSD-2-Clause */
/* Into the guest and back. */
#include "svm/svm.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/mitigations.h"
#include "arch/x86_64/platform.h"
#include "virt/event.h"
#include "virt/init.h"
#include "virt/msr.h"

#define DR6_HIT       0xfull
#define DR6_BS        (1ull << 14)
#define MSR_TSC_RATIO 0xc0000104u
/* INT3 and INTO: the CPU has moved RIP already. */
#define EXC_SOFTWARE (1u << 3 | 1u << 4)

/* The guest's FS, GS, LDTR, TR and system call MSRs come in. From here the CPU takes no interrupt
 * and no NMI (GIF is 0); IF must be 1, because with V_INTR_MASKING it is the host's IF that lets a
 * host interrupt end the guest. */
void svm_enter(struct vcpu *vcpu)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    struct virt_cpu *own = cpu_self()->virt;
    if (unlikely(svm->asid_generation != own->generation))
        vcpu->flush = true;
    /* Only guests' reads of the TSC are scaled. (AMD APM vol. 2, "TSC Ratio MSR".) */
    if (unlikely(own->tsc_ratio != svm->tsc_ratio))
        wrmsr(MSR_TSC_RATIO, own->tsc_ratio = svm->tsc_ratio);
    __asm__ volatile("clgi\n\tsti" ::: "memory");
    __asm__ volatile("vmsave %%rax" ::"a"(own->host_pa.v) : "memory");
    __asm__ volatile("vmload %%rax" ::"a"(svm->vmcb_pa.v) : "memory");
}

void svm_leave(struct vcpu *vcpu)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    struct virt_cpu *own = cpu_self()->virt;
    vcpu->rsp = svm->vmcb->rsp;
    vcpu->rflags = svm->vmcb->rflags;
    if (svm_assists.qemu && features.xsave)
        vcpu->fpu.xcr0 = xgetbv0() & features.xcr0;
    __asm__ volatile("vmsave %%rax" ::"a"(svm->vmcb_pa.v) : "memory");
    __asm__ volatile("vmload %%rax" ::"a"(own->host_pa.v) : "memory");
    /* IF is 1: what waits is taken here, with the host's state complete. */
    __asm__ volatile("stgi\n\tnop\n\tcli" ::: "memory");
}

/* An offered interrupt is V_IRQ, not EVENTINJ: the CPU checks IF, shadow and V_TPR itself, in the
 * guest, and clears V_IRQ when it has taken it. (Found by trying: QEMU can deliver an injected
 * event of type INTR twice, V_IRQ never.) */
static void program_irq(struct vcpu *vcpu, struct vmcb *vmcb)
{
    const struct virq *irq = &vcpu->irq;
    uint32_t control = vmcb->int_control & ~(INT_VIRQ | INT_PRIO_MASK | INT_IGN_TPR);
    if (irq->state == IRQ_WINDOW) {
        control |= INT_VIRQ | INT_PRIO(15) | INT_IGN_TPR;
    } else if (irq->state == IRQ_OFFERED) {
        uint32_t class = irq->vector >> 4;
        uint32_t priority = svm_assists.qemu && class > 0 ? class - 1 : class;
        control |= INT_VIRQ | INT_PRIO(priority) | (irq->ignore_tpr ? INT_IGN_TPR : 0);
        vmcb->int_vector = irq->vector;
    }
    vmcb->int_control = control;
}

void svm_offer(struct vcpu *vcpu)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    program_irq(vcpu, svm->vmcb);
    svm->clean &= ~CLEAN_TPR;
    svm_intercepts(vcpu);
}

/* Nothing of a guest stays in the CPU but TLB entries under its ASID. */
void svm_put(struct vcpu *vcpu)
{
    svm_of(vcpu)->clean = 0; /* the next CPU has nothing cached */
}

static void inject(struct vcpu *vcpu, struct svm_vcpu *svm)
{
    static const uint8_t types[] = {[EVENT_INTR] = EVT_INTR,
                                    [EVENT_NMI] = EVT_NMI,
                                    [EVENT_EXC] = EVT_EXC,
                                    [EVENT_SWINT] = EVT_SWINT};
    struct vcpu_event e = vcpu->event;
    uint64_t inject = EVT_VALID | e.vector | (uint64_t)types[e.type] << EVT_TYPE_SHIFT;
    if (e.type == EVENT_EXC && e.has_error)
        inject |= EVT_ERROR | (uint64_t)e.error << 32;
    /* INT n pushes the address behind it; the CPU counts from where RIP is. */
    if (e.type == EVENT_SWINT)
        svm->vmcb->rip += e.insn_len;
    if (e.type == EVENT_NMI) {
        vcpu->block |= VCPU_BLOCK_NMI;
        svm->nmi_iret = false;
        svm_intercepts(vcpu);
    }
    svm->vmcb->event_inject = inject;
    vcpu->event.type = EVENT_NONE;
}

/* NMIs wait for the end of a shadow, as Intel's CPUs and KVM have it, and for the handler's IRET,
 * after which nothing else might end the guest's turn. And QEMU (found by trying, in 7.2) forgets
 * the shadow that VMRUN should load, so an offered interrupt would come between STI and HLT. All
 * wait for one instruction, by a trap of our own; faults of that instruction come here so that no
 * frame of the guest shows the trap flag. Not when the guest single-steps itself. False: nothing
 * was changed. */
static bool hold(const struct vcpu *vcpu, struct svm_vcpu *svm)
{
    struct vmcb *vmcb = svm->vmcb;
    bool irq = svm_assists.qemu && (vmcb->int_control & INT_VIRQ);
    if (!(irq || vcpu->nmi_pending) || (vmcb->event_inject & EVT_VALID) ||
        (vmcb->rflags & RFLAGS_TF))
        return false;
    vmcb->int_control &= ~INT_VIRQ;
    vmcb->rflags |= RFLAGS_TF;
    vmcb->intercept_exceptions = ~EXC_SOFTWARE;
    svm->held_dr6 = vmcb->dr6;
    vmcb->dr6 &= ~(DR6_HIT | DR6_BS);
    return true;
}

static void end_hold(struct vcpu *vcpu, const struct svm_vcpu *svm)
{
    struct vmcb *vmcb = svm->vmcb;
    uint64_t hits = vmcb->dr6 & DR6_HIT;
    bool executed = vmcb->rip != vcpu->rip || vmcb->dr6 & DR6_BS; /* it may jump to itself */
    program_irq(vcpu, vmcb);
    if (!executed || !svm->nmi_iret) /* else the flag is what IRET has loaded */
        vmcb->rflags &= ~RFLAGS_TF;
    vmcb->intercept_exceptions = EXC_ALWAYS;
    if (!executed)
        vmcb->int_shadow |= (vcpu->block & VCPU_BLOCK_SHADOW) != 0;
    if (vmcb->exit_code == EXIT_EXC + EXC_PF)
        vmcb->cr2 = vmcb->exit_info2;
    vmcb->dr6 = svm->held_dr6 | hits;
    if (vmcb->exit_code == EXIT_EXC + EXC_DB && !hits) /* the guest has no breakpoint there */
        vmcb->exit_code = EXIT_FERR;
}

/* QEMU's VMRUN sets its request for a V_IRQ in a word that other threads of QEMU write at the same
 * time, without their lock (helper_vmrun(), up to 7.2 at least): an interrupt of the host that
 * comes just then waits in the local APIC and nothing looks at it. So the APIC looks again after
 * each such entry, and a guest that spins with interrupts off meanwhile is made to exit at its
 * PAUSE (see svm_intercepts()). */
static void after_offer(struct vcpu *vcpu, uint32_t control)
{
    if (svm_assists.qemu)
        apic_look_again();
    if (vcpu->irq.state == IRQ_OFFERED && !(control & INT_VIRQ))
        vcpu->irq.state = IRQ_TAKEN;
}

/* What was being delivered when the guest stopped. INT n, INT3 and INTO are executed again. */
static void interrupted_event(struct vcpu *vcpu, uint64_t info)
{
    struct vcpu_event e = {.vector = (uint8_t)(info & EVT_VECTOR)};
    switch (info >> EVT_TYPE_SHIFT & EVT_TYPE_MASK) {
    case EVT_INTR:
        e.type = EVENT_INTR;
        /* V_IRQ still set: the CPU will take it again by itself. */
        if (vcpu->irq.state == IRQ_OFFERED && vcpu->irq.vector == e.vector)
            return;
        break;
    case EVT_NMI:
        e.type = EVENT_NMI;
        vcpu->block &= ~VCPU_BLOCK_NMI;
        break;
    case EVT_EXC:
        /* (Found by trying: QEMU reports a fault in the delivery of a V_IRQ so, V_IRQ still set.)
         */
        if (e.vector >= 32 || e.vector == 3 || e.vector == 4)
            return;
        e.type = EVENT_EXC;
        e.has_error = (info & EVT_ERROR) != 0;
        e.error = (uint32_t)(info >> 32);
        break;
    default:
        return;
    }
    event_again(vcpu, &e);
}

/* NMIs are blocked until the handler's IRET has been executed, which shows by RIP having moved. */
static void track_iret(struct vcpu *vcpu, struct svm_vcpu *svm)
{
    if (vcpu->rip == svm->iret_rip)
        return;
    svm->nmi_iret = false;
    vcpu->block &= ~VCPU_BLOCK_NMI;
    svm_intercepts(vcpu);
    if (vcpu->nmi_pending)
        vcpu_note(vcpu, REQ_NMI);
}

enum vexit svm_run(struct vcpu *vcpu)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    struct vmcb *vmcb = svm->vmcb;
    struct vlapic *lapic = &vcpu->lapic;
    vmcb->rax = vcpu->rax;
    vmcb->rip = vcpu->rip;
    vmcb->int_shadow = (vcpu->block & VCPU_BLOCK_SHADOW) != 0;
    vmcb->event_inject = 0;
    if (unlikely(vcpu->event.type != EVENT_NONE))
        inject(vcpu, svm);
    vmcb->tlb_control = TLB_KEEP;
    if (unlikely(vcpu->flush))
        svm_asid(vcpu, cpu_self());
    uint32_t tpr = lapic->tpr >> 4;
    if (unlikely(tpr != (vmcb->int_control & INT_TPR_MASK))) {
        vmcb->int_control = (vmcb->int_control & ~INT_TPR_MASK) | tpr;
        svm->clean &= ~CLEAN_TPR;
    }
    vmcb->clean = svm->clean & svm_assists.clean_mask;
    svm->clean = CLEAN_ALL;
    if (unlikely(vcpu->spec_ctrl != 0))
        wrmsr(MSR_SPEC_CTRL, vcpu->spec_ctrl);
    if (unlikely(svm_assists.barriers))
        mitigate_exit(true);

    bool shadow = (vcpu->block & VCPU_BLOCK_SHADOW) != 0;
    bool held = unlikely(shadow || (svm->nmi_iret && vcpu->nmi_pending)) && hold(vcpu, svm);
    svm_world_switch(vcpu->page->gpr, svm->vmcb_pa.v);
    if (unlikely(held))
        end_hold(vcpu, svm);
    else if (unlikely(shadow && svm_assists.qemu)) /* forgotten, but nothing has used it up */
        vmcb->int_shadow |= vmcb->rip == vcpu->rip;
    if (unlikely(shadow) && vcpu->nmi_pending)
        vcpu_note(vcpu, REQ_NMI);

    if (unlikely(svm_assists.barriers))
        mitigate_vmexit();
    if (unlikely(vcpu->spec_ctrl != 0))
        wrmsr(MSR_SPEC_CTRL, host_spec_ctrl);
    vcpu->rax = vmcb->rax;
    vcpu->rip = vmcb->rip;
    vcpu->stepping = (vmcb->rflags & RFLAGS_TF) != 0;
    vcpu->block =
        (vcpu->block & ~VCPU_BLOCK_SHADOW) | (vmcb->int_shadow & 1 ? VCPU_BLOCK_SHADOW : 0);
    uint32_t control = vmcb->int_control;
    /* CR8 is the upper half of TPR; the lower half is not the guest's to see there. */
    if (unlikely((control & INT_TPR_MASK) != tpr))
        lapic->tpr = (uint8_t)((control & INT_TPR_MASK) << 4);
    if (unlikely(vcpu->irq.state != IRQ_IDLE))
        after_offer(vcpu, control);
    if (unlikely(vmcb->exit_int_info & EVT_VALID))
        interrupted_event(vcpu, vmcb->exit_int_info);
    if (unlikely(svm->nmi_iret))
        track_iret(vcpu, svm);
    return svm_decode(vcpu, svm);
}
