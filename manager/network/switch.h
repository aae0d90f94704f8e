/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtual switch: one process for all networks, started when the set has some, watched,
 * restarted. The manager answers its calls and signals it, and never waits for it. */
#ifndef MANAGER_NETWORK_SWITCH_H
#define MANAGER_NETWORK_SWITCH_H

#include <stdbool.h>
#include <stdint.h>
#include "abi/utcb.h"
#include "net/switch/protocol.h"

/* Badge of its portal; drivers' are below, VMMs count up from 1. */
#define SWITCH_BADGE (1ull << 34)
/* Bit of the manager's notification for its faults. */
#define SWITCH_FAULT_BIT (1ull << 61)

struct switch_setup {
    uint32_t portal, notif; /* the manager's */
    /* Makes room for so many bytes of kernel memory; NULL or why not. */
    const char *(*ensure_kernel_memory)(uint64_t quota);
};

/* After the set has been read. */
void switch_start(const struct switch_setup *setup);
/* Slot of its notification, which outlives the process; 0: there is no switch. */
uint32_t switch_notif(void);
/* What it writes of itself; NULL: there is no switch. */
const struct switch_status *switch_status(void);
/* CPU time of the present process, ns. */
uint64_t switch_time_ns(void);
/* There is something to tell it. */
void switch_job(void);
/* The ports need so many bytes of page tables there. NULL, or why it cannot have them. */
const char *switch_allow_tables(uint64_t bytes);
/* Serves a call (net/switch/protocol.h); words and capabilities << 32 of the answer. */
uint64_t switch_serve(struct utcb *utcb);
/* Restarts it when it has ended or hangs; the TSC at which to be called again, 0: when its bit
 * comes. */
uint64_t switch_tick(uint64_t now);

#endif
