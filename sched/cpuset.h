/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of CPUs. Those of one context are under its lock; the machine-wide ones are changed bit by
 * bit from any CPU, and what is read there is a hint. */
#ifndef SCHED_CPUSET_H
#define SCHED_CPUSET_H

#include "lib/types.h"

#define SCHED_CPUS   1024u
#define CPUSET_WORDS (SCHED_CPUS / 64)

struct cpuset {
    uint64_t word[CPUSET_WORDS];
};

static inline bool cpuset_has(const struct cpuset *set, uint32_t cpu)
{
    return __atomic_load_n(&set->word[cpu / 64], __ATOMIC_RELAXED) >> cpu % 64 & 1;
}
static inline void cpuset_add(struct cpuset *set, uint32_t cpu)
{
    __atomic_fetch_or(&set->word[cpu / 64], 1ull << cpu % 64, __ATOMIC_SEQ_CST);
}
/* true: it was in, and only this caller took it out. */
static inline bool cpuset_take(struct cpuset *set, uint32_t cpu)
{
    uint64_t bit = 1ull << cpu % 64;
    return (__atomic_fetch_and(&set->word[cpu / 64], ~bit, __ATOMIC_SEQ_CST) & bit) != 0;
}
/* First CPU from `from` on that is in both; SCHED_CPUS: none. */
static inline uint32_t cpuset_next_both(const struct cpuset *a, const struct cpuset *b,
                                        uint32_t from, uint32_t limit)
{
    for (uint32_t cpu = from; cpu < limit; cpu = (cpu | 63) + 1) {
        uint64_t both = __atomic_load_n(&a->word[cpu / 64], __ATOMIC_RELAXED) &
                        __atomic_load_n(&b->word[cpu / 64], __ATOMIC_RELAXED);
        both &= ~0ull << cpu % 64;
        if (both) {
            cpu = (cpu & ~63u) + (uint32_t)__builtin_ctzll(both);
            return cpu < limit ? cpu : SCHED_CPUS;
        }
    }
    return SCHED_CPUS;
}

#endif
