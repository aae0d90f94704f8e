/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls: arguments RDI RSI RDX R10 R8 R9, results RDI RSI, status RAX. A handler decodes and
 * checks everything first and changes nothing until it can no longer fail. A handler that put the
 * thread to sleep returns SYSCALL_BLOCKED; the waker fills the results. SYSCALL_RESTART: the work
 * was cut into steps, the instruction is run again after interrupts had their turn. */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include "kernel/pd.h"
#include "kernel/thread.h"

#define SYSCALL_BLOCKED 1000
#define SYSCALL_RESTART 1001

/* Every handler has this shape; prototypes are generated from the table. */
#define SYSCALL(number, name, locked, narrow) \
    int64_t sys_##name(struct thread *self, struct regs *r);
#include "kernel/syscall_table.inc"
#undef SYSCALL

/* Entered from entry.S with the thread's registers saved; returns the registers to load. */
struct regs *syscall_dispatch(void);

/* Argument decoding: defines a variable or returns the error from the handler. */
#define ARG_OBJECT(kind, var, slot, obj_type, need)                              \
    int64_t var##_status = OK;                                                   \
    kind *var = cap_object(self->pd, (slot), (obj_type), (need), &var##_status); \
    if (unlikely(!var))                                                          \
    return var##_status

/* A notification and the bits that the caller wants to be signalled there, now or later: only those
 * that the capability's badge lets it signal. */
#define ARG_NOTIF(var, slot, bits, need)                                                    \
    int64_t var##_status = OK;                                                              \
    uint64_t var##_badge;                                                                   \
    struct notif *var =                                                                     \
        cap_object_badge(self->pd, (slot), OBJ_NOTIF, (need), &var##_badge, &var##_status); \
    if (unlikely(!var))                                                                     \
        return var##_status;                                                                \
    const uint64_t var##_bits = notif_allowed(var##_badge, (bits))

#endif
