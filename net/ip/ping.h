/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP echo requests for the console, one job at a time. */
#ifndef NET_IP_PING_H
#define NET_IP_PING_H

#include <stdint.h>
#include "net/ip/protocol.h"

/* Begins; what was under way is given up. */
void ping_begin(uint64_t job, const char *host, uint32_t count);
/* Returns when to be called again, ns; 0: there is nothing to do. */
uint64_t ping_run(uint64_t now_ns);
const struct ip_ping *ping_state(void);

#endif
