/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's paravirtual clock: the guest names a structure in its memory, we fill it, the guest
 * computes time from its TSC without an exit (Linux: Documentation/virt/kvm/x86/msr.rst).
 *
 * One reference point serves all vCPUs for the machine's life, so their clocks agree (TSC_STABLE),
 * and nothing needs to be refreshed. */
#ifndef VMM_KVMCLOCK_H
#define VMM_KVMCLOCK_H

#include "vmm/config.h"
#include "vmm/device.h"

#define MSR_KVM_WALL_CLOCK      0x11u
#define MSR_KVM_SYSTEM_TIME     0x12u
#define MSR_KVM_WALL_CLOCK_NEW  0x4b564d00u
#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01u

struct kvmclock {
    struct machine *machine;
    uint64_t tsc_ref; /* guest TSC at which the system time is ns_ref */
    uint64_t ns_ref;  /* clock_ns() at the same instant */
    uint32_t multiplier;
    int8_t shift;
    uint64_t wall_msr;
    uint64_t system_msr[VMM_MAX_VCPUS];
    uint64_t updates;
};

void kvmclock_init(struct kvmclock *clock, struct machine *machine);
/* true: done; false: not an MSR of this clock, or not an address in RAM: #GP. */
bool kvmclock_write(struct kvmclock *clock, unsigned vcpu, uint32_t msr, uint64_t value);
bool kvmclock_read(const struct kvmclock *clock, unsigned vcpu, uint32_t msr, uint64_t *value);
/* Sets "guest stopped" for all vCPUs, so that their watchdogs start anew. */
void kvmclock_stopped(struct kvmclock *clock);

#endif
