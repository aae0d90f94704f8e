/* SPDX-License-Identifier: BSD-2-Clause */
#include "sched/timer.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/kmem.h"

/* Legend: (l) under lock. */
struct timerq {
    spinlock_t lock;
    struct heap_node *root; /* (l) earliest deadline */
    uint64_t programmed;    /* (l) what the APIC timer is set to */
};

bool timerq_init(struct cpu *cpu)
{
    cpu->timerq = kmem_pages(0);
    if (cpu->timerq)
        cpu->timerq->programmed = UINT64_MAX;
    return cpu->timerq != NULL;
}

void timer_init(struct timer *timer, void (*fire)(struct timer *))
{
    *timer = (struct timer){.fire = fire};
}

/* Only the own CPU can program its APIC. A disarmed earliest timer leaves a spurious interrupt,
 * which costs less than reprogramming at each disarm. */
static void program(struct timerq *q)
{
    uint64_t want = q->root ? q->root->key : UINT64_MAX;
    if (want < q->programmed) {
        q->programmed = want;
        apic_timer_set(want);
    }
}

void timer_arm(struct timer *timer, uint64_t deadline)
{
    struct cpu *cpu = cpu_self();
    struct timerq *q = cpu->timerq;
    if (timer->cpu && timer->cpu != cpu)
        timer_disarm(timer);
    spin_lock(&q->lock);
    if (timer->cpu)
        heap_remove(&q->root, &timer->node);
    timer->deadline = deadline;
    heap_insert(&q->root, &timer->node, MIN(deadline, (uint64_t)INT64_MAX)); /* far enough */
    timer->cpu = cpu;
    program(q);
    spin_unlock(&q->lock);
}

void timer_disarm(struct timer *timer)
{
    for (struct cpu *cpu = timer->cpu; cpu; cpu = timer->cpu) {
        struct timerq *q = cpu->timerq;
        spin_lock(&q->lock);
        bool here = timer->cpu == cpu; /* else it fired or moved meanwhile */
        if (here) {
            heap_remove(&q->root, &timer->node);
            timer->cpu = NULL;
        }
        spin_unlock(&q->lock);
        if (here)
            return;
    }
}

void timer_interrupt(void)
{
    struct timerq *q = cpu_self()->timerq;
    spin_lock(&q->lock);
    q->programmed = UINT64_MAX;
    while (q->root && q->root->key <= rdtsc()) {
        struct timer *timer = container_of(q->root, struct timer, node);
        heap_remove(&q->root, &timer->node);
        timer->cpu = NULL;
        spin_unlock(&q->lock);
        timer->fire(timer);
        spin_lock(&q->lock);
    }
    program(q);
    spin_unlock(&q->lock);
}
