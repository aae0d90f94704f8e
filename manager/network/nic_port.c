/* SPDX-License-Identifier: BSD-2-Clause */
/* NICs as uplinks of networks. */
#include <stdio.h>
#include <string.h>
#include "abi/status.h"
#include "manager/network/network.h"
#include "manager/network/nic.h"
#include "user/program.h"

static const char *open_port(struct nic *n, const struct network *network)
{
    struct netport_request request = {
        .owner = n,
        .network = network->name,
        .port = {.kind = SWITCH_PORT_UPLINK, .link = 1},
        .pairs = NIC_PAIRS,
        .memory = &n->pool,
        .memory_count = 1,
    };
    snprintf(request.port.name, sizeof(request.port.name), "%s", n->name);
    const char *why = netport_open(&request, &n->port, &n->grant);
    if (why) {
        n->port = NULL;
        return why;
    }
    /* The notification is there before the driver, and after it. */
    if (netport_attach(n->port, n->notif, NIC_BIT_CHANNEL) != OK) {
        netport_close_all(n);
        n->port = NULL;
        return "no capability slots are left for it";
    }
    snprintf(n->network, sizeof(n->network), "%s", network->name);
    return NULL;
}

void nic_open_port(struct nic *n)
{
    for (uint32_t i = 0; i < network_count(); i++) {
        const struct network *network = network_at(i);
        for (uint32_t u = 0; u < network->uplinks; u++) {
            if (strcmp(network->uplink[u], n->name) != 0)
                continue;
            const char *why = n->port ? "it is another network's already" : open_port(n, network);
            if (why)
                log_line("%s:%u: network %s does not have %s: %s", network->file,
                         (unsigned)network->uplink_line, network->name, n->name, why);
        }
    }
}

static bool exists(const char *name)
{
    for (uint32_t i = 0; i < nic_count(); i++) {
        if (!strcmp(nic_at(i)->name, name))
            return true;
    }
    return false;
}

void nic_check_networks(void)
{
    for (uint32_t i = 0; i < network_count(); i++) {
        const struct network *network = network_at(i);
        for (uint32_t u = 0; u < network->uplinks; u++) {
            if (!exists(network->uplink[u]))
                log_line("%s:%u: network %s has no uplink %s: there is no such NIC", network->file,
                         (unsigned)network->uplink_line, network->name, network->uplink[u]);
        }
    }
}
