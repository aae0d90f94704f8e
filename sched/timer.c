/* SPDX-License-Identifier: BSD-2-Clause */
#include "sched/timer.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/kmem.h"

/* Legend: (l) under lock. */
struct timerq {
    spinlock_t lock;
    struct timer *root;  /* (l) earliest deadline */
    uint64_t programmed; /* (l) what the APIC timer is set to */
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

static struct timer *meld(struct timer *a, struct timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->deadline < a->deadline) {
        struct timer *t = a;
        a = b;
        b = t;
    }
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

/* Two-pass pairing of a list of siblings. */
static struct timer *pair_up(struct timer *first)
{
    struct timer *pairs = NULL;
    while (first) {
        struct timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    struct timer *root = NULL;
    while (pairs) {
        struct timer *next = pairs->next;
        pairs->next = NULL;
        root = meld(root, pairs);
        pairs = next;
    }
    return root;
}

static void unlink_timer(struct timerq *q, struct timer *timer)
{
    struct timer *below = pair_up(timer->child);
    if (q->root == timer) {
        q->root = below;
    } else {
        if (timer->prev->child == timer)
            timer->prev->child = timer->next;
        else
            timer->prev->next = timer->next;
        if (timer->next)
            timer->next->prev = timer->prev;
        q->root = meld(q->root, below);
    }
    timer->child = timer->next = timer->prev = NULL;
}

/* Only the own CPU can program its APIC. A disarmed earliest timer leaves a spurious interrupt,
 * which costs less than reprogramming at each disarm. */
static void program(struct timerq *q)
{
    uint64_t want = q->root ? q->root->deadline : UINT64_MAX;
    if (want < q->programmed) {
        q->programmed = want;
        apic_timer_set(want);
    }
}

void timer_arm(struct timer *timer, uint64_t deadline)
{
    timer_disarm(timer);
    struct cpu *cpu = cpu_self();
    struct timerq *q = cpu->timerq;
    spin_lock(&q->lock);
    timer->deadline = deadline;
    timer->child = timer->next = timer->prev = NULL;
    q->root = meld(q->root, timer);
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
            unlink_timer(q, timer);
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
    while (q->root && q->root->deadline <= rdtsc()) {
        struct timer *timer = q->root;
        unlink_timer(q, timer);
        timer->cpu = NULL;
        spin_unlock(&q->lock);
        timer->fire(timer);
        spin_lock(&q->lock);
    }
    program(q);
    spin_unlock(&q->lock);
}
