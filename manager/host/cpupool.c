/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/host/cpupool.h"

#include <stdio.h>
#include <string.h>
#include "lib/cpulist.h"
#include "manager/definition/domain_value.h"

struct table {
    struct cpupool pool[CPUPOOLS_MAX];
    uint32_t count;
};

static struct table table_pair[2], *current = &table_pair[0], *prepared = &table_pair[1];
static struct tune_set all_cpus;
static char why_text[TUNE_WHY];

void cpupool_init(uint32_t count)
{
    all_cpus = (struct tune_set){{0}};
    current->count = 0;
    for (uint32_t i = 0; i < count && i < TUNE_CPUS; i++)
        all_cpus.word[i / 64] |= 1ull << i % 64;
}

uint32_t cpupool_count(void)
{
    return current->count;
}

const struct cpupool *cpupool_at(uint32_t index)
{
    return index < current->count ? &current->pool[index] : NULL;
}

static struct cpupool *pool_in(struct table *table, const char *name)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (!strcmp(table->pool[i].name, name))
            return &table->pool[i];
    }
    return NULL;
}

/* The CPUs in no pool. */
static struct tune_set rest(const struct table *table)
{
    struct tune_set set = all_cpus;
    for (uint32_t i = 0; i < table->count; i++) {
        for (uint32_t w = 0; w < TUNE_WORDS; w++)
            set.word[w] &= ~table->pool[i].cpus.word[w];
    }
    return set;
}

bool cpupool_cpus(const char *name, struct tune_set *cpus)
{
    const struct cpupool *pool = pool_in(current, name);
    *cpus = pool ? pool->cpus : rest(current);
    return pool || !name[0];
}

static const char *because(const char *format, const char *name, const struct tune_set *set)
{
    char list[CPULIST_TEXT] = "";
    if (set)
        cpulist_format(set->word, TUNE_CPUS, list, sizeof(list));
    snprintf(why_text, sizeof(why_text), format, name, list);
    return why_text;
}

/* CPUs that are to change their owner must all be its before. */
static const char *belong(const struct tune_set *cpus, const struct tune_set *owner,
                          const char *format, const char *name)
{
    struct tune_set lacking = {{0}};
    for (uint32_t w = 0; w < TUNE_WORDS; w++)
        lacking.word[w] = cpus->word[w] & ~owner->word[w];
    return tune_set_count(&lacking) ? because(format, name, &lacking) : NULL;
}

static const char *add_cpus(struct table *table, struct cpupool *pool, const struct tune_set *cpus)
{
    struct tune_set left = rest(table);
    const char *why =
        belong(cpus, &all_cpus, "CPU pool '%s': this host has no CPUs %s", pool->name);
    if (!why)
        why = belong(cpus, &left, "CPU pool '%s': another CPU pool has CPUs %s", pool->name);
    for (uint32_t w = 0; w < TUNE_WORDS && !why; w++)
        pool->cpus.word[w] |= cpus->word[w];
    left = rest(table);
    if (!why && !tune_set_count(&left))
        why = because("CPU pool '%s': CPUs %s are all that is left; one at least stays outside of "
                      "pools",
                      pool->name, cpus);
    return why;
}

static const char *take_cpus(struct cpupool *pool, const struct tune_set *cpus)
{
    const char *why = belong(cpus, &pool->cpus, "CPU pool '%s' has no CPUs %s", pool->name);
    for (uint32_t w = 0; w < TUNE_WORDS && !why; w++)
        pool->cpus.word[w] &= ~cpus->word[w];
    if (!why && !tune_set_count(&pool->cpus))
        why = because("CPU pool '%s' has only CPUs %s; cpupool-destroy ends it", pool->name, cpus);
    return why;
}

static const char *create_pool(struct table *table, const char *name, const struct tune_set *cpus)
{
    if (!value_word(name, TUNE_POOL))
        return because("\"%s\" is not a name of letters, digits or _-.+%s", name, NULL);
    if (pool_in(table, name))
        return because("CPU pool '%s' is there already%s", name, NULL);
    if (table->count == CPUPOOLS_MAX)
        return because("CPU pool '%s' is one too many%s", name, NULL);
    struct cpupool *pool = &table->pool[table->count++];
    *pool = (struct cpupool){{0}, {{0}}};
    memcpy(pool->name, name, strlen(name) + 1);
    return add_cpus(table, pool, cpus);
}

const char *cpupool_prepare(enum mgr_cpupool_order order, const char *name,
                            const struct tune_set *cpus)
{
    *prepared = *current;
    if (order == MGR_CPUPOOL_CREATE)
        return create_pool(prepared, name, cpus);
    struct cpupool *pool = pool_in(prepared, name);
    if (!pool)
        return because("there is no CPU pool '%s'%s", name, NULL);
    if (order == MGR_CPUPOOL_ADD)
        return add_cpus(prepared, pool, cpus);
    if (order == MGR_CPUPOOL_REMOVE)
        return take_cpus(pool, cpus);
    *pool = prepared->pool[--prepared->count];
    return NULL;
}

void cpupool_swap(void)
{
    struct table *other = current;
    current = prepared;
    prepared = other;
}
