/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's wall clock, as this process knows it: UTC as a line over the TSC. */
#ifndef NET_IP_CLOCK_H
#define NET_IP_CLOCK_H

#include <stdint.h>

/* Unix time in seconds at a TSC; 0: not known. */
void clock_init(uint64_t unix_s, uint64_t tsc);
void clock_set(uint64_t unix_ns, uint64_t tsc);
/* Nanoseconds since 1970; 0: not known. */
uint64_t clock_unix_ns(void);

#define CLOCK_HTTP   30u /* "Sun, 06 Nov 1994 08:49:37 GMT" */
#define CLOCK_SYSLOG 28u /* "2026-11-20T17:40:00.123456Z" */
/* RFC 9110, "Date/Time Formats"; RFC 5424, "TIMESTAMP", with microseconds. */
void clock_http(uint64_t unix_ns, char out[CLOCK_HTTP]);
void clock_syslog(uint64_t unix_ns, char out[CLOCK_SYSLOG]);

#endif
