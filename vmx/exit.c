/* SPDX-License-Identifier: BSD-2-Clause */
/* From basic exit reasons to neutral exits. */
#include "virt/event.h"
#include "vmx/qualification.h"
#include "vmx/vmx.h"

#define EXC_NMI 2u
#define EXC_MC  18u

#define DR7_GD       (1ull << 13)
#define DEBUGCTL_LBR (1ull << 0)

const int8_t vmx_plain[] = {
    [VMX_EXIT_CPUID] = VEXIT_CPUID,   [VMX_EXIT_RDMSR] = VEXIT_RDMSR,
    [VMX_EXIT_WRMSR] = VEXIT_WRMSR,   [VMX_EXIT_HLT] = VEXIT_HLT,
    [VMX_EXIT_PAUSE] = VEXIT_PAUSE,   [VMX_EXIT_VMCALL] = VEXIT_HYPERCALL,
    [VMX_EXIT_XSETBV] = VEXIT_XSETBV, [VMX_EXIT_INVD] = VEXIT_SKIP,
    [VMX_EXIT_WBINVD] = VEXIT_SKIP,   [VMX_EXIT_IO] = -1,
};

enum vexit vmx_refuse(struct vcpu *vcpu, uint64_t code, uint64_t info, const char *rule)
{
    vcpu->x.code = code;
    vcpu->x.info = info;
    vcpu->x.rule = rule;
    vcpu->x.insn_len = 0;
    return VEXIT_INVALID;
}

static void set_length(struct vcpu *vcpu)
{
    vcpu->x.insn_len = (uint8_t)vmread32(VMCS_EXIT_INSTRUCTION_LENGTH);
}

/* An IRET that the exit cut short had already let NMIs in again. */
static void block_nmi_again(struct vcpu *vcpu)
{
    if (!(vmread32(VMCS_IDT_VECTORING_INFO) & INTERRUPTION_VALID))
        vcpu->block |= VCPU_BLOCK_NMI;
}

static enum vexit decode_ept(struct vcpu *vcpu, struct vmx_vcpu *vmx)
{
    struct vexit_info *x = &vcpu->x;
    uint64_t qualification = vmreadn(VMCS_EXIT_QUALIFICATION);
    qualification_ept(qualification, x);
    x->gpa = vmread64(VMCS_GUEST_PHYSICAL_ADDRESS);
    x->gla = x->gla_valid ? vmreadn(VMCS_GUEST_LINEAR_ADDRESS) : 0;
    x->insn_len = 0;
    if (unlikely(qualification & EPT_NMI_UNBLOCKED))
        block_nmi_again(vcpu);
    if (unlikely(vmx->eptp & EPTP_DIRTY) && (x->flags & MMIO_PAGEWALK)) {
        vmx->log_hurts = vcpu->flush = true; /* page tables in ROM: it was no write */
        return VEXIT_AGAIN;
    }
    return VEXIT_NPF;
}

static enum vexit decode_log_full(struct vcpu *vcpu)
{
    if (unlikely(vmreadn(VMCS_EXIT_QUALIFICATION) & EPT_NMI_UNBLOCKED))
        block_nmi_again(vcpu);
    vmx_log_drain(vcpu);
    return VEXIT_AGAIN;
}

/* The CPU has recorded nothing yet: DR6, DR7.GD and DEBUGCTL.LBR change when the exception is
 * delivered, which an injected one does not do. (Intel SDM vol. 3, "Architectural State Before a VM
 * Exit".) */
static void record_debug(struct vmx_vcpu *vmx)
{
    uint64_t qualification = vmreadn(VMCS_EXIT_QUALIFICATION);
    if (vmx->dr6_loaded) {
        uint64_t dr6;
        __asm__ volatile("mov %%db6, %0" : "=r"(dr6));
        dr6 = qualification_dr6(qualification, dr6);
        __asm__ volatile("mov %0, %%db6" ::"r"(dr6));
    } else {
        vmx->dr6 = qualification_dr6(qualification, vmx->dr6);
    }
    vmwriten(VMCS_GUEST_DR7, vmreadn(VMCS_GUEST_DR7) & ~DR7_GD);
    vmwrite64(VMCS_GUEST_DEBUGCTL, vmread64(VMCS_GUEST_DEBUGCTL) & ~DEBUGCTL_LBR);
}

static enum vexit decode_exception(struct vcpu *vcpu, struct vmx_vcpu *vmx)
{
    uint32_t info = vmread32(VMCS_EXIT_INTERRUPTION_INFO), type = INTERRUPTION_TYPE(info);
    struct vexit_info *x = &vcpu->x;
    if (type == TYPE_NMI) {
        /* It has been taken from the CPU: the host's handler runs here. */
        __asm__ volatile("int %0" ::"i"(EXC_NMI) : "memory");
        return VEXIT_INTR;
    }
    x->vector = (uint8_t)info;
    x->has_error = (info & INTERRUPTION_ERROR) != 0;
    x->error = x->has_error ? vmread32(VMCS_EXIT_INTERRUPTION_ERROR) : 0;
    x->insn_len = 0;
    if (x->vector == EXC_MC)
        return VEXIT_MCE;
    if (info & INTERRUPTION_IRET_UNBLOCK)
        block_nmi_again(vcpu);
    if (x->vector == EXC_DB) {
        record_debug(vmx);
        if (type == TYPE_ICEBP) /* a trap: the handler returns behind INT1 */
            vcpu->rip += vmread32(VMCS_EXIT_INSTRUCTION_LENGTH);
    }
    return VEXIT_EXC;
}

