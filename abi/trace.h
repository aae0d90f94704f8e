/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's trace of scheduling events: a ring for each CPU, written by that CPU only. Off until
 * MACHINE_TRACE or the word "trace" on the command line switches it on. */
#ifndef ABI_TRACE_H
#define ABI_TRACE_H

#include <stdint.h>
#include "abi/utcb.h"

#define TRACE_ENTRIES 2048u /* a CPU keeps the newest of its events */

enum trace_event {
    TRACE_NONE,
    TRACE_RUN,       /* the context runs on `cpu` from now on */
    TRACE_IDLE,      /* nothing does; sc is 0 */
    TRACE_READY,     /* its thread can run; `cpu`: where it is queued */
    TRACE_BLOCK,     /* its thread cannot run any more */
    TRACE_THROTTLE,  /* its budget is used up */
    TRACE_REPLENISH, /* it has a budget again */
    TRACE_EVENTS
};

struct trace_entry {
    uint64_t tsc;
    uint32_t sc; /* sc_info.id */
    uint16_t event;
    uint16_t cpu;
};
_Static_assert(sizeof(struct trace_entry) == 16, "two words of the UTCB");

/* MACHINE_TRACE_READ, arg: CPU | position << 16, where position counts the CPU's events since the
 * start. Into the UTCB: the oldest ones kept from there on. */
struct trace_reply {
    uint64_t count;
    uint64_t next; /* position behind them; equal to the one asked for: no more */
    struct trace_entry entry[(UTCB_WORDS - 2) / 2];
};
_Static_assert(sizeof(struct trace_reply) <= UTCB_WORDS * 8, "fits into the UTCB");

#endif
