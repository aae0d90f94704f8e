/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/cpus.h"

#include <stddef.h>

/* The kernel's limit is the tables'; beyond this many CPUs the others carry no guests. */
#define CPUS_MAX TUNE_CPUS

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

void cpus_assign(const struct tune *tune, uint32_t *cpu)
{
    for (uint32_t i = 0; i < tune->vcpus; i++) {
        struct tune_set set = tune_allowed(tune, i, NULL, NULL);
        uint32_t best = cpu_count;
        for (uint32_t c = 0; c < cpu_count; c++) {
            if (tune_set_has(&set, c) && (best == cpu_count || load[c] < load[best]))
                best = c;
        }
        cpu[i] = best < cpu_count ? best : 0;
        load[cpu[i]]++;
    }
}

void cpus_release(const uint32_t *cpu, uint32_t vcpus)
{
    for (uint32_t i = 0; i < vcpus; i++)
        load[cpu[i]]--;
}

struct tune_set cpus_host(void)
{
    struct tune_set set = {0};
    for (uint32_t i = 0; i < cpu_count; i++)
        set.word[i / 64] |= 1ull << i % 64;
    return set;
}

uint32_t cpus_node(uint32_t cpu)
{
    return cpu < cpu_count ? cpu_node[cpu] : 0;
}
