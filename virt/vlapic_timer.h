/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC's timer. It counts at 1 GHz before its divider. */
#ifndef VIRT_VLAPIC_TIMER_H
#define VIRT_VLAPIC_TIMER_H

#include "virt/vlapic.h"

void vlapic_timer_init(struct vlapic *lapic);
void vlapic_timer_stop(struct vlapic *lapic);
void vlapic_timer_set_initial(struct vcpu *vcpu, uint32_t value);
void vlapic_timer_set_lvt(struct vcpu *vcpu, uint32_t value);
void vlapic_timer_set_divide(struct vcpu *vcpu, uint32_t value);
uint32_t vlapic_timer_current(const struct vlapic *lapic);
/* With ASSIST_PREEMPT_TIMER the host's timer is armed only from the time the vCPU goes to sleep
 * until it is entered again. */
void vlapic_timer_sleep(struct vlapic *lapic);
void vlapic_timer_wake(struct vlapic *lapic);

#endif
