/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports of a switch that only notes what it is asked. */
#ifndef TESTS_UNIT_FAKE_NETPORT_H
#define TESTS_UNIT_FAKE_NETPORT_H

#include "manager/network/netport.h"

struct netport {
    bool open, attached;
    const void *owner;
    struct netport_request request;
    struct switch_port config;
    char network[SWITCH_NAME];
    uint64_t area;
    uint32_t changes;
};
static struct netport fake_ports[8];
static bool fake_switch_busy; /* it has not let go of closed ports */

const char *netport_open(const struct netport_request *r, struct netport **port,
                         struct netport_grant *grant)
{
    for (uint32_t i = 0; i < 8; i++) {
        struct netport *p = &fake_ports[i];
        if (p->open)
            continue;
        *p = (struct netport){.open = true, .owner = r->owner, .request = *r, .config = r->port};
        snprintf(p->network, sizeof(p->network), "%s", r->network);
        for (uint32_t n = 0; n < r->memory_count; n++)
            p->area += r->memory[n].size;
        *grant = (struct netport_grant){.channel = 3000 + i,
                                        .channel_bytes = frame_channel_bytes(r->pairs),
                                        .bell = 3100 + i,
                                        .bell_bits = 1ull << (16 + i)};
        *port = p;
        return NULL;
    }
    return "the switch has no more ports";
}

int64_t netport_attach(struct netport *port, uint32_t notif, uint64_t bits)
{
    port->attached = notif == 10 && bits == VMM_CTL_NET;
    return port->attached ? 0 : -1;
}

void netport_change(struct netport *port, const struct switch_port *to)
{
    port->config = *to;
    port->changes++;
}

const struct switch_port *netport_config(const struct netport *port)
{
    return &port->config;
}

void netport_stats(const struct netport *port, uint64_t stat[SWITCH_PORT_STATS])
{
    stat[SWITCH_RX_FRAMES] = (uint64_t)(port - fake_ports) + 100;
}

bool netport_close_all(const void *owner)
{
    bool busy = false;
    for (uint32_t i = 0; i < 8; i++) {
        if (!fake_ports[i].open || fake_ports[i].owner != owner)
            continue;
        fake_ports[i].open = fake_switch_busy;
        busy |= fake_switch_busy;
    }
    return busy;
}

#endif
