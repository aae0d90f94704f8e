/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest state that the world switch does not touch: FPU, debug address registers, TSC_AUX. The FPU
 * stays in the CPU's registers while the VMM runs, which does not use it, or gets #NM; the kernel
 * takes it out when another thread comes. The others go at the end of vcpu_run, because any thread
 * could see them. */
#ifndef VIRT_LAZY_H
#define VIRT_LAZY_H

#include "virt/vcpu.h"

/* Before entering the guest, outside. */
void lazy_load(struct cpu *cpu, struct vcpu *vcpu);
/* End of vcpu_run: debug registers and TSC_AUX. */
void lazy_unload_rest(struct vcpu *vcpu);
static inline void lazy_unload(struct vcpu *vcpu)
{
    if (unlikely(vcpu->dr_loaded | vcpu->aux_loaded))
        lazy_unload_rest(vcpu);
}
/* Everything, if it is here: the thread leaves the CPU. */
void lazy_release(struct cpu *cpu, struct vcpu *vcpu);
/* The guest uses debug registers. Inside. */
void lazy_load_dr(struct vcpu *vcpu);
/* Debug address registers of the CPU to vcpu->dr. */
void lazy_store_dr(struct vcpu *vcpu);

/* Group CORE to the page. */
void vcpu_save_core(struct vcpu *vcpu);
/* State groups between the vCPU and its page; outside. */
void vcpu_save_groups(struct vcpu *vcpu, uint32_t groups);
/* OK or ERR_ARG; the kernel's copy of the page is taken inside. */
int64_t vcpu_load_groups(struct vcpu *vcpu, uint32_t groups);

#endif
