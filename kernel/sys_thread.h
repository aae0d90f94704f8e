/* SPDX-License-Identifier: BSD-2-Clause */
/* Making threads, for the system calls and for the root task. */
#ifndef KERNEL_SYS_THREAD_H
#define KERNEL_SYS_THREAD_H

#include "kernel/pd.h"
#include "kernel/thread.h"

struct thread *thread_new(struct pd *payer, struct pd *pd, uint64_t utcb_va, int64_t *status);
void thread_set_entry(struct thread *thread, uint64_t rip, uint64_t rsp, uint64_t arg);
struct sc_object *sc_new(struct pd *payer, uint32_t cpu, uint32_t priority, uint64_t budget_us,
                         uint64_t period_us, int64_t *status);
void sc_bind(struct sc_object *sc, struct thread *thread);

#endif
