/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/bell.h"

#include "abi/status.h"

int64_t bell_wait(struct bell *bell, uint32_t own, uint64_t *bits)
{
    uint32_t notif = bell->notif;
    bell->notif = 0;
    if (!notif)
        return sys_notif_wait(own, 0, bits);
    int64_t status = sys_notif_signal_wait(own, 0, notif, bell->bits, bits);
    /* A peer that is gone is no reason not to wait. */
    return status == OK ? OK : sys_notif_wait(own, 0, bits);
}
