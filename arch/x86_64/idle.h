/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ARCH_IDLE_H
#define ARCH_IDLE_H

/* Interrupts off on entry and on return. Waits for an interrupt, or for cpu->resched, and lets
 * pending interrupts in before it returns. The caller has looked at cpu->resched with interrupts
 * off. */
void idle_wait(void);

#endif
