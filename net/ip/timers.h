/* SPDX-License-Identifier: BSD-2-Clause */
/* lwIP's clocks. Its own list of timers wakes up ten times a second for ever; here ticks of half a
 * second do, and quarters while there are TCP connections. */
#ifndef NET_IP_TIMERS_H
#define NET_IP_TIMERS_H

#include <stdint.h>

void timers_init(uint64_t now_ns);
/* Runs what is due. Returns when to be called again, ns. */
uint64_t timers_run(uint64_t now_ns);

#endif
