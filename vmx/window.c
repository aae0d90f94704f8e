/* SPDX-License-Identifier: BSD-2-Clause */
/* Events on their way into the guest, and windows for those that cannot go in yet. (Intel SDM vol.
 * 3, "Event Injection", "Interrupt-Window Exiting and Virtual-Interrupt Delivery".) */
#include "virt/event.h"
#include "virt/init.h"
#include "vmx/vmx.h"

#define DR6_HOST 0xffff0ff0ull

static inline uint64_t read_dr6(void)
{
    uint64_t v;
    __asm__ volatile("mov %%db6, %0" : "=r"(v));
    return v;
}
static inline void write_dr6(uint64_t v)
{
    __asm__ volatile("mov %0, %%db6" ::"r"(v));
}

/* What is offered is looked at before each entry anyhow. DR6 goes with the other debug registers;
 * VMX does not switch it. */
void vmx_offer(struct vcpu *vcpu)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    vmx->attention = true;
    if (vmx->dr6_loaded == vcpu->dr_loaded)
        return;
    vmx->dr6_loaded = vcpu->dr_loaded;
    if (vcpu->dr_loaded) {
        write_dr6(vmx->dr6);
    } else {
        vmx->dr6 = read_dr6();
        bool clear = vmcs_hold(vmx);
        vmx->armed = (vmreadn(VMCS_GUEST_DR7) & DR7_ENABLES) != 0;
        vmcs_drop(vmx, clear);
        write_dr6(DR6_HOST);
    }
}

static void inject(struct vcpu *vcpu, struct vmx_vcpu *vmx)
{
    struct vcpu_event e = vcpu->event;
    uint32_t info = INTERRUPTION_VALID | e.vector;
    vcpu->event.type = EVENT_NONE;
    /* A shadow lasts one instruction, and the handler's first is that one. */
    vcpu->block &= ~VCPU_BLOCK_SHADOW;
    switch (e.type) {
    case EVENT_NMI:
        info |= INTERRUPTION_OF_TYPE(TYPE_NMI);
        break;
    case EVENT_SWINT:
        info |= INTERRUPTION_OF_TYPE(TYPE_SOFT_INT);
        vmwrite32(VMCS_ENTRY_INSTRUCTION_LENGTH, e.insn_len ? e.insn_len : 2);
        break;
    default: /* #BP and #OF come from instructions of one byte */
        if (e.vector == 3 || e.vector == 4) {
            info |= INTERRUPTION_OF_TYPE(TYPE_SOFT_EXCEPTION);
            vmwrite32(VMCS_ENTRY_INSTRUCTION_LENGTH, 1);
            break;
        }
        info |= INTERRUPTION_OF_TYPE(TYPE_EXCEPTION);
        if (e.has_error && (vmreadn(VMCS_GUEST_CR0) & 1)) { /* none in real mode */
            info |= INTERRUPTION_ERROR;
            vmwrite32(VMCS_ENTRY_EXCEPTION_ERROR, e.error & 0xffff);
        }
        break;
    }
    vmwrite32(VMCS_ENTRY_INTERRUPTION_INFO, info);
    (void)vmx;
}

/* Primary controls, TPR threshold: what shall end the guest early. */
static void set_windows(struct vcpu *vcpu, struct vmx_vcpu *vmx, uint32_t windows,
                        uint32_t threshold)
{
    uint32_t primary = vmx->primary & ~(PRIMARY_INT_WINDOW | PRIMARY_NMI_WINDOW | PRIMARY_MOV_DR);
    primary |= windows | (vcpu->dr_loaded ? 0 : PRIMARY_MOV_DR);
    if (primary != vmx->primary)
        vmwrite32(VMCS_PRIMARY_CONTROLS, vmx->primary = primary);
    if (threshold != vmx->threshold)
        vmwrite32(VMCS_TPR_THRESHOLD, vmx->threshold = threshold);
    vmx->attention = windows != 0 || threshold != 0;
}

static void set_interruptibility(struct vcpu *vcpu, struct vmx_vcpu *vmx)
{
    uint32_t want = vcpu->block & VCPU_BLOCK_NMI ? BLOCK_NMI : 0;
    if (vcpu->block & VCPU_BLOCK_SHADOW) {
        want |= vmx->interruptibility & (BLOCK_STI | BLOCK_MOV_SS);
        if (!(want & (BLOCK_STI | BLOCK_MOV_SS))) /* after STI only with IF set */
            want |= vmreadn(VMCS_GUEST_RFLAGS) & RFLAGS_IF ? BLOCK_STI : BLOCK_MOV_SS;
    }
    if (want != vmx->interruptibility)
        vmwrite32(VMCS_GUEST_INTERRUPTIBILITY, vmx->interruptibility = want);
}

