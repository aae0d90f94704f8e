/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of the kernel log as messages of RFC 5424, over UDP (RFC 5426). */
#ifndef NET_IP_SYSLOG_H
#define NET_IP_SYSLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "net/ip/protocol.h"

#define SYSLOG_MESSAGE                                                         \
    1024u /* RFC 5426: what every receiver should take is 480, and 2048 better \
           */

struct syslog_host {
    const char *name; /* of this host; empty: none */
    uint64_t boot_ns; /* Unix time at which the log's times begin; 0: not known */
};
/* A line of the kernel log, without its newline, as a message; its length. 0: an empty line. */
size_t syslog_format(const struct syslog_host *host, const char *line, size_t length,
                     char out[SYSLOG_MESSAGE]);

/* position: where in the log to begin. */
void syslog_start(const struct ip_config *config, uint64_t position);
/* Returns when to be called again, ns; 0: never. */
uint64_t syslog_run(uint64_t now_ns, bool is_up);
/* How far the log has been sent. */
uint64_t syslog_position(void);
void syslog_counts(uint64_t count[IP_COUNTS]);

#endif
