/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID as the machine answers it, and what of that a guest may see. */
#ifndef VMM_HOST_CPUID_H
#define VMM_HOST_CPUID_H

#include <stdint.h>

#include "vmm/cpu_features.h"

struct cpuid_leaf {
    uint32_t reg[4]; /* enum cpuid_register */
};

static inline struct cpuid_leaf host_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_leaf r;
    __asm__ volatile("cpuid"
                     : "=a"(r.reg[CPUID_EAX]), "=b"(r.reg[CPUID_EBX]), "=c"(r.reg[CPUID_ECX]),
                       "=d"(r.reg[CPUID_EDX])
                     : "a"(leaf), "c"(subleaf));
    return r;
}

/* Clears feature bits that cannot be virtualised on this machine. xcr0: the components that guests
 * may use (struct kinfo). */
struct cpuid_leaf host_cpuid_mask(uint32_t leaf, uint32_t subleaf, uint64_t xcr0,
                                  struct cpuid_leaf wanted);
/* What this machine can show a guest. */
struct cpuid_leaf host_cpuid_policy(uint32_t leaf, uint32_t subleaf, uint64_t xcr0);

#endif
