/* SPDX-License-Identifier: BSD-2-Clause */
/* In place of the generated stubs, whose instruction would reach the host's kernel: include this
 * before the runtime's .c files, and define what they call. */
#ifndef USER_SYSCALL_STUBS_H
#define USER_SYSCALL_STUBS_H

#include <stdint.h>

int64_t sys_cap_delete(uint32_t pd, uint32_t slot);
int64_t sys_notif_create(uint32_t dst);
int64_t sys_notif_signal(uint32_t notif, uint64_t bits);
int64_t sys_sc_bill(uint32_t notif);
int64_t sys_notif_wait(uint32_t notif, uint64_t deadline, uint64_t *bits_out);
int64_t sys_thread_yield(void);

#endif
