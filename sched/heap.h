/* SPDX-License-Identifier: BSD-2-Clause */
/* Pairing heap: the least key is the root. Insertion is constant, removal logarithmic (amortised).
 * Keys are points in time that may wrap around: they are compared by their difference, so all in
 * one heap must lie within 2^63. */
#ifndef SCHED_HEAP_H
#define SCHED_HEAP_H

#include "lib/types.h"

struct heap_node {
    uint64_t key;
    struct heap_node *child, *next, *prev; /* prev: parent or left sibling */
};

static inline bool time_before(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b) < 0;
}
static inline uint64_t time_later(uint64_t a, uint64_t b)
{
    return time_before(a, b) ? b : a;
}

void heap_insert(struct heap_node **root, struct heap_node *node, uint64_t key);
void heap_remove(struct heap_node **root, struct heap_node *node);

#endif
