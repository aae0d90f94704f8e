/* SPDX-License-Identifier: BSD-2-Clause */
/* The console program: started, watched, restarted. */
#ifndef MANAGER_WATCH_H
#define MANAGER_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include "abi/kinfo.h"

/* Badge of the console's portal; VMMs count up from 1. */
#define CONSOLE_BADGE (1ull << 32)
/* Bit of the manager's notification for its faults; VMs have those below. */
#define CONSOLE_FAULT_BIT (1ull << 56)

struct watch_setup {
    const struct root_info *info;
    uint32_t portal, notif; /* the manager's */
    bool all;               /* console=all */
};

/* Takes ports, interrupts and screen; starts the console. The slot of its notification, which
 * outlives it, or 0 if there is no console (the log says why). */
uint32_t watch_start(const struct watch_setup *setup);
/* Restarts a console that has ended; returns the TSC at which to be called again, 0: when its bit
 * comes. */
uint64_t watch_tick(uint64_t now);
uint64_t watch_memory(void);

#endif
