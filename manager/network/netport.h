/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports of the virtual switch, as the manager hands them out to guests' interfaces, NIC drivers and
 * the host's IP stack. A port's channel belongs to its owner and outlives the switch: the switch
 * that comes next gets it again. The channel's memory, and the area, are free for others when the
 * switch has said so, or is dead. */
#ifndef MANAGER_NETWORK_NETPORT_H
#define MANAGER_NETWORK_NETPORT_H

#include <stdbool.h>
#include <stdint.h>
#include "manager/host/physmem.h"
#include "net/switch/protocol.h"

struct netport;

struct netport_request {
    const void *owner;              /* for netport_close_all() */
    const char *network;            /* name of a <network> */
    struct switch_port port;        /* `network` (the index) is filled in by netport_open() */
    uint32_t pairs;                 /* 1..FRAME_PAIRS_MAX */
    const struct mem_block *memory; /* the area: the owner's, lives until the port is closed */
    uint32_t memory_count;          /* 1..SWITCH_MEMORIES_MAX */
};

/* What the owner's program is given. */
struct netport_grant {
    uint32_t channel; /* slot of the manager: memory, struct frame_channel; copied to the owner */
    uint64_t channel_bytes;
    uint32_t bell; /* slot of the manager: the switch's notification, to signal `bell_bits` */
    uint64_t bell_bits;
};

/* NULL and the port, or why not (static text until the next call). */
const char *netport_open(const struct netport_request *request, struct netport **port,
                         struct netport_grant *grant);
/* The owner's program exists: the switch is told, and signals `bits` at `notif` (the manager's
 * slot). Status of the copy. */
int64_t netport_attach(struct netport *port, uint32_t notif, uint64_t bits);
/* Changes link, filters, rates, VLANs while the port is attached. */
void netport_change(struct netport *port, const struct switch_port *to);
/* A copy of all that the port sends and is sent goes to another of its network; NULL: to none. */
void netport_mirror(const struct netport *of, const struct netport *to);
bool netport_mirrors_to(const struct netport *of, const struct netport *to);
const struct switch_port *netport_config(const struct netport *port);
/* Port number `index` of the switch; NULL: it is free. */
const struct netport *netport_at(uint32_t index);
/* The switch serves it. */
bool netport_is_attached(const struct netport *port);
/* By enum switch_stat. */
void netport_stats(const struct netport *port, uint64_t stat[SWITCH_PORT_STATS]);
/* Closes what the owner has; true while some of it is still with the switch. */
bool netport_close_all(const void *owner);

#endif
