/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's paravirtual interface, the parts that the kernel serves: hypercalls, PV EOI, steal time.
 * (Linux Documentation/virt/kvm/x86/msr.rst, hypercalls.rst, cpuid.rst.) The clock is the VMM's. */
#ifndef VIRT_PV_H
#define VIRT_PV_H

#include "lib/list.h"

#define MSR_KVM_STEAL_TIME 0x4b564d03u
#define MSR_KVM_PV_EOI_EN  0x4b564d04u

struct vcpu;
struct guest;

/* A guest page that the kernel writes; mapped while in use. */
struct pv_page {
    uint64_t msr;   /* as the guest wrote it */
    uint64_t gpa;   /* of the structure */
    uint64_t hpa;   /* of its page; 0: not mapped */
    uint32_t *word; /* kernel address of the structure */
};

struct pv {
    struct pv_page eoi, steal;
    bool eoi_armed; /* the guest may clear the flag instead of an EOI */
    bool eoi_early; /* so for the interrupt on offer; nothing else is pending or in service */
    bool kicked;    /* atomic: KICK_CPU ends the next HLT */
};

/* Hypercall number in RAX; sets RAX. */
void pv_hypercall(struct vcpu *vcpu);
/* false: #GP. */
bool pv_wrmsr(struct vcpu *vcpu, uint32_t msr, uint64_t value);
bool pv_rdmsr(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
/* Lets the guest end this interrupt without an exit, if nothing else waits: with the offer, because
 * that it was taken shows at some later exit only, which must not be the EOI; after vlapic_accept;
 * and back when something else is to be offered. */
void pv_eoi_arm(struct vcpu *vcpu, uint8_t vector);
void pv_eoi_taken(struct vcpu *vcpu, uint8_t vector);
void pv_eoi_disarm(struct vcpu *vcpu);
/* Before the local APIC is looked at: has the guest ended it? cancel: take the offer back. */
void pv_eoi_sync(struct vcpu *vcpu, bool cancel);
/* The vCPU goes on after `stolen` TSC cycles of waiting for a CPU; or is about to wait. */
void pv_steal(struct vcpu *vcpu);
void pv_preempted(struct vcpu *vcpu);
/* Lets go of pages inside [address, address+size). Under the object lock; waits for the sections of
 * other CPUs. */
void pv_unmap(struct vcpu *vcpu, uint64_t address, uint64_t size);
/* INIT, reset, end of life; takes the object lock when `locked` is false. */
void pv_reset(struct vcpu *vcpu, bool locked);

#endif
