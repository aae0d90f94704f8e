/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ARCH_IDLE_H
#define ARCH_IDLE_H

#include "arch/x86_64/cpu.h"
#include "lib/types.h"

#define IDLE_POLL_US 200u

extern uint64_t idle_poll_most; /* TSC, constant after start; 0: no CPU polls */

/* Interrupts off on entry and on return. Waits for an interrupt, or for cpu->resched, and lets
 * pending interrupts in before it returns. The caller has looked at cpu->resched with interrupts
 * off. */
void idle_wait(void);
/* The same at no cost but the CPU's time: looks at cpu->resched for cpu->poll_tsc from `start` on.
 */
void idle_poll(struct cpu *cpu, uint64_t start);
/* How long to look the next time, after `idled` cycles. An idle time that a longer look would have
 * covered makes it grow, one that none could ends it: who sleeps long pays nothing. */
static inline uint64_t idle_window(uint64_t window, uint64_t idled, uint64_t most)
{
    if (idled > most)
        return 0;
    return idled <= window ? window : MIN(MAX(2 * window, most / 16), most);
}

#endif
