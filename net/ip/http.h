/* SPDX-License-Identifier: BSD-2-Clause */
/* The HTTP server: /healthz and /metrics, a connection for each answer. Connections, their memory
 * and their time are bounded: when all are taken, the one that says least goes. */
#ifndef NET_IP_HTTP_H
#define NET_IP_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include "net/ip/figures.h"

#define HTTP_CONNECTIONS 8u
#define HTTP_HALF_OPEN   256u

/* False: the port cannot be opened. */
bool http_start(uint16_t port);
/* After each batch of frames: half-open connections beyond HTTP_HALF_OPEN go, the oldest first. */
void http_trim(void);
/* Carries on with what waits; returns when to be called again, ns, 0: when something comes. */
uint64_t http_run(uint64_t now_ns);
/* IP_COUNT_REQUESTS to IP_COUNT_HALF_OPEN. */
void http_counts(uint64_t count[IP_COUNTS]);

/* What the process says of itself, for a picture: unix_ns, ntp_synced, own. stack.c has it. */
void http_own_figures(struct figures *figures);

#endif
