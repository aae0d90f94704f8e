/* SPDX-License-Identifier: BSD-2-Clause */
/* From #VMEXIT codes to neutral exits. */
#include "svm/svm.h"

#include "virt/event.h"

/* Length of the instruction without next-RIP save: its canonical encoding. The kernel does not read
 * guest memory, so a prefix that a guest puts before CPUID goes unseen here. */
static void set_length(struct vcpu *vcpu, const struct svm_vcpu *svm, uint8_t canonical)
{
    uint8_t length = canonical;
    if (svm_assists.next_rip) {
        uint64_t distance = svm->vmcb->next_rip - vcpu->rip;
        length = distance <= 15 && distance > 0 ? (uint8_t)distance : canonical;
    }
    vcpu->x.insn_len = length;
    vcpu->x.insn_count = 0;
}

static enum vexit decode_pio(struct vcpu *vcpu, const struct vmcb *vmcb)
{
    uint64_t info = vmcb->exit_info1;
    struct vexit_info *x = &vcpu->x;
    x->port = (uint16_t)(info >> 16);
    x->size = (uint8_t)(info >> 4 & 7);
    x->flags =
        (uint8_t)((info & 1 ? PIO_IN : 0) | (info & 4 ? PIO_STRING : 0) | (info & 8 ? PIO_REP : 0));
    x->insn_len = (uint8_t)(vmcb->exit_info2 - vcpu->rip);
    x->insn_count = 0;
    return VEXIT_PIO;
}

/* P in the error code is not looked at: not every implementation tells the truth there. */
static enum vexit decode_npf(struct vcpu *vcpu, const struct vmcb *vmcb)
{
    uint64_t info = vmcb->exit_info1;
    struct vexit_info *x = &vcpu->x;
    x->gpa = vmcb->exit_info2;
    x->gla = 0;
    x->gla_valid = false;
    x->insn_len = 0;
    x->insn_count = 0;
    if (info >> 33 & 1)
        x->flags = MMIO_PAGEWALK | (info & 2 ? MMIO_WRITE : MMIO_READ);
    else
        x->flags = info & 0x10 ? MMIO_FETCH : info & 2 ? MMIO_WRITE : MMIO_READ;
    if (svm_assists.decode && !(info & 0x10)) {
        x->insn_count = MIN(vmcb->insn_count, (uint8_t)14);
        x->insn = vmcb->insn;
    }
    return VEXIT_NPF;
}

/* #DF, #TS, #NP, #SS, #GP, #PF, #AC */
#define WITH_ERROR 0x27d00u

static enum vexit decode_exception(struct vcpu *vcpu, const struct vmcb *vmcb)
{
    struct vexit_info *x = &vcpu->x;
    x->vector = (uint8_t)(vmcb->exit_code - EXIT_EXC);
    x->has_error = WITH_ERROR >> x->vector & 1;
    x->error = (uint32_t)vmcb->exit_info1;
    x->insn_len = 0;
    return x->vector == 18 ? VEXIT_MCE : VEXIT_EXC;
}

static enum vexit decode_iret(struct vcpu *vcpu, struct svm_vcpu *svm)
{
    svm->nmi_iret = true;
    svm->iret_rip = vcpu->rip;
    svm_intercepts(vcpu);
    return VEXIT_NMI_WINDOW;
}

static enum vexit decode_other(struct vcpu *vcpu, const struct vmcb *vmcb)
{
    uint64_t code = vmcb->exit_code;
    if (code - EXIT_EXC < 32)
        return decode_exception(vcpu, vmcb);
    if (code - EXIT_DR_READ < 32)
        return VEXIT_DR;
    vcpu->x.code = code;
    vcpu->x.info = vmcb->exit_info1;
    vcpu->x.insn_len = 0;
    vcpu->x.insn_count = 0;
    return VEXIT_INVALID;
}

enum vexit svm_decode(struct vcpu *vcpu, struct svm_vcpu *svm)
{
    const struct vmcb *vmcb = svm->vmcb;
    switch (vmcb->exit_code) {
    case EXIT_INTR:
    case EXIT_NMI:
    case EXIT_INIT:
        return VEXIT_INTR;
    case EXIT_MSR:
        set_length(vcpu, svm, 2);
        return vmcb->exit_info1 ? VEXIT_WRMSR : VEXIT_RDMSR;
    case EXIT_IOIO:
        return decode_pio(vcpu, vmcb);
    case EXIT_NPF:
        return decode_npf(vcpu, vmcb);
    case EXIT_CPUID:
        set_length(vcpu, svm, 2);
        return VEXIT_CPUID;
    case EXIT_HLT:
        set_length(vcpu, svm, 1);
        return VEXIT_HLT;
    case EXIT_CR8_WRITE:
        vcpu->x.number = INSN_CR;
        vcpu->x.vector = 8;
        vcpu->x.info = vmcb->exit_info1;
        vcpu->x.insn_len = vcpu->x.insn_count = 0;
        return VEXIT_INSN;
    case EXIT_VINTR:
        return VEXIT_WINDOW;
    case EXIT_PAUSE:
        set_length(vcpu, svm, 2);
        return VEXIT_PAUSE;
    case EXIT_VMMCALL:
        set_length(vcpu, svm, 3);
        return VEXIT_HYPERCALL;
    case EXIT_XSETBV:
        set_length(vcpu, svm, 3);
        return VEXIT_XSETBV;
    case EXIT_IRET:
        return decode_iret(vcpu, svm);
    case EXIT_INVD:
    case EXIT_WBINVD:
        set_length(vcpu, svm, 2);
        return VEXIT_SKIP;
    case EXIT_RDPMC:
        return VEXIT_GP;
    case EXIT_INVLPGA:
    case EXIT_VMRUN:
    case EXIT_VMLOAD ... EXIT_SKINIT:
    case EXIT_MONITOR ... EXIT_MWAIT_COND:
    case EXIT_RDPRU:
    case EXIT_INVLPGB ... EXIT_TLBSYNC:
        return VEXIT_UD;
    case EXIT_FERR:
        return VEXIT_AGAIN;
    case EXIT_SHUTDOWN:
        vcpu->x.insn_len = vcpu->x.insn_count = 0;
        return VEXIT_SHUTDOWN;
    default:
        return decode_other(vcpu, vmcb);
    }
}
