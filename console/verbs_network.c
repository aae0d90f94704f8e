/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/verbs_network.h"

#include <stdio.h>
#include <string.h>
#include "abi/status.h"
#include "console/client.h"

#define NETWORKS  16u /* asked for at once */
#define VLAN_TEXT 20u

static void rule(struct text *text, int width)
{
    for (int i = 0; i < width; i++)
        text_add(text, "-");
    text_add(text, "\n");
}

void run_net_list(const struct command *c, struct text *text)
{
    struct mgr_network list[NETWORKS];
    uint32_t first = 0, n;
    struct switch_life life;
    (void)c;
    text_add(text, " %-20s   %-8s   %-9s   Persistent\n", "Name", "State", "Autostart");
    rule(text, 59);
    do {
        if (client_networks(first, list, NETWORKS, &n, &life) != OK) {
            text_add(text, "error: %s\n\n", client_reason());
            return;
        }
        for (uint32_t i = 0; i < n; i++)
            text_add(text, " %-20s   %-8s   %-9s   yes\n", list[i].name,
                     list[i].active ? "active" : "inactive", "yes");
        first += n;
    } while (n);
    text_add(text, "\n");
}

static bool find_network(const char *name, struct mgr_network *found, struct switch_life *life)
{
    struct mgr_network list[NETWORKS];
    uint32_t first = 0, n = 0;
    while (client_networks(first, list, NETWORKS, &n, life) == OK && n) {
        for (uint32_t i = 0; i < n; i++) {
            if (!strcmp(list[i].name, name)) {
                *found = list[i];
                return true;
            }
        }
        first += n;
    }
    return false;
}

static void add_uuid(struct text *text, const uint8_t uuid[16])
{
    for (uint32_t i = 0; i < 16; i++)
        text_add(text, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
    text_add(text, "\n");
}

static void vlan_text(const struct mgr_netport *p, char out[VLAN_TEXT])
{
    snprintf(out, VLAN_TEXT, "-");
    if (p->vlan_mode == SWITCH_VLAN_ACCESS)
        snprintf(out, VLAN_TEXT, "%u", (unsigned)p->vlan);
    else if (p->vlan_mode == SWITCH_VLAN_TRUNK && p->vlan)
        snprintf(out, VLAN_TEXT, "trunk/%u", (unsigned)p->vlan);
    else if (p->vlan_mode == SWITCH_VLAN_TRUNK)
        snprintf(out, VLAN_TEXT, "trunk");
}

static void add_port(struct text *text, const struct mgr_netport *p)
{
    static const char *const kinds[] = {"guest", "uplink", "host", "capture"};
    char vlan[VLAN_TEXT], mac[18] = "-";
    const uint8_t *m = p->mac;
    vlan_text(p, vlan);
    if (m[0] | m[1] | m[2] | m[3] | m[4] | m[5])
        snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
                 m[5]);
    text_add(text, " %-20s   %-7s   %-17s   %-10s   %-4s   %llu\n", p->name,
             p->kind < sizeof(kinds) / sizeof(kinds[0]) ? kinds[p->kind] : "?", mac, vlan,
             p->link && p->attached ? "up" : "down", (unsigned long long)p->stat[SWITCH_MACS]);
}

static void add_counters(struct text *text, const struct mgr_netport *p)
{
    static const char *const names[SWITCH_PORT_STATS] = {
        [SWITCH_RX_FRAMES] = "rx_packets",    [SWITCH_RX_BYTES] = "rx_bytes",
        [SWITCH_RX_DROPPED] = "rx_drop",      [SWITCH_RX_ERRORS] = "rx_errs",
        [SWITCH_TX_FRAMES] = "tx_packets",    [SWITCH_TX_BYTES] = "tx_bytes",
        [SWITCH_TX_DROPPED] = "tx_drop",      [SWITCH_TX_ERRORS] = "tx_errs",
        [SWITCH_TX_FILTERED] = "tx_filtered", [SWITCH_MAC_MOVES] = "mac_moves",
        [SWITCH_SIGNALS] = "signals",
    };
    text_add(text, "%s:", p->name);
    for (uint32_t i = 0; i < SWITCH_PORT_STATS; i++) {
        if (names[i] && p->stat[i])
            text_add(text, " %s %llu", names[i], (unsigned long long)p->stat[i]);
    }
    text_add(text, "\n");
}

static void each_port(const char *network, struct text *text,
                      void (*add)(struct text *text, const struct mgr_netport *port))
{
    struct mgr_netport list[MGR_NETPORTS];
    uint32_t first = 0, n;
    while (first < SWITCH_PORTS && client_netports(network, &first, list, &n) == OK) {
        for (uint32_t i = 0; i < n; i++)
            add(text, &list[i]);
    }
}

void run_net_info(const struct command *c, struct text *text)
{
    struct mgr_network network = {0};
    struct switch_life life = {0};
    const char *name = c->domain ? c->domain : "";
    if (!find_network(name, &network, &life)) {
        text_add(text, "error: failed to get network '%s'\n\n", name);
        return;
    }
    text_add(text, "Name:           %s\nUUID:           ", network.name);
    add_uuid(text, network.uuid);
    text_add(text, "Active:         %s\nPersistent:     yes\nAutostart:      yes\n",
             network.active ? "yes" : "no");
    text_add(
        text,
        "MTU:            %u\nIsolated:       %s\nSwitch:         %llu restarts, %llu us of CPU\n\n",
        (unsigned)network.mtu, network.isolated ? "yes" : "no", (unsigned long long)life.restarts,
        (unsigned long long)(life.cpu_ns / 1000));
    text_add(text, " %-20s   %-7s   %-17s   %-10s   %-4s   Learned\n", "Port", "Kind",
             "MAC address", "VLAN", "Link");
    rule(text, 86);
    each_port(network.name, text, add_port);
    text_add(text, "\n");
    each_port(network.name, text, add_counters);
    text_add(text, "\n");
}
