/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/rpc/rpc_network.h"

#include <stdio.h>
#include <string.h>
#include "abi/status.h"
#include "manager/network/capture.h"
#include "manager/network/netport.h"
#include "manager/network/network.h"
#include "manager/protocol.h"
#include "manager/network/switch.h"

static uint32_t count_ports(uint32_t network)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < SWITCH_PORTS; i++)
        n += netport_at(i) && netport_config(netport_at(i))->network == network;
    return n;
}

uint64_t rpc_networks(struct utcb *utcb)
{
    uint64_t first = utcb->mr[1];
    uint64_t used_ns = switch_time_ns(); /* through the UTCB, so before the reply is in it */
    struct mgr_network *list = (struct mgr_network *)&utcb->mr[MGR_PAYLOAD];
    uint32_t n = 0;
    while (n < MGR_NETWORKS && first < network_count() && first + n < network_count()) {
        uint32_t index = (uint32_t)first + n;
        const struct network *network = network_at(index);
        list[n] = (struct mgr_network){.mtu = network->mtu,
                                       .ports = count_ports(index),
                                       .isolated = network->isolated,
                                       .active = switch_notif() != 0};
        memcpy(list[n].uuid, network->uuid, sizeof(list[n].uuid));
        snprintf(list[n].name, sizeof(list[n].name), "%s", network->name);
        n++;
    }
    const struct switch_status *status = switch_status();
    utcb->mr[4] = used_ns;
    utcb->mr[0] = OK;
    utcb->mr[1] = network_count();
    utcb->mr[2] = n;
    utcb->mr[3] = status ? __atomic_load_n(&status->restarts, __ATOMIC_RELAXED) : 0;
    return UTCB_WORDS;
}

static void fill(struct mgr_netport *out, const struct netport *port)
{
    const struct switch_port *c = netport_config(port);
    *out = (struct mgr_netport){.kind = c->kind,
                                .vlan_mode = c->vlan_mode,
                                .vlan = c->vlan,
                                .link = c->link,
                                .attached = netport_is_attached(port)};
    snprintf(out->name, sizeof(out->name), "%s", c->name);
    memcpy(out->mac, c->mac, 6);
    netport_stats(port, out->stat);
}

uint64_t rpc_netports(struct utcb *utcb, const char *name)
{
    uint64_t i = utcb->mr[1];
    const struct network *network = network_find(name);
    struct mgr_netport *list = (struct mgr_netport *)&utcb->mr[MGR_PAYLOAD];
    uint32_t n = 0;
    if (!network) {
        utcb->mr[0] = (uint64_t)ERR_ARG;
        snprintf((char *)list, MGR_TEXT, "failed to get network '%.60s'", name);
        return MGR_PAYLOAD + MGR_TEXT / 8;
    }
    for (; n < MGR_NETPORTS && i < SWITCH_PORTS; i++) {
        const struct netport *port = netport_at((uint32_t)i);
        if (port && netport_config(port)->network == network_index(network))
            fill(&list[n++], port);
    }
    utcb->mr[0] = OK;
    utcb->mr[1] = i;
    utcb->mr[2] = n;
    return UTCB_WORDS;
}

static uint64_t begin_capture(struct utcb *utcb, const char *name, uint32_t words)
{
    struct mgr_capture_port which = {{0}};
    if (words >= MGR_REQUEST + sizeof(which) / 8)
        memcpy(&which, &utcb->mr[MGR_REQUEST], sizeof(which));
    which.name[sizeof(which.name) - 1] = 0;
    const char *why = capture_begin(name, which.name);
    utcb->mr[0] = why ? (uint64_t)ERR_ARG : OK;
    snprintf((char *)&utcb->mr[MGR_PAYLOAD], MGR_TEXT, "%s", why ? why : "");
    return MGR_PAYLOAD + MGR_TEXT / 8;
}

uint64_t rpc_capture(struct utcb *utcb, const char *name, uint32_t words)
{
    uint64_t what = utcb->mr[1];
    if (what == MGR_CAPTURE_BEGIN)
        return begin_capture(utcb, name, words);
    if (what == MGR_CAPTURE_END)
        capture_end();
    utcb->mr[0] = OK;
    utcb->mr[1] = 0;
    if (what == MGR_CAPTURE_READ) {
        /* Its calls go through the UTCB: what has come lies elsewhere meanwhile. */
        static uint8_t bytes[MGR_PAYLOAD_BYTES];
        uint32_t used = capture_read(bytes, sizeof(bytes));
        memcpy(&utcb->mr[MGR_PAYLOAD], bytes, used);
        utcb->mr[0] = OK;
        utcb->mr[1] = used;
        utcb->mr[2] = capture_lost();
    }
    return UTCB_WORDS;
}
