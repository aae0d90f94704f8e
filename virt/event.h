/* SPDX-License-Identifier: BSD-2-Clause */
/* Events on their way into the guest: exceptions, NMIs, external interrupts. */
#ifndef VIRT_EVENT_H
#define VIRT_EVENT_H

#include "virt/vcpu.h"

#define EXC_DB 1u
#define EXC_UD 6u
#define EXC_DF 8u
#define EXC_GP 13u
#define EXC_PF 14u
#define EXC_AC 17u

/* Queues a fault for the next entry; an event that was cut short by the exit is combined with it
 * as the CPU would. Returns RUN. */
enum verdict event_exception(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error);
/* The delivery of `event` was cut short by an exit: it goes in again. */
void event_again(struct vcpu *vcpu, const struct vcpu_event *event);
/* Before entry, when REQ_IRQ or REQ_NMI was asked or an offer was taken: decides what to offer. */
void event_update(struct vcpu *vcpu);
/* After an exit: an offered vector was taken. */
void event_taken(struct vcpu *vcpu);
/* Does the 8259's line ask this vCPU for an INTA cycle? */
bool event_extint(const struct vcpu *vcpu);
/* Would the guest be woken from HLT? */
bool event_wakes(struct vcpu *vcpu);

#endif
