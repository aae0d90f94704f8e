/* SPDX-License-Identifier: BSD-2-Clause */
/* Doorbells: guest writes that signal a notification instead of returning to the VMM. */
#ifndef VIRT_DOORBELL_H
#define VIRT_DOORBELL_H

#include "lib/types.h"

#define DOORBELL_BUCKETS 64u
#define DOORBELL_MAX     512u /* of one guest */

struct notif;
struct obj;

struct doorbell {
    struct doorbell *next; /* atomic: changed under the object lock, read without */
    uint64_t address;
    uint64_t value;
    uint32_t kind; /* DOORBELL_PIO or DOORBELL_MMIO */
    bool match;
    struct notif *notif; /* referenced */
    uint64_t bits;
};

struct doorbell_table {
    struct doorbell *bucket[DOORBELL_BUCKETS];
    uint32_t count;
};

static inline uint32_t doorbell_hash(uint32_t kind, uint64_t address)
{
    return (uint32_t)(address ^ (address >> 12) ^ (kind << 5)) % DOORBELL_BUCKETS;
}
/* False, for nearly every place: nothing is there. */
static inline bool doorbell_may_ring(const struct doorbell_table *table, uint32_t kind,
                                     uint64_t address)
{
    return __atomic_load_n(&table->bucket[doorbell_hash(kind, address)], __ATOMIC_RELAXED) != NULL;
}
/* Signals the doorbell for a write of `value` to that place; false: there is none. */
bool doorbell_ring(const struct doorbell_table *table, uint32_t kind, uint64_t address,
                   uint64_t value);
/* A doorbell at that place exists that does not look at the value. */
bool doorbell_ring_any(const struct doorbell_table *table, uint32_t kind, uint64_t address);

/* Kernel memory that one takes; who adds and frees them has it charged. */
uint64_t doorbell_cost(void);
/* Under the object lock. */
int64_t doorbell_add(struct doorbell_table *table, const struct doorbell *model);
/* Unlinked, to be freed after quiesce(); NULL: not there. */
struct doorbell *doorbell_remove(struct doorbell_table *table, const struct doorbell *model);
void doorbell_free(struct doorbell *bell);
void doorbell_free_all(struct doorbell_table *table);

#endif
