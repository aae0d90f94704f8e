/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD's Secure Virtual Machine: what the files of this folder share. */
#ifndef SVM_SVM_H
#define SVM_SVM_H

#include "svm/vmcb.h"
#include "virt/vcpu.h"

/* #DB and #AC: a guest could make the CPU deliver them without end, with interrupts shut out. */
#define EXC_ALWAYS ((1u << EXC_DB) | (1u << EXC_AC) | (1u << 18))

/* What the CPU offers and the command line allows. */
struct svm_assists {
    bool next_rip, decode, flush_asid, clean_bits, pause_filter, tsc_ratio;
    /* QEMU's emulation takes a V_IRQ whose priority *equals* V_TPR, too; and it stops with an
     * assertion when a guest writes CR8 while a V_IRQ waits that V_TPR would let through. */
    bool qemu;           /* and it lets XSETBV through, whatever the intercept says */
    bool barriers;       /* mitigate_exit() and mitigate_vmexit() have something to do */
    uint32_t clean_mask; /* CLEAN_ALL, or 0 without clean bits */
    uint32_t asids;
};
extern struct svm_assists svm_assists;

#define TSC_RATIO_ONE (1ull << 32)

struct virt_cpu {
    struct vmcb *host; /* host's state of VMSAVE/VMLOAD */
    hpa_t host_pa;
    void *hsave;
    uint32_t next_asid;
    uint64_t generation; /* of ASIDs */
    uint64_t tsc_ratio;  /* what is in the MSR */
};

/* The vendor's part of a vCPU. */
struct svm_vcpu {
    struct vmcb *vmcb;
    hpa_t vmcb_pa;
    uint32_t clean; /* CLEAN_* that hold at the next entry */
    bool has_asid;
    bool nmi_iret;         /* IRET of an NMI handler was seen at iret_rip */
    const struct cpu *cpu; /* where asid is valid */
    uint64_t asid_generation;
    uint64_t iret_rip;
    uint64_t tsc_ratio; /* 32 bits of fraction */
    uint64_t held_dr6;  /* the guest's, while a shadow holds an interrupt back */
};

static inline struct svm_vcpu *svm_of(const struct vcpu *vcpu)
{
    return vcpu->hw;
}

/* vmcb.c */
bool svm_maps_init(void); /* permission maps, the same for all guests */
int64_t svm_vcpu_init(struct vcpu *vcpu);
void svm_vcpu_fini(struct vcpu *vcpu);
void svm_intercepts(struct vcpu *vcpu); /* those that change with time */
void svm_save(struct vcpu *vcpu, struct vcpu_page *to, uint32_t groups);
int64_t svm_load(struct vcpu *vcpu, const struct vcpu_page *from, uint32_t groups);
uint64_t svm_get(struct vcpu *vcpu, enum vreg which);
void svm_set(struct vcpu *vcpu, enum vreg which, uint64_t value);

/* asid.c */
void svm_asid(struct vcpu *vcpu, struct cpu *cpu);

/* enter.c */
void svm_enter(struct vcpu *vcpu);
void svm_leave(struct vcpu *vcpu);
enum vexit svm_run(struct vcpu *vcpu);
void svm_offer(struct vcpu *vcpu);
void svm_put(struct vcpu *vcpu);

/* exit.c: fills vcpu->x. */
enum vexit svm_decode(struct vcpu *vcpu, struct svm_vcpu *svm);

/* run.S: loads the guest's general registers from gpr[], runs, stores them back. RAX and RSP are in
 * the VMCB. */
void svm_world_switch(uint64_t *gpr, uint64_t vmcb_pa);

#endif
