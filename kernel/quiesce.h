/* SPDX-License-Identifier: BSD-2-Clause */
/* When may an object's memory be reused? Fast system calls and the exit loop read capability slots
 * and use objects without a lock, inside a section: cpu->section is odd from kernel entry to kernel
 * exit, idle, or the exit loop's own quiescent points. Structural calls take the object lock
 * *before* they look anything up and count as quiescent while they wait for it. So an initiator
 * that holds the object lock, has emptied the slots, and then sees every other CPU's section even
 * or changed, knows that nobody holds a stale pointer. (The idea is RCU's, made synchronous:
 * deletion is rare and may wait.) */
#ifndef KERNEL_QUIESCE_H
#define KERNEL_QUIESCE_H

#include "arch/x86_64/cpu.h"

static inline void section_enter(struct cpu *cpu)
{
    /* seq_cst partner: quiesce()'s loads. */
    __atomic_fetch_add((uint32_t *)&cpu->section, 1, __ATOMIC_SEQ_CST);
}
static inline void section_leave(struct cpu *cpu)
{
    __atomic_fetch_add((uint32_t *)&cpu->section, 1, __ATOMIC_RELEASE);
}
/* Own CPU, holding no looked-up pointer but referenced objects. */
static inline void section_pass(struct cpu *cpu)
{
    __atomic_fetch_add((uint32_t *)&cpu->section, 2, __ATOMIC_SEQ_CST);
}
/* Waits until every other CPU has left the section it is in now; kicks those in a guest. Object
 * lock held. */
void quiesce(void);

#endif
