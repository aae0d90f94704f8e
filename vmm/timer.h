/* SPDX-License-Identifier: BSD-2-Clause */
/* One-shot timers in a binary heap: the earliest deadline is at the root. The heap holds pointers
 * into the devices; its size bounds how many timers a machine can have. */
#ifndef VMM_TIMER_H
#define VMM_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMERS_MAX 64u

struct dev_timer {
    void (*fire)(void *dev);
    void *dev;
    uint64_t deadline_ns;
    uint32_t place; /* 1 + index in the heap; 0: not armed */
};

struct timer_heap {
    struct dev_timer *timer[TIMERS_MAX];
    uint32_t count;
    uint64_t programmed_ns; /* what host_ops.timer_program() was told last */
};

void timer_heap_put(struct timer_heap *heap, struct dev_timer *timer, uint64_t deadline_ns);
void timer_heap_remove(struct timer_heap *heap, struct dev_timer *timer);
/* NULL: none. */
struct dev_timer *timer_heap_first(const struct timer_heap *heap);

#endif
