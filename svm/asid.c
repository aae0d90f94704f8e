/* SPDX-License-Identifier: BSD-2-Clause */
/* Address space identifiers: each CPU hands them out in rising order; when they are used up, it
 * flushes its whole TLB once and starts again. So a flush of one guest is a new number, on CPUs
 * that cannot flush by ASID. */
#include "svm/svm.h"

void svm_asid(struct vcpu *vcpu, struct cpu *cpu)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    struct virt_cpu *own = cpu->virt;
    struct vmcb *vmcb = svm->vmcb;
    bool valid = svm->has_asid && svm->cpu == cpu && svm->asid_generation == own->generation;
    bool flush = vcpu->flush;
    vcpu->flush = false;
    vmcb->tlb_control = TLB_KEEP;
    if (valid && !flush)
        return;
    if (valid && svm_assists.flush_asid) {
        vmcb->tlb_control = TLB_FLUSH_ASID;
        return;
    }
    if (own->next_asid >= svm_assists.asids) {
        own->next_asid = 1; /* 0 is the host */
        own->generation++;
        vmcb->tlb_control = TLB_FLUSH_ALL;
    }
    vmcb->asid = own->next_asid++;
    svm->has_asid = true;
    svm->cpu = cpu;
    svm->asid_generation = own->generation;
    svm->clean &= ~CLEAN_ASID;
}
