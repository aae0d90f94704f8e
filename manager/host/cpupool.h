/* SPDX-License-Identifier: BSD-2-Clause */
/* CPU pools: named sets of the host's CPUs that share none. A guest that is assigned to one runs
 * there and nowhere else; the others have the CPUs in no pool. */
#ifndef MANAGER_HOST_CPUPOOL_H
#define MANAGER_HOST_CPUPOOL_H

#include "manager/protocol.h"
#include "manager/definition/tune.h"

#define CPUPOOLS_MAX 16u

struct cpupool {
    char name[TUNE_POOL];
    struct tune_set cpus;
};

/* Of CPUs 0 to count - 1, without a pool. */
void cpupool_init(uint32_t count);
uint32_t cpupool_count(void);
const struct cpupool *cpupool_at(uint32_t index);
/* The CPUs of a pool; name "": those in none. false: there is no such pool. */
bool cpupool_cpus(const char *name, struct tune_set *cpus);
/* Prepares a change; cpupool_swap() makes it, and takes it back when it is called again. The
 * answer: why it cannot be, or NULL. Not MGR_CPUPOOL_MOVE. */
const char *cpupool_prepare(enum mgr_cpupool_order order, const char *name,
                            const struct tune_set *cpus);
void cpupool_swap(void);

#endif
