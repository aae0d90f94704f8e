/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/timer.h"
#include "user/program.h"

static void place(struct timer_heap *heap, uint32_t i, struct dev_timer *timer)
{
    heap->timer[i] = timer;
    timer->place = i + 1;
}

static void sift_up(struct timer_heap *heap, uint32_t i, struct dev_timer *timer)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / 2;
        if (heap->timer[parent]->deadline_ns <= timer->deadline_ns)
            break;
        place(heap, i, heap->timer[parent]);
        i = parent;
    }
    place(heap, i, timer);
}

static void sift_down(struct timer_heap *heap, uint32_t i, struct dev_timer *timer)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count &&
            heap->timer[child + 1]->deadline_ns < heap->timer[child]->deadline_ns)
            child++;
        if (timer->deadline_ns <= heap->timer[child]->deadline_ns)
            break;
        place(heap, i, heap->timer[child]);
        i = child;
    }
    place(heap, i, timer);
}

void timer_heap_remove(struct timer_heap *heap, struct dev_timer *timer)
{
    if (timer->place == 0)
        return;
    uint32_t i = timer->place - 1;
    timer->place = 0;
    struct dev_timer *last = heap->timer[--heap->count];
    if (last == timer)
        return;
    if (last->deadline_ns < timer->deadline_ns)
        sift_up(heap, i, last);
    else
        sift_down(heap, i, last);
}

void timer_heap_put(struct timer_heap *heap, struct dev_timer *timer, uint64_t deadline_ns)
{
    timer_heap_remove(heap, timer);
    if (heap->count == TIMERS_MAX)
        fatal("more than %u device timers", TIMERS_MAX);
    timer->deadline_ns = deadline_ns;
    sift_up(heap, heap->count++, timer);
}

struct dev_timer *timer_heap_first(const struct timer_heap *heap)
{
    return heap->count ? heap->timer[0] : NULL;
}
