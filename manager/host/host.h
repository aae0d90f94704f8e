/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's own end: guests are asked to shut down, then it powers off or restarts. */
#ifndef MANAGER_HOST_HOST_H
#define MANAGER_HOST_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include "manager/protocol.h"

void host_init(uint32_t machine_slot, bool off_when_idle);
/* Begins; force: without waiting for the guests. */
void host_stop(enum mgr_host how, bool force);
/* Carries on with what has begun. Returns the TSC at which to be called again, 0: never. */
uint64_t host_tick(uint64_t now);
/* Prints why and stands still: the boot cannot go on. */
_Noreturn void host_halt(const char *why);

#endif
