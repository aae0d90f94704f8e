/* SPDX-License-Identifier: BSD-2-Clause */
/* The seam between what every CPU vendor shares and what only one needs. All arguments are neutral;
 * registers that live outside the VMCB or VMCS are in struct vcpu and its page. */
#ifndef VIRT_OPS_H
#define VIRT_OPS_H

#include "abi/kinfo.h"
#include "abi/vcpu.h"
#include "arch/x86_64/ptab.h"

struct cpu;
struct vcpu;

/* Why the guest stopped. One handler each, in virt/exits.c. */
enum vexit {
    VEXIT_INTR,       /* host interrupt or NMI: leave() lets it in */
    VEXIT_WINDOW,     /* the guest can take an interrupt now (asked for with IRQ_WINDOW) */
    VEXIT_NMI_WINDOW, /* NMIs may have become possible */
    VEXIT_TIMER,      /* lapic.due has passed */
    VEXIT_EOI,        /* x.vector: the CPU ended a level-triggered interrupt */
    VEXIT_APIC_WRITE, /* x.number, x.info: what the CPU does not do for a write to this register */
    VEXIT_PIO,        /* x.port, x.size, x.flags; the length is known */
    VEXIT_NPF,        /* x.gpa, x.flags (MMIO_*), x.gla */
    VEXIT_CPUID,
    VEXIT_RDMSR,
    VEXIT_WRMSR,
    VEXIT_HLT,
    VEXIT_PAUSE,
    VEXIT_HYPERCALL,
    VEXIT_XSETBV,
    VEXIT_EXC,   /* x.vector, x.has_error, x.error: give it back to the guest */
    VEXIT_DR,    /* first use of debug registers: load them, run again */
    VEXIT_UD,    /* an instruction that guests do not have: #UD */
    VEXIT_GP,    /* an instruction that guests may not use: #GP(0) */
    VEXIT_SKIP,  /* an instruction without effect in a guest */
    VEXIT_INSN,  /* x.number (enum vcpu_insn), x.info: the VMM decodes */
    VEXIT_TASK,  /* x.task */
    VEXIT_MCE,   /* machine check while the guest ran */
    VEXIT_AGAIN, /* nothing to do */
    VEXIT_SHUTDOWN,
    VEXIT_INVALID, /* x.code, x.info, x.rule */
    VEXITS
};

/* Registers that virt/ reads and writes one by one. The values of the SYSCALL group are in the CPU
 * while a guest is entered (between enter and leave), so these go through the vendor. */
enum vreg {
    VREG_RSP,
    VREG_RFLAGS,
    VREG_DR6,
    VREG_CR0,
    VREG_CR4,
    VREG_EFER,
    VREG_PAT,
    VREG_DEBUGCTL,
    VREG_STAR,
    VREG_LSTAR,
    VREG_CSTAR,
    VREG_SFMASK,
    VREG_KERNEL_GS_BASE,
    VREG_FS_BASE,
    VREG_GS_BASE,
    VREG_SYSENTER_CS,
    VREG_SYSENTER_ESP,
    VREG_SYSENTER_EIP,
    VREG_CPL, /* read only */
    VREGS
};

/* At most 16 operations; adding one needs a reason that holds for both vendors. */
struct virt_ops {
    const char *name;
    enum virt_kind kind;
    const struct pt_format *nested; /* format of guest-physical page tables */

    /* Boot CPU: can this machine do it? Logs a sentence that says why not. */
    bool (*probe)(void);
    /* Each CPU, on itself. false: no memory, or this CPU differs. */
    bool (*cpu_enable)(struct cpu *cpu);
    /* vcpu->hw, charged to the vCPU's payer; the registers are loaded afterwards. */
    int64_t (*vcpu_init)(struct vcpu *vcpu);
    void (*vcpu_fini)(struct vcpu *vcpu);
    /* The guest's state goes into this CPU; from here to leave() host interrupts wait and neither
     * FS, GS, TR nor the system call MSRs are the host's. VMX: makes the VMCS current. */
    void (*enter)(struct vcpu *vcpu);
    /* The host's state comes back, vcpu->rsp and rflags are filled, waiting host interrupts are
     * taken. */
    void (*leave)(struct vcpu *vcpu);
    /* Between enter and leave: runs until the next exit. Takes vcpu->event, and vcpu->flush; keeps
     * vcpu->rax, rip, block, stepping and the upper half of lapic.tpr (CR8) current; fills vcpu->x.
     * An event whose delivery was cut short is back in vcpu->event; irq.state tells whether an
     * offered interrupt was taken. With ASSIST_PREEMPT_TIMER ends the guest at lapic.due. */
    enum vexit (*run)(struct vcpu *vcpu);
    /* vcpu->irq or, with lapic.direct, lapic.page changed: offer that vector (when IF, shadow and,
     * unless ignore_tpr, CR8 allow it), open a window, or withdraw. Not delivered at once; stays
     * offered until taken. */
    void (*offer)(struct vcpu *vcpu);
    /* The vCPU will run elsewhere, or not for a while. VMX: VMCLEAR. After leave(). */
    void (*put)(struct vcpu *vcpu);
    /* Groups CODE, SEGS, CTRL, DEBUG, SYSCALL. After leave() only. */
    void (*save)(struct vcpu *vcpu, struct vcpu_page *to, uint32_t groups);
    /* The same way back, TIME, and RSP and RFLAGS of CORE, from a copy that the VMM cannot change.
     * ERR_ARG: impossible values. */
    int64_t (*load)(struct vcpu *vcpu, const struct vcpu_page *from, uint32_t groups);
    /* Any time on the vCPU's own CPU, between enter and leave or after vcpu_claim. */
    uint64_t (*get)(struct vcpu *vcpu, enum vreg which);
    void (*set)(struct vcpu *vcpu, enum vreg which, uint64_t value);
};

/* The one in use; NULL: this machine cannot run guests. */
extern const struct virt_ops *virt;
extern const struct virt_ops svm_ops, vmx_ops;

#endif
