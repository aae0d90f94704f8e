/* SPDX-License-Identifier: BSD-2-Clause */
/* What this process says to the kernel and to the manager. Apart from the files that know lwIP,
 * whose names for errors are the ABI's, too. */
#ifndef NET_IP_PARENT_H
#define NET_IP_PARENT_H

#include <stdbool.h>
#include <stdint.h>
#include "net/ip/config.h"

/* Calls the manager: an enum ip_event, or an enum mgr_op with a number and a name (NULL: none). The
 * answer stands in the UTCB. False: it is no. */
bool parent_call(uint32_t op, uint64_t a, uint64_t b, const char *name);
/* mr[i] of the answer, and what stands from mr[IP_PAYLOAD] on. */
uint64_t parent_number(uint32_t i);
const void *parent_payload(void);

/* Maps a memory of the configuration; what: for the message if that fails, which is the end. */
void *parent_map(uint32_t slot, uint64_t va, uint64_t size, const char *what);
/* Sleeps until signalled, or until time_ns() is ns; the bits. */
uint64_t parent_sleep(uint64_t ns);

#endif
