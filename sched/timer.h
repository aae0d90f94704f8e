/* SPDX-License-Identifier: BSD-2-Clause */
/* One-shot timers: a pairing heap a CPU, behind the APIC timer. */
#ifndef SCHED_TIMER_H
#define SCHED_TIMER_H

#include "arch/x86_64/spinlock.h"
#include "sched/heap.h"

struct timer {
    uint64_t deadline;                 /* absolute TSC */
    void (*fire)(struct timer *timer); /* on the CPU it was armed on, interrupts off, no lock held,
                                          disarmed before */
    struct heap_node node;
    struct cpu *_Atomic cpu; /* where it is armed; NULL: not armed */
};

void timer_init(struct timer *timer, void (*fire)(struct timer *));
/* Arms on this CPU (after disarming wherever it was). */
void timer_arm(struct timer *timer, uint64_t deadline);
/* From any CPU; afterwards fire() does not start any more (it may be running right now on the other
 * CPU). */
void timer_disarm(struct timer *timer);
/* VEC_TIMER: runs what is due, programs the next. */
void timer_interrupt(void);
bool timerq_init(struct cpu *cpu);

#endif
