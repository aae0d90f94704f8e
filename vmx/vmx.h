/* SPDX-License-Identifier: BSD-2-Clause */
/* Intel's virtual-machine extensions: what the files of this folder share. */
#ifndef VMX_VMX_H
#define VMX_VMX_H

#include "abi/vmx_state.h"
#include "virt/vcpu.h"
#include "vmx/vmcs.h"

/* What the CPU offers and the command line allows; constant after probe(). */
struct vmx_caps {
    uint32_t revision; /* of VMCS and VMXON regions */
    uint32_t pin, primary, secondary, exit, entry;
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    uint64_t cr0_guest, cr4_guest; /* bits that a guest changes without an exit */
    uint64_t eptp_bits;
    uint64_t barriers; /* not 0: mitigate_exit() and mitigate_vmexit() have work */
    bool unrestricted, vpid, tpr_shadow, msr_bitmaps, pause_loop, timer;
    /* Secondary controls of a vCPU whose interrupts the CPU delivers; 0: it cannot. */
    uint32_t delivery;
    uint8_t timer_rate; /* TSC bit whose changes the preemption timer counts */
    bool invept_single;
};
extern struct vmx_caps vmx_caps;

#define TIMER_IDLE UINT32_MAX /* ends the guest sooner or later, and nothing comes of it */

struct vmx_vcpu;
struct virt_cpu {
    void *vmxon;
    struct vmx_vcpu *current;     /* whose VMCS is current here; NULL: none */
    uint64_t cstar;               /* what is in the MSR */
    uint64_t star, lstar, sfmask; /* (c) the host's */
};

/* The vendor's part of a vCPU. */
struct vmx_vcpu {
    void *vmcs;
    hpa_t vmcs_pa;
    uint8_t *vapic;        /* virtual-APIC page: the TPR, whether the CPU shadows it or not */
    const struct cpu *cpu; /* where the VMCS is active; NULL: clear, in memory */
    bool launched, inside;
    bool attention;   /* window_prepare() has something to look at */
    bool injected;    /* the offered interrupt went in with this entry */
    bool dr6_loaded;  /* DR6 of the guest is in the CPU */
    bool direct;      /* the VMCS lets the CPU deliver interrupts, see struct vlapic */
    bool mode_lacked; /* CR0 wants what only unrestricted guest gives: entries fail */
    uint16_t vpid;    /* 0: none */
    uint64_t eptp;
    /* Copies of what the VMCS holds, to write only what changes. */
    uint32_t primary, interruptibility, threshold;
    uint64_t rip, host_rsp, host_cr0, host_cr3, eoi_exit[4];
    /* Registers that VMX does not switch. */
    uint64_t star, lstar, cstar, sfmask, kernel_gs, cr2, dr6;
};
_Static_assert(sizeof(struct vmx_vcpu) <= 2048, "one slab object");

static inline struct vmx_vcpu *vmx_of(const struct vcpu *vcpu)
{
    return vcpu->hw;
}

/* vmcs.c */
bool vmx_bitmap_init(void); /* MSR bitmaps, the same for all guests */
/* Secondary controls and MSR bitmap for vmx->direct. */
void vmcs_write_delivery(const struct vmx_vcpu *vmx);
bool vmx_on(struct cpu *cpu);
int64_t vmx_vcpu_init(struct vcpu *vcpu);
void vmx_vcpu_fini(struct vcpu *vcpu);
void vmx_put(struct vcpu *vcpu);
/* Makes the VMCS current for a moment; true goes to vmcs_drop(), which clears it again. */
bool vmcs_hold(struct vmx_vcpu *vmx);
void vmcs_drop(struct vmx_vcpu *vmx, bool clear);
/* The VMCS becomes active on this CPU, with this CPU's host state. */
void vmcs_activate(struct vmx_vcpu *vmx, struct cpu *cpu);

/* enter.c */
void vmx_enter(struct vcpu *vcpu);
void vmx_leave(struct vcpu *vcpu);
enum vexit vmx_run(struct vcpu *vcpu);

/* window.c: events on their way in. */
void vmx_offer(struct vcpu *vcpu);
void window_prepare(struct vcpu *vcpu, struct vmx_vcpu *vmx);
void window_interrupted(struct vcpu *vcpu, struct vmx_vcpu *vmx, uint32_t reason, uint32_t info);

/* exit.c. Reasons of which nothing but the instruction's length is to be known; 0: others. */
extern const uint8_t vmx_plain[VMX_EXIT_XSETBV + 1];
/* The others: fills vcpu->x. */
enum vexit vmx_decode(struct vcpu *vcpu, struct vmx_vcpu *vmx, uint32_t reason);
enum vexit vmx_refuse(struct vcpu *vcpu, uint64_t code, uint64_t info, const char *rule);
/* control.c: CR accesses that exit; CR0 and CR4 as the guest sees them. */
enum vexit control_exit(struct vcpu *vcpu);
#define CONTROL_MODE_LACKED "real or unpaged mode needs unrestricted guest, not in this CPU"
uint64_t control_cr0(void);
uint64_t control_cr4(void);
bool control_load(struct vmx_vcpu *vmx, uint64_t cr0, uint64_t cr4);

/* state.c */
void vmx_save(struct vcpu *vcpu, struct vcpu_page *to, uint32_t groups);
int64_t vmx_load(struct vcpu *vcpu, const struct vcpu_page *from, uint32_t groups);
uint64_t vmx_get(struct vcpu *vcpu, enum vreg which);
void vmx_set(struct vcpu *vcpu, enum vreg which, uint64_t value);

/* run.S. Loads the guest's general registers from gpr[] and *rax, enters by VMLAUNCH or VMRESUME,
 * stores them back. *host_rsp is what the VMCS holds. 0, or 1: the instruction itself failed. */
uint64_t vmx_world_switch(uint64_t *gpr, uint64_t *rax, uint64_t launched, uint64_t *host_rsp);
extern char vmx_exit_entry[];

/* The guest-state area of the current VMCS. */
void vmx_collect(struct vmx_state *s);

#endif
