/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/host/cpus.h"

#include <stdio.h>
#include <string.h>
#include "lib/cpulist.h"
#include "manager/host/cpupool.h"
#include "manager/host/numa.h"

/* The kernel's limit is the tables'; beyond this many CPUs the others carry no guests. */
#define CPUS_MAX TUNE_CPUS

static uint32_t cpu_count;
static uint32_t cpu_node[CPUS_MAX];
static struct tune_set offline, guests;
static uint32_t toggled;
static uint32_t load[CPUS_MAX]; /* vCPUs on it */

void cpus_init(uint32_t count, const uint32_t *node)
{
    cpu_count = count < CPUS_MAX ? count : CPUS_MAX;
    for (uint32_t i = 0; i < cpu_count; i++) {
        cpu_node[i] = node[i];
        load[i] = 0;
    }
    cpupool_init(cpu_count);
    offline = (struct tune_set){{0}};
    guests = cpus_host();
}

/* As tune_allowed(), but real. */
static struct tune_set usable(const struct tune *tune, uint32_t i)
{
    struct tune_set mine = cpus_of(tune), online = cpus_online();
    struct tune_set set = tune_allowed(tune, i, NULL, NULL), real;
    online = tune_set_both(&mine, &online);
    set = tune_set_both(&mine, &set);
    real = tune_set_both(&set, &online);
    return !tune_set_count(&real) && tune_set_count(&online) ? online : set;
}

/* Node of the guest's memory, as far as it is known before the first vCPU has a place. */
static uint32_t home_node(const struct tune *tune, uint32_t i, const uint32_t *cpu)
{
    if (tune->numa != TUNE_NUMA_NONE)
        return (uint32_t)__builtin_ctzll(tune->nodes);
    return i ? cpus_node(cpu[0]) : NUMA_NO_NODE;
}

void cpus_assign(const struct tune *tune, uint32_t *cpu)
{
    for (uint32_t i = 0; i < tune->vcpus; i++) {
        struct tune_set set = usable(tune, i);
        uint32_t home = home_node(tune, i, cpu), best = cpu_count, best_way = 0;
        for (uint32_t c = 0; c < cpu_count; c++) {
            uint32_t way = numa_distance(home, cpu_node[c]);
            if (!tune_set_has(&set, c) || (best < cpu_count && load[c] > load[best]) ||
                (best < cpu_count && load[c] == load[best] && way >= best_way))
                continue;
            best = c;
            best_way = way;
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

struct tune_set cpus_of(const struct tune *tune)
{
    struct tune_set pool;
    if (!cpupool_cpus(tune->pool, &pool))
        pool = (struct tune_set){{0}};
    return tune_set_both(&pool, &guests);
}

static bool fault_in_pool(const struct tune *tune, struct tune_fault *fault, const char *format)
{
    *fault = (struct tune_fault){.line = tune->pool_line, .path = TUNE_PATH_POOL};
    snprintf(fault->why, sizeof(fault->why), format, tune->pool);
    return false;
}

/* What is not to be had because of CPU pools is said so. */
static void mention_pools(const struct tune *tune, struct tune_fault *fault)
{
    struct tune_fault ignored;
    struct tune_set pools = guests, mine = cpus_of(tune);
    char list[CPULIST_TEXT];
    size_t used = strlen(fault->why);
    if (tune->pool[0] || !tune_check(tune, &guests, &ignored))
        return;
    for (uint32_t i = 0; i < TUNE_WORDS; i++)
        pools.word[i] &= ~mine.word[i];
    cpulist_format(pools.word, TUNE_CPUS, list, sizeof(list));
    snprintf(fault->why + used, sizeof(fault->why) - used, "; CPUs %s are CPU pools'", list);
}

bool cpus_check(const struct tune *tune, struct tune_fault *fault)
{
    struct tune_set mine, online;
    if (!cpupool_cpus(tune->pool, &mine))
        return fault_in_pool(tune, fault, "there is no CPU pool '%s'");
    mine = cpus_of(tune);
    online = cpus_online();
    online = tune_set_both(&mine, &online);
    if (tune->pool[0] && !tune_set_count(&mine))
        return fault_in_pool(tune, fault,
                             "CPU pool '%s' has only second threads of cores, which core "
                             "scheduling keeps guests from");
    if (tune->pool[0] && !tune_set_count(&online))
        return fault_in_pool(tune, fault, "CPU pool '%s' has no CPU that is online");
    if (!tune_set_count(&online)) {
        *fault = (struct tune_fault){
            .line = 1, .path = "vcpu", .why = "no CPU that guests may use is online"};
        return false;
    }
    if (tune_check(tune, &mine, fault))
        return true;
    mention_pools(tune, fault);
    return false;
}

void cpus_limit(const struct tune_set *set)
{
    for (uint32_t i = 0; i < TUNE_WORDS; i++)
        guests.word[i] &= set->word[i];
}

void cpus_params(const struct tune *tune, uint32_t i, struct sc_params *params)
{
    struct tune_set set = usable(tune, i);
    tune_params(tune, i, params);
    memcpy(params->affinity, set.word, sizeof(params->affinity));
}

struct tune_set cpus_online(void)
{
    struct tune_set set = cpus_host();
    for (uint32_t i = 0; i < TUNE_WORDS; i++)
        set.word[i] &= ~offline.word[i];
    return set;
}

void cpus_prepare(uint32_t cpu)
{
    toggled = cpu;
}

void cpus_toggle(void)
{
    offline.word[toggled / 64] ^= 1ull << toggled % 64;
}

uint32_t cpus_node(uint32_t cpu)
{
    return cpu < cpu_count ? cpu_node[cpu] : 0;
}
