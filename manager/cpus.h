/* SPDX-License-Identifier: BSD-2-Clause */
/* Which host CPU each virtual CPU runs on. */
#ifndef MANAGER_CPUS_H
#define MANAGER_CPUS_H

#include <stdint.h>
#include "manager/domain.h"

/* count CPUs are up; node[i]: NUMA node of CPU i. */
void cpus_init(uint32_t count, const uint32_t *node);
/* Chooses the least loaded CPUs that the domain may use, each vCPU on one of its own while there
 * are enough. NULL, or why not. */
const char *cpus_assign(const struct domain *domain, uint32_t *cpu);
void cpus_release(const struct domain *domain, const uint32_t *cpu);
uint32_t cpus_node(uint32_t cpu);

#endif
