/* SPDX-License-Identifier: BSD-2-Clause */
/* 0 free, 1 taken, 2 taken and maybe waited for. Whoever has slept takes it as 2, because others
 * may sleep still: each unlock then wakes one. A signal that nobody waited for stays pending in the
 * notification and costs the next waiter one more turn. */
#include "user/program.h"
#include "user/syscall_stubs.h"
#include "abi/status.h"

#define MUTEX_WAKE 1u

/* The notification's slot; 0 when the kernel has no room for one. */
static uint32_t mutex_notif(struct mutex *mutex)
{
    uint32_t notif = __atomic_load_n(&mutex->notif, __ATOMIC_ACQUIRE);
    if (notif)
        return notif;
    uint32_t fresh = slot_alloc();
    if (fresh == 0)
        return 0;
    if (sys_notif_create(fresh) != OK) {
        slot_free(fresh);
        return 0;
    }
    if (__atomic_compare_exchange_n(&mutex->notif, &notif, fresh, 0, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return fresh;
    slot_free(fresh); /* another thread was first */
    return notif;
}

/* Until it is ours. */
void mutex_sleep(struct mutex *mutex)
{
    uint32_t notif = mutex_notif(mutex);
    while (__atomic_exchange_n(&mutex->state, 2, __ATOMIC_ACQUIRE) != 0) {
        uint64_t bits;
        if (notif == 0 || sys_notif_wait(notif, 0, &bits) != OK)
            sys_thread_yield();
    }
}

void mutex_wake(struct mutex *mutex)
{
    uint32_t notif = __atomic_load_n(&mutex->notif, __ATOMIC_ACQUIRE);
    if (notif)
        sys_notif_signal(notif, MUTEX_WAKE);
}
