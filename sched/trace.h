/* SPDX-License-Identifier: BSD-2-Clause */
/* Scheduling events as they happen, for abi/trace.h. Costs one load and a branch while off. */
#ifndef SCHED_TRACE_H
#define SCHED_TRACE_H

#include "abi/trace.h"
#include "lib/types.h"

extern uint32_t trace_on;

/* Own CPU, interrupts off. */
void trace_put(enum trace_event event, uint32_t sc, uint32_t cpu);
static inline void trace(enum trace_event event, uint32_t sc, uint32_t cpu)
{
    /* Partner: trace_switch(); the rings are there when it is seen on. */
    if (__builtin_expect(__atomic_load_n(&trace_on, __ATOMIC_ACQUIRE), 0))
        trace_put(event, sc, cpu);
}

/* false: no memory for the rings; they stay when it is switched off, and can be read. Object lock,
 * or one CPU only. */
bool trace_switch(bool on);
/* Copies events of a CPU from `position` on. */
void trace_read(uint32_t cpu, uint64_t position, struct trace_reply *reply);

#endif
