/* SPDX-License-Identifier: BSD-2-Clause */
/* Two tables: what there is, as virsh lists it, and what was counted. */
#include "console/verbs_iface.h"

#include "abi/status.h"
#include "console/client.h"
#include "drivers/nic/protocol.h"

#define AT_ONCE 8u
#define RULE    80 /* columns */

static const char *nic_state_of(const struct mgr_iface *i)
{
    if (i->state == NIC_STARTING)
        return "starting";
    if (i->state == NIC_FAILED)
        return "failed";
    return i->link ? "active" : "no link";
}

static void add_nic_row(struct text *text, const struct mgr_iface *i)
{
    const uint8_t *m = i->mac;
    text_add(text, " %-6s %-9s %02x:%02x:%02x:%02x:%02x:%02x  %-7s %-8s %-13s", i->name,
             nic_state_of(i), m[0], m[1], m[2], m[3], m[4], m[5], i->driver, i->chip, i->address);
    if (i->link && i->speed)
        text_add(text, " %5u", i->speed);
    else
        text_add(text, " %5s", "-");
    text_add(text, "  %s\n", i->network[0] ? i->network : "-");
}

static void add_nic_counters(struct text *text, const struct mgr_iface *i)
{
    static const char *const names[NIC_STATS] = {
        [NIC_RX_FRAMES] = "rx_packets",  [NIC_RX_BYTES] = "rx_bytes",
        [NIC_RX_DROPPED] = "rx_drop",    [NIC_RX_MISSED] = "rx_missed",
        [NIC_RX_ERRORS] = "rx_errs",     [NIC_TX_FRAMES] = "tx_packets",
        [NIC_TX_BYTES] = "tx_bytes",     [NIC_TX_DROPPED] = "tx_drop",
        [NIC_TX_ERRORS] = "tx_errs",     [NIC_TX_SEGMENTED] = "tx_segmented",
        [NIC_INTERRUPTS] = "interrupts", [NIC_LINK_CHANGES] = "link_changes",
        [NIC_RESETS] = "resets",         [NIC_LIES] = "lies",
    };
    for (uint32_t k = 0; k < NIC_STATS; k++)
        text_add(text, "%s %s %llu\n", i->name, names[k], (unsigned long long)i->stat[k]);
    text_add(text, "%s restarts %u\n", i->name, i->restarts);
}

void run_iface_list(const struct command *c, struct text *text)
{
    struct mgr_iface list[AT_ONCE];
    uint32_t n;
    text_add(text, " %-6s %-9s %-18s %-7s %-8s %-13s %5s  %s\n", "Name", "State", "MAC Address",
             "Driver", "Chip", "Address", "Speed", "Network");
    for (uint32_t i = 0; i < RULE; i++)
        text_add(text, "-");
    text_add(text, "\n");
    for (uint32_t pass = 0; pass < 2; pass++) {
        if (pass && !(c->options & OPTION_ALL))
            break;
        for (uint32_t first = 0;; first += n) {
            if (client_ifaces(first, list, AT_ONCE, &n) != OK) {
                text_add(text, "error: %s\n\n", client_reason());
                return;
            }
            for (uint32_t i = 0; i < n; i++)
                (pass ? add_nic_counters : add_nic_row)(text, &list[i]);
            if (!n)
                break;
        }
    }
    text_add(text, "\n");
}
