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
    bool unrestricted, vpid, tpr_shadow, msr_bitmaps, pause_loop, timer, tsc_scaling, dirty, pml,
        posted;
    /* Secondary controls of a vCPU whose interrupts the CPU delivers; 0: it cannot. */
    uint32_t delivery;
    uint8_t timer_rate; /* TSC bit whose changes the preemption timer counts */
    /* Its longest time; ends the guest sooner or later, and nothing comes of it. */
    uint32_t timer_idle;
    bool invept_single;
};
extern struct vmx_caps vmx_caps;

#define EPTP_DIRTY         (1ull << 6)
#define LOG_ENTRIES        512u
#define TSC_MULTIPLIER_ONE (1ull << 48)

struct vmx_vcpu;
struct virt_cpu {
    void *vmxon;
    struct vmx_vcpu *current;     /* whose VMCS is current here; NULL: none */
    uint64_t cstar;               /* what is in the MSR */
    uint64_t star, lstar, sfmask; /* (c) the host's */
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) gdtr; /* (c) */
};

/* What the world switch itself keeps; run.S knows the offsets. */
struct vmx_switch {
    uint64_t host_rsp; /* as in the VMCS; 0: not known */
    bool launched;
};
_Static_assert(__builtin_offsetof(struct vmx_switch, launched) == 8, "as in run.S");

/* The vendor's part of a vCPU. */
struct vmx_vcpu {
    struct vmx_switch sw;
    void *vmcs;
    hpa_t vmcs_pa;
    uint8_t *vapic;        /* virtual-APIC page: the TPR, whether the CPU shadows it or not */
    const struct cpu *cpu; /* where the VMCS is active; NULL: clear, in memory */
    bool inside;
    bool attention;       /* window_prepare() has something to look at */
    bool injected;        /* the offered interrupt went in with this entry */
    bool dr6_loaded;      /* DR6 of the guest is in the CPU */
    bool armed;           /* DR7, outside the CPU, enables breakpoints */
    bool direct;          /* the VMCS lets the CPU deliver interrupts, see struct vlapic */
    bool log_hurts;       /* the guest's page tables are not to be written: no log */
    uint8_t acknowledged; /* interrupt of the host that the CPU has taken; 0: none */
    bool mode_lacked;     /* CR0 wants what only unrestricted guest gives: entries fail */
    uint16_t vpid;        /* 0: none */
    uint64_t eptp;        /* with EPTP_DIRTY while writes are told */
    uint32_t *posted;     /* posted-interrupt descriptor; NULL: the CPU has none */
    void *log;            /* page-modification log; NULL: the CPU has none */
    /* Copies of what the VMCS holds, to write only what changes. */
    uint32_t primary, interruptibility, threshold;
    uint64_t host_cr0, host_cr3, host_fs, eoi_exit[4];
    /* Registers that VMX does not switch. */
    uint64_t star, lstar, cstar, sfmask, kernel_gs, cr2, dr6;
};
_Static_assert(sizeof(struct vmx_vcpu) <= 2048, "one slab object");

#define DR7_ENABLES 0xffull
static inline struct vmx_vcpu *vmx_of(const struct vcpu *vcpu)
{
    return vcpu->hw;
}

/* vmcs.c */
bool vmx_bitmap_init(void); /* MSR bitmaps, the same for all guests */
/* Controls for vmx->direct and vmx->eptp, and MSR bitmap. */
void vmcs_write_controls(const struct vmx_vcpu *vmx);
bool vmx_on(struct cpu *cpu);
int64_t vmx_vcpu_init(struct vcpu *vcpu);
void vmx_vcpu_fini(struct vcpu *vcpu);
void vmx_put(struct vcpu *vcpu);
/* Makes the VMCS current for a moment; true goes to vmcs_drop(), which clears it again. */
bool vmcs_load(struct vmx_vcpu *vmx);
void vmcs_clear(struct vmx_vcpu *vmx);
static inline bool vmcs_hold(struct vmx_vcpu *vmx)
{
    return unlikely(cpu_self()->virt->current != vmx) && vmcs_load(vmx);
}
static inline void vmcs_drop(struct vmx_vcpu *vmx, bool clear)
{
    if (unlikely(clear))
        vmcs_clear(vmx);
}
/* The VMCS becomes active on this CPU, with this CPU's host state. */
void vmcs_activate(struct vmx_vcpu *vmx, struct cpu *cpu);

/* enter.c */
void vmx_enter(struct vcpu *vcpu);
void vmx_leave(struct vcpu *vcpu);
enum vexit vmx_run(struct vcpu *vcpu);

/* Counts what the page-modification log holds, and empties it. */
void vmx_log_drain(struct vcpu *vcpu);

/* window.c: events on their way in. */
void vmx_offer(struct vcpu *vcpu);
void window_prepare(struct vcpu *vcpu, struct vmx_vcpu *vmx);
void window_interrupted(struct vcpu *vcpu, struct vmx_vcpu *vmx, uint32_t reason, uint32_t info);

/* exit.c. By reason: the exit of an instruction of which nothing but the length is to be known; -1:
 * I/O, which has a qualification; 0: others. */
extern const int8_t vmx_plain[VMX_EXIT_XSETBV + 1];
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

extern char vmx_exit_entry[]; /* run.S */

/* The guest-state area of the current VMCS. */
void vmx_collect(struct vmx_state *s);

#endif
