/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID: what a VM's owner chose, and what depends on the moment. */
#ifndef VIRT_CPUID_H
#define VIRT_CPUID_H

#include "arch/x86_64/insn.h"

#define CPUID_SLOTS 128u /* power of two */

struct cpuid_entry {
    uint32_t leaf, subleaf;
    uint32_t flags; /* CPUID_USED | CPUID_KEY_SUBLEAF */
    struct cpuid_regs regs;
};
#define CPUID_USED 0x100u

/* Open addressing by leaf. */
struct cpuid_table {
    struct cpuid_entry entry[CPUID_SLOTS];
    uint32_t used;
};

/* The entry for a leaf and subleaf; NULL: reads as zeros. */
const struct cpuid_entry *cpuid_find(const struct cpuid_table *table, uint32_t leaf,
                                     uint32_t subleaf);
/* OK or ERR_NOMEM (full). Replaces an entry with the same key. */
int64_t cpuid_set(struct cpuid_table *table, uint32_t leaf, uint32_t subleaf, uint32_t flags,
                  struct cpuid_regs regs);

struct vcpu;
/* Executes CPUID for the guest: EAX in rax, ECX in the page. */
void cpuid_execute(struct vcpu *vcpu);

#endif
