/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's CPUs, and where each virtual CPU begins to run. */
#ifndef MANAGER_HOST_CPUS_H
#define MANAGER_HOST_CPUS_H

#include <stdint.h>
#include "manager/definition/tune.h"

/* count CPUs are up; node[i]: NUMA node of CPU i. No CPU pools yet. */
void cpus_init(uint32_t count, const uint32_t *node);
/* Chooses where each vCPU begins: the least loaded CPUs that it may use, each vCPU on one of its
 * own while there are enough, of these the nearest to its memory. The kernel moves it later, inside
 * what is allowed. cpus_check() has passed. */
void cpus_assign(const struct tune *tune, uint32_t *cpu);
void cpus_release(const uint32_t *cpu, uint32_t vcpus);
/* The CPUs that are up. */
struct tune_set cpus_host(void);
/* Guests use these only; cpus_init() forgets it. */
void cpus_limit(const struct tune_set *set);
/* The CPUs that a guest with these settings may use: its CPU pool's, less what cpus_limit() says.
 */
struct tune_set cpus_of(const struct tune *tune);
/* tune_check() for these, and that there are any. */
bool cpus_check(const struct tune *tune, struct tune_fault *fault);
/* What the kernel is told of a thread: tune_params(), on these CPUs only. Where they are all
 * offline, whatever else of the guest's is not. */
void cpus_params(const struct tune *tune, uint32_t i, struct sc_params *params);
/* Of the host's, those that are online. */
struct tune_set cpus_online(void);
/* cpus_toggle() then changes whether the CPU is online. */
void cpus_prepare(uint32_t cpu);
void cpus_toggle(void);
uint32_t cpus_node(uint32_t cpu);

#endif
