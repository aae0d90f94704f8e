/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest state that stays in a CPU's registers while its VMM runs: FPU, debug address registers,
 * TSC_AUX. Ring 3 uses none of them, or gets #NM. It goes when another vCPU or thread comes. */
#ifndef VIRT_LAZY_H
#define VIRT_LAZY_H

#include "virt/vcpu.h"

/* Before entering the guest, outside. */
void lazy_load(struct cpu *cpu, struct vcpu *vcpu);
/* Puts everything back into memory and clears the registers. */
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
