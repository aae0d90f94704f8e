/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's CPUs, and where each virtual CPU begins to run. */
#ifndef MANAGER_CPUS_H
#define MANAGER_CPUS_H

#include <stdint.h>
#include "manager/tune.h"

/* count CPUs are up; node[i]: NUMA node of CPU i. */
void cpus_init(uint32_t count, const uint32_t *node);
/* Chooses where each vCPU begins: the least loaded CPUs that it may use, each vCPU on one of its
 * own while there are enough. The kernel moves it later, inside what is allowed. tune_check() has
 * passed for cpus_host(). */
void cpus_assign(const struct tune *tune, uint32_t *cpu);
void cpus_release(const uint32_t *cpu, uint32_t vcpus);
/* The CPUs that are up. */
struct tune_set cpus_host(void);
uint32_t cpus_node(uint32_t cpu);

#endif