/* What the CPU is to deliver by itself: RVI and SVI, which vectors exit at their EOI. */
static void prepare_delivery(const struct vlapic *lapic, struct vmx_vcpu *vmx)
{
    if (lapic->direct != vmx->direct) {
        vmx->direct = lapic->direct;
        vmcs_write_controls(vmx);
    }
    if (!lapic->direct)
        return;
    for (uint32_t i = 0; i < ARRAY_LEN(vmx->eoi_exit); i++) {
        uint64_t level = __atomic_load_n(&lapic->tmr[2 * i], __ATOMIC_RELAXED) |
                         (uint64_t)__atomic_load_n(&lapic->tmr[2 * i + 1], __ATOMIC_RELAXED) << 32;
        if (level != vmx->eoi_exit[i])
            vmwrite64(VMCS_EOI_EXIT(i), vmx->eoi_exit[i] = level);
    }
    vmwrite16(VMCS_GUEST_INTERRUPT_STATUS, vlapic_page_status(lapic));
}

void window_prepare(struct vcpu *vcpu, struct vmx_vcpu *vmx)
{
    const struct virq *irq = &vcpu->irq;
    uint32_t windows = vcpu->nmi_pending ? PRIMARY_NMI_WINDOW : 0, threshold = 0;
    bool busy = vcpu->event.type != EVENT_NONE;
    vmx->injected = false;
    if (vcpu->lapic.page)
        prepare_delivery(&vcpu->lapic, vmx);
    if (busy)
        inject(vcpu, vmx);
    if (irq->state == IRQ_WINDOW) {
        windows |= PRIMARY_INT_WINDOW;
    } else if (irq->state == IRQ_OFFERED) {
        if (!irq->ignore_tpr && irq->vector >> 4 <= vcpu->lapic.tpr >> 4) {
            /* Lower than CR8: an exit when CR8 sinks. Without TPR shadow CR8 exits by itself. */
            threshold = vmx_caps.tpr_shadow ? irq->vector >> 4 : 0;
        } else if (!busy && !(vcpu->block & VCPU_BLOCK_SHADOW) &&
                   (vmreadn(VMCS_GUEST_RFLAGS) & RFLAGS_IF)) {
            vmwrite32(VMCS_ENTRY_INTERRUPTION_INFO,
                      INTERRUPTION_VALID | INTERRUPTION_OF_TYPE(TYPE_EXTINT) | irq->vector);
            vmx->injected = true;
        } else {
            windows |= PRIMARY_INT_WINDOW;
        }
    }
    set_interruptibility(vcpu, vmx);
    set_windows(vcpu, vmx, windows, threshold);
}

/* After an exit: what went in, and what was cut short. INT n, INT3 and INTO are executed again, but
 * for a task switch, which has to finish them. */
void window_interrupted(struct vcpu *vcpu, struct vmx_vcpu *vmx, uint32_t reason, uint32_t info)
{
    uint32_t type = INTERRUPTION_TYPE(info);
    bool valid = (info & INTERRUPTION_VALID) != 0, offered = vmx->injected;
    if (vmx->injected) {
        vmx->injected = false;
        bool again = (valid && type == TYPE_EXTINT) || (reason & VMX_EXIT_ENTRY_FAILED);
        if (!again)
            vcpu->irq.state = IRQ_TAKEN;
    }
    if (!valid)
        return;
    struct vcpu_event e = {.vector = (uint8_t)info};
    switch (type) {
    case TYPE_NMI:
        e.type = EVENT_NMI;
        vcpu->block &= ~VCPU_BLOCK_NMI;
        break;
    case TYPE_EXCEPTION:
        e.type = EVENT_EXC;
        e.has_error = (info & INTERRUPTION_ERROR) != 0;
        e.error = e.has_error ? vmread32(VMCS_IDT_VECTORING_ERROR) : 0;
        break;
    case TYPE_SOFT_INT:
    case TYPE_ICEBP:
    case TYPE_SOFT_EXCEPTION:
        if (reason != VMX_EXIT_TASK_SWITCH)
            return;
        e.type = EVENT_SWINT;
        e.insn_len = (uint8_t)vmread32(VMCS_EXIT_INSTRUCTION_LENGTH);
        break;
    default: /* an external interrupt is still offered, or in service already */
        if (offered || !vcpu->lapic.direct)
            return;
        e.type = EVENT_INTR;
        break;
    }
    event_again(vcpu, &e);
}
