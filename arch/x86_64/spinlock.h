/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ARCH_SPINLOCK_H
#define ARCH_SPINLOCK_H

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/insn.h"

/* Interrupts are off in ring 0, so a plain spinlock is enough. While spinning, a CPU still answers
 * TLB shoot-downs: their initiator may hold the lock. */
typedef struct {
    _Atomic uint32_t taken;
} spinlock_t;

void shootdown_poll(void); /* kernel/shootdown.c: an upward event, carries out a pending request */

static inline bool spin_trylock(spinlock_t *lock)
{
    return __atomic_exchange_n((uint32_t *)&lock->taken, 1, __ATOMIC_ACQUIRE) == 0;
}
static inline void spin_lock(spinlock_t *lock)
{
    while (unlikely(!spin_trylock(lock))) {
        while (__atomic_load_n((uint32_t *)&lock->taken, __ATOMIC_RELAXED)) {
            cpu_pause();
            shootdown_poll();
        }
    }
}
static inline void spin_unlock(spinlock_t *lock)
{
    __atomic_store_n((uint32_t *)&lock->taken, 0, __ATOMIC_RELEASE);
}
static inline bool spin_held(const spinlock_t *lock)
{
    return __atomic_load_n((const uint32_t *)&lock->taken, __ATOMIC_RELAXED) != 0;
}

#endif
