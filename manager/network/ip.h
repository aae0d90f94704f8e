/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's own IP stack: a process, started when the set's <host> has a <management> network,
 * watched, restarted. The manager answers its calls and signals it, and never waits for it. */
#ifndef MANAGER_NETWORK_IP_H
#define MANAGER_NETWORK_IP_H

#include <stdbool.h>
#include <stdint.h>
#include "abi/utcb.h"
#include "manager/definition/host_xml.h"
#include "manager/protocol.h"

/* Badge of its portal; VMMs count up from 1. */
#define IP_BADGE (1ull << 36)
/* Bit of the manager's notification for its faults. */
#define IP_FAULT_BIT (1ull << 63)

struct ip_setup {
    uint32_t portal, notif; /* the manager's */
    uint64_t boot_tsc;      /* the kernel log's times begin there */
    /* Makes room for so many bytes of kernel memory; NULL or why not. */
    const char *(*ensure_kernel_memory)(uint64_t quota);
};

/* What the set says of the host. NULL, or why it was not taken. */
const char *ip_define(const struct host_net *host);
/* After the networks are there. */
void ip_start(const struct ip_setup *setup);
/* Serves an enum ip_event; words of the answer. */
uint64_t ip_serve(struct utcb *utcb);
/* An operation of the console that the process may use, too. */
bool ip_may(uint64_t op);
/* Restarts it when it has ended or hangs; the TSC at which to be called again, 0: when its bit
 * comes. */
uint64_t ip_tick(uint64_t now);

void ip_describe(struct mgr_hostnet *out);
/* NULL and the job's number; or why not. */
const char *ip_ping(const char *host, uint64_t count, uint64_t *job);
/* How far it is; false: it is another job's turn. */
bool ip_pong(uint64_t job, struct ip_ping *out);

#endif
