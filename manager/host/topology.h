/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of the host's CPUs are near each other: cores, caches and nodes, from CPUID, SRAT and
 * SLIT. */
#ifndef MANAGER_HOST_TOPOLOGY_H
#define MANAGER_HOST_TOPOLOGY_H

#include <stdint.h>
#include "abi/thread.h"
#include "manager/definition/tune.h"

/* How many low bits of an APIC id tell threads of one core, and CPUs behind one last cache. */
struct topology_bits {
    uint32_t core, cache;
};

struct topology_leaf {
    uint32_t eax, ebx, ecx, edx;
};
/* CPUID of the CPU that it runs on: all of a machine's are alike in this. */
typedef struct topology_leaf topology_cpuid(uint32_t leaf, uint32_t subleaf);

struct topology_cpu {
    uint32_t apic_id, node;
};

struct topology_bits topology_read(topology_cpuid *cpuid);
/* The sets that the kernel is told of a CPU, each with the CPU itself, growing. */
void topology_near(const struct topology_cpu *cpus, uint32_t count, struct topology_bits bits,
                   uint32_t cpu, struct tune_set near[MACHINE_LEVELS]);

#endif
