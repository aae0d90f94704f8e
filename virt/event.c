/* SPDX-License-Identifier: BSD-2-Clause */
/* An exception, NMI or INT n goes in with the next entry (vcpu->event). External interrupts are
 * offered: the CPU takes them when IF, shadow and CR8 allow, and stays in the guest until then. */
#include "virt/event.h"

#include "virt/init.h"

enum exc_class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE };

static enum exc_class exc_class(uint8_t vector)
{
    switch (vector) {
    case 0:
    case 10:
    case 11:
    case 12:
    case EXC_GP:
        return CONTRIBUTORY;
    case 14:
        return PAGE_FAULT;
    case EXC_DF:
        return DOUBLE;
    default:
        return BENIGN;
    }
}

/* (Intel SDM vol. 3, "Conditions for Generating a Double Fault".) A third fault is a shutdown. */
enum verdict event_exception(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error)
{
    struct vcpu_event *old = &vcpu->event;
    vcpu->stat[STAT_INJECT_EXC]++;
    if (old->type == EVENT_EXC) {
        enum exc_class first = exc_class(old->vector), second = exc_class(vector);
        if (first == DOUBLE && second != BENIGN) {
            old->type = EVENT_NONE;
            return vcpu_to_vmm(vcpu, VCPU_EXIT_SHUTDOWN, VCPU_GROUP_ALL);
        }
        if ((first == CONTRIBUTORY && second == CONTRIBUTORY) ||
            (first == PAGE_FAULT && second != BENIGN)) {
            vector = EXC_DF;
            has_error = true;
            error = 0;
        }
    } else if (old->type == EVENT_NMI) {
        vcpu->nmi_pending =
            (uint8_t)MIN(vcpu->nmi_pending + 1, 2); /* comes back after the exception's handler */
        vcpu->block &= ~VCPU_BLOCK_NMI;
        vcpu_note(vcpu, REQ_NMI);
    }
    *old = (struct vcpu_event){
        .type = EVENT_EXC, .vector = vector, .has_error = has_error, .error = error};
    return RUN;
}

void event_again(struct vcpu *vcpu, const struct vcpu_event *event)
{
    if (event->type != EVENT_INTR) {
        vcpu->event = *event;
        return;
    }
    vcpu->event_vector = (uint16_t)(0x100u | event->vector);
    vcpu_note(vcpu, REQ_IRQ);
}

static void offer(struct vcpu *vcpu, enum virq_state state, enum virq_source source, uint8_t vector,
                  bool ignore_tpr)
{
    struct virq want = {.state = (uint8_t)state,
                        .source = (uint8_t)source,
                        .vector = vector,
                        .ignore_tpr = ignore_tpr};
    struct virq *now = &vcpu->irq;
    if (now->state == want.state && now->source == want.source && now->vector == want.vector &&
        now->ignore_tpr == want.ignore_tpr)
        return;
    *now = want;
    virt->offer(vcpu);
}

bool event_extint(const struct vcpu *vcpu)
{
    return unlikely(__atomic_load_n((const uint32_t *)&vcpu->extint, __ATOMIC_ACQUIRE)) &&
           vlapic_extint(&vcpu->lapic);
}

/* A CPU that delivers by itself takes what is pending out of the virtual-APIC page. */
static void delegate(struct vcpu *vcpu)
{
    if (vlapic_delegate(&vcpu->lapic) && vcpu->pv.eoi_armed)
        pv_eoi_sync(vcpu, true); /* an EOI does not exit any more: nothing to save */
    virt->offer(vcpu);
}

void event_update(struct vcpu *vcpu)
{
    if (vcpu->nmi_pending && !(vcpu->block & (VCPU_BLOCK_NMI | VCPU_BLOCK_SHADOW)) &&
        vcpu->event.type == EVENT_NONE) {
        vcpu->nmi_pending--;
        vcpu->event = (struct vcpu_event){.type = EVENT_NMI, .vector = 2};
        vcpu->stat[STAT_INJECT_NMI]++;
    }
    if (vcpu->pv.eoi_early)
        pv_eoi_disarm(vcpu);
    vlapic_give_back(&vcpu->lapic);
    if (vcpu->lapic.page)
        delegate(vcpu);
    if (vcpu->event_vector) {
        offer(vcpu, IRQ_OFFERED, IRQ_FROM_EVENT, (uint8_t)vcpu->event_vector, true);
        return;
    }
    /* An ExtINT's vector is known only to the VMM's PIC, so the VMM is asked once it can go in. */
    if (event_extint(vcpu)) {
        offer(vcpu, IRQ_WINDOW, IRQ_FROM_EVENT, 0, true);
        return;
    }
    if (vcpu->lapic.direct) {
        offer(vcpu, IRQ_IDLE, IRQ_FROM_LAPIC, 0, false);
        return;
    }
    if (vcpu->pv.eoi_armed)
        pv_eoi_sync(vcpu, vlapic_irr_highest(&vcpu->lapic) >= 0);
    int vector = vlapic_highest(&vcpu->lapic);
    if (vector < 0) {
        offer(vcpu, IRQ_IDLE, IRQ_FROM_LAPIC, 0, false);
        return;
    }
    vlapic_lend(&vcpu->lapic, (uint8_t)vector);
    offer(vcpu, IRQ_OFFERED, IRQ_FROM_LAPIC, (uint8_t)vector, false);
    if (vcpu->pv.eoi.msr & 1)
        pv_eoi_arm(vcpu, (uint8_t)vector);
}

void event_taken(struct vcpu *vcpu)
{
    struct virq taken = vcpu->irq;
    vcpu->stat[STAT_INJECT_INTR]++;
    if (taken.source == IRQ_FROM_EVENT) {
        vcpu->event_vector = 0;
    } else {
        vlapic_accept(&vcpu->lapic);
        if (vcpu->pv.eoi.msr & 1)
            pv_eoi_taken(vcpu, taken.vector);
    }
    event_update(vcpu);
}

bool event_wakes(struct vcpu *vcpu)
{
    if (unlikely(__atomic_exchange_n(&vcpu->pv.kicked, false, __ATOMIC_ACQ_REL)))
        return true;
    if (vcpu->event.type != EVENT_NONE || (vcpu->nmi_pending && !(vcpu->block & VCPU_BLOCK_NMI)))
        return true;
    if (!(virt->get(vcpu, VREG_RFLAGS) & RFLAGS_IF))
        return false;
    const struct vlapic *lapic = &vcpu->lapic;
    if (vcpu->irq.state == IRQ_IDLE)
        return lapic->direct && vlapic_irr_highest(lapic) >> 4 > vlapic_ppr(lapic) >> 4;
    return vcpu->irq.ignore_tpr || vcpu->irq.vector >> 4 > lapic->tpr >> 4;
}