static enum vexit decode_task(struct vcpu *vcpu)
{
    uint32_t info = vmread32(VMCS_IDT_VECTORING_INFO);
    struct vexit_info *x = &vcpu->x;
    set_length(vcpu);
    qualification_task(vmreadn(VMCS_EXIT_QUALIFICATION), x);
    x->has_error = (info & INTERRUPTION_VALID) && (info & INTERRUPTION_ERROR);
    x->error = x->has_error ? vmread32(VMCS_IDT_VECTORING_ERROR) : 0;
    return VEXIT_TASK;
}

/* The CPU refused the guest's state, and nothing of the guest has run. */
static enum vexit decode_entry_failure(struct vcpu *vcpu, uint32_t reason)
{
    uint64_t qualification = vmreadn(VMCS_EXIT_QUALIFICATION);
    if ((reason & 0xffff) == VMX_EXIT_MACHINE_CHECK)
        return VEXIT_MCE;
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    vmx_collect((struct vmx_state *)(void *)((char *)vcpu->page + VMX_STATE_OFFSET));
    /* Whether the VMCS counts as launched depends on how far it came: start anew. */
    vmx_put(vcpu);
    vmcs_activate(vmx, cpu_self());
    return vmx_refuse(vcpu, reason, qualification, vmx->mode_lacked ? CONTROL_MODE_LACKED : NULL);
}

static enum vexit decode_apic_write(struct vcpu *vcpu, const struct vmx_vcpu *vmx)
{
    uint32_t offset = (uint32_t)vmreadn(VMCS_EXIT_QUALIFICATION) & 0xff0;
    vcpu->x.number = (uint8_t)(offset >> 4);
    vcpu->x.info = *(const uint32_t *)(const void *)&vmx->vapic[offset];
    return VEXIT_APIC_WRITE;
}

static enum vexit decode_rare(struct vcpu *vcpu, struct vmx_vcpu *vmx, uint32_t reason)
{
    switch (reason) {
    case VMX_EXIT_DR:
        return VEXIT_DR;
    case VMX_EXIT_LOG_FULL:
        return decode_log_full(vcpu);
    case VMX_EXIT_TASK_SWITCH:
        return decode_task(vcpu);
    case VMX_EXIT_APIC_WRITE:
        return decode_apic_write(vcpu, vmx);
    case VMX_EXIT_RDPMC:
        return VEXIT_GP;
    case VMX_EXIT_GETSEC:
    case VMX_EXIT_VMCLEAR ... VMX_EXIT_VMXON:
    case VMX_EXIT_MWAIT:
    case VMX_EXIT_MONITOR:
    case VMX_EXIT_INVEPT:
    case VMX_EXIT_INVVPID:
    case VMX_EXIT_VMFUNC:
        return VEXIT_UD;
    case VMX_EXIT_TRIPLE_FAULT:
        vcpu->x.insn_len = 0;
        return VEXIT_SHUTDOWN;
    case VMX_EXIT_INIT:
        return VEXIT_AGAIN;
    case VMX_EXIT_EPT_MISCONFIGURATION:
        return vmx_refuse(vcpu, reason, vmread64(VMCS_GUEST_PHYSICAL_ADDRESS),
                          "EPT misconfiguration; info: guest-physical address");
    default:
        break;
    }
    if (reason & VMX_EXIT_ENTRY_FAILED)
        return decode_entry_failure(vcpu, reason);
    return vmx_refuse(vcpu, reason, vmreadn(VMCS_EXIT_QUALIFICATION), "unknown exit reason");
}

enum vexit vmx_decode(struct vcpu *vcpu, struct vmx_vcpu *vmx, uint32_t reason)
{
    switch (reason) {
    case VMX_EXIT_EXTINT:
        if (vmx->posted && vmx->direct)
            vmx->acknowledged = (uint8_t)vmread32(VMCS_EXIT_INTERRUPTION_INFO);
        return VEXIT_INTR;
    case VMX_EXIT_EPT_VIOLATION:
        return decode_ept(vcpu, vmx);
    case VMX_EXIT_INT_WINDOW:
        return vcpu->irq.state == IRQ_WINDOW ? VEXIT_WINDOW : VEXIT_AGAIN;
    case VMX_EXIT_PREEMPTION_TIMER:
        vmwrite32(VMCS_PREEMPTION_TIMER, vmx_caps.timer_idle);
        return vcpu->lapic.due - 1 < rdtsc() ? VEXIT_TIMER : VEXIT_INTR; /* 0: none */
    case VMX_EXIT_EOI:
        vcpu->x.vector = (uint8_t)vmreadn(VMCS_EXIT_QUALIFICATION);
        return VEXIT_EOI;
    case VMX_EXIT_NMI_WINDOW:
        return VEXIT_NMI_WINDOW;
    case VMX_EXIT_TPR:
        return VEXIT_AGAIN;
    case VMX_EXIT_EXCEPTION_NMI:
        return decode_exception(vcpu, vmx);
    case VMX_EXIT_CR:
        set_length(vcpu);
        return control_exit(vcpu);
    default:
        return decode_rare(vcpu, vmx, reason);
    }
}
