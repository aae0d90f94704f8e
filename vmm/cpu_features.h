/* SPDX-License-Identifier: BSD-2-Clause */
/* CPU features by libvirt's names. */
#ifndef VMM_CPU_FEATURES_H
#define VMM_CPU_FEATURES_H

#include <stdint.h>

enum cpuid_register { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

struct cpu_feature {
    char name[20];
    uint32_t leaf, subleaf;
    uint8_t reg; /* enum cpuid_register */
    uint8_t bit;
};

/* NULL: no such name. */
const struct cpu_feature *cpu_feature_find(const char *name);

#endif
