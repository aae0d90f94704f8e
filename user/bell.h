/* SPDX-License-Identifier: BSD-2-Clause */
/* A signal that waits for its thread to wait: one system call does both, and whoever is woken runs
 * once, when this thread has stopped, not in between. One thread's own; for any other a signal is
 * sent at once. Its thread calls bell_wait() soon, and bell_flush() before it waits for anything
 * else. */
#ifndef USER_BELL_H
#define USER_BELL_H

#include "user/program.h"
#include "user/syscall_stubs.h"

struct bell {
    const struct utcb *owner;
    uint32_t notif; /* whom to signal; 0: nobody */
    uint64_t bits;
};

static inline void bell_flush(struct bell *bell)
{
    if (bell->notif)
        sys_notif_signal(bell->notif, bell->bits);
    bell->notif = 0;
}

/* bell: NULL: at once. */
static inline void bell_signal(struct bell *bell, uint32_t notif, uint64_t bits)
{
    if (!bell || bell->owner != utcb_self()) {
        sys_notif_signal(notif, bits);
        return;
    }
    if (bell->notif == notif)
        bits |= bell->bits;
    else
        bell_flush(bell);
    bell->notif = notif;
    bell->bits = bits;
}

/* As notif_wait of `own`, without a deadline. */
int64_t bell_wait(struct bell *bell, uint32_t own, uint64_t *bits);

#endif
