/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/cpus.h"

#include <stddef.h>

/* The kernel's limit is the tables'; beyond this many CPUs the others carry no guests. */
#define CPUS_MAX DOMAIN_CPUSET_CPUS

static uint32_t cpu_count;
static uint32_t cpu_node[CPUS_MAX];
static uint32_t load[CPUS_MAX]; /* vCPUs on it */

void cpus_init(uint32_t count, const uint32_t *node)
{
    cpu_count = count < CPUS_MAX ? count : CPUS_MAX;
    for (uint32_t i = 0; i < cpu_count; i++) {
        cpu_node[i] = node[i];
        load[i] = 0;
    }
}

static bool allowed(const struct domain *domain, uint32_t cpu)
{
    return !domain->has_cpuset || (domain->cpuset[cpu / 64] >> cpu % 64 & 1);
}

const char *cpus_assign(const struct domain *domain, uint32_t *cpu)
{
    for (uint32_t i = 0; i < domain->vcpus; i++) {
        uint32_t best = cpu_count;
        for (uint32_t c = 0; c < cpu_count; c++) {
            if (allowed(domain, c) && (best == cpu_count || load[c] < load[best]))
                best = c;
        }
        if (best == cpu_count)
            return "this host has none of the CPUs in <vcpu cpuset=>";
        cpu[i] = best;
        load[best]++;
    }
    return NULL;
}

void cpus_release(const struct domain *domain, const uint32_t *cpu)
{
    for (uint32_t i = 0; i < domain->vcpus; i++)
        load[cpu[i]]--;
}

uint32_t cpus_node(uint32_t cpu)
{
    return cpu < cpu_count ? cpu_node[cpu] : 0;
}
