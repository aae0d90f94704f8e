/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest space: guest-physical memory and what all vCPUs of a VM share. */
#ifndef VIRT_GUEST_H
#define VIRT_GUEST_H

#include "kernel/space.h"
#include "virt/cpuid.h"
#include "virt/doorbell.h"
#include "virt/msr.h"
#include "virt/vlapic.h"

#define GUEST_VCPUS 256u /* APIC ids 0..255 */
#define GUEST_LIMIT (1ull << 47)

/* Two pages. Written under the object lock, read in the exit loop without. */
struct guest_tables {
    struct cpuid_table cpuid;
    struct msr_rules msr;
    struct doorbell_table doorbells;
    struct vcpu *vcpu[GUEST_VCPUS]; /* by APIC id */
};
_Static_assert(sizeof(struct guest_tables) <= 2 * PAGE_SIZE, "allocated as two pages");

struct guest { /* OBJ_GUEST */
    struct obj obj;
    struct space space;
    struct guest_tables *tables;
    uint32_t apic_limit;         /* highest APIC id of a vCPU, plus 1 */
    bool log;                    /* writes are told, see sys_guest_dirty() */
    _Atomic uint32_t turn;       /* of lowest-priority arbitration */
    _Atomic uint64_t generation; /* of removed mappings, for the pages of pv.c */
};

/* Delivers a message to all local APICs it addresses; but `except` (NULL: none). Number of targets.
 */
uint32_t guest_deliver(struct guest *guest, const struct apic_message *m,
                       const struct vcpu *except);
/* MSI address and data as a device writes them; false: not an interrupt message. */
bool msi_decode(uint64_t address, uint64_t data, struct apic_message *m);

#endif
