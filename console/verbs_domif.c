/* SPDX-License-Identifier: BSD-2-Clause */
/* domiflist, domifstat, domif-getlink, domif-setlink: virsh's arguments, output and messages. */
#include "console/verbs_domif.h"

#include <stdio.h>
#include <string.h>
#include "abi/status.h"
#include "console/client.h"

#define MAC_TEXT 18u

static void format_mac(const struct mgr_net *net, char out[MAC_TEXT])
{
    const uint8_t *m = net->mac;
    snprintf(out, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static bool is_meant(const struct mgr_net *net, const char *which)
{
    char mac[MAC_TEXT];
    format_mac(net, mac);
    return !strcmp(net->target, which) || !strcmp(mac, which);
}

static bool take_nets(const struct command *c, struct text *text, struct mgr_net *nets,
                      uint32_t *count)
{
    if (client_nets(c->domain, nets, count) == OK)
        return true;
    text_add(text, "error: %s\n\n", client_reason());
    return false;
}

void run_domiflist(const struct command *c, struct text *text)
{
    struct mgr_net nets[VMM_MAX_NETS];
    uint32_t count;
    int target = 9, source = 6;
    if (!take_nets(c, text, nets, &count))
        return;
    for (uint32_t i = 0; i < count; i++) {
        int t = (int)strlen(nets[i].target), s = (int)strlen(nets[i].source);
        target = t > target ? t : target;
        source = s > source ? s : source;
    }
    text_add(text, " %-*s   Type      %-*s   Model    MAC\n", target, "Interface", source,
             "Source");
    for (int i = 0; i < target + source + 44; i++)
        text_add(text, "-");
    text_add(text, "\n");
    for (uint32_t i = 0; i < count; i++) {
        char mac[MAC_TEXT];
        format_mac(&nets[i], mac);
        text_add(text, " %-*s   %-7s   %-*s   %-6s   %s\n", target, nets[i].target,
                 nets[i].bridge ? "bridge" : "network", source, nets[i].source,
                 nets[i].model == VMM_NET_E1000 ? "e1000" : "virtio", mac);
    }
    text_add(text, "\n");
}

static void format_stats(struct text *text, const struct mgr_net *net)
{
    static const struct {
        const char *name;
        enum switch_stat stat;
    } lines[] = {
        {"rx_bytes", SWITCH_RX_BYTES},       {"rx_packets", SWITCH_RX_FRAMES},
        {"rx_errs", SWITCH_RX_ERRORS},       {"rx_drop", SWITCH_RX_DROPPED},
        {"tx_bytes", SWITCH_TX_BYTES},       {"tx_packets", SWITCH_TX_FRAMES},
        {"tx_errs", SWITCH_TX_ERRORS},       {"tx_drop", SWITCH_TX_DROPPED},
        {"tx_filtered", SWITCH_TX_FILTERED},
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        text_add(text, "%s %s %llu\n", net->target, lines[i].name,
                 (unsigned long long)net->stat[lines[i].stat]);
    text_add(text, "\n");
}

static void not_found(struct text *text, const char *which)
{
    text_add(text, "error: interface (dev: %s) not found\n\n", which);
}

/* Without an interface: all of them, one after the other. */
void run_domifstat(const struct command *c, struct text *text)
{
    struct mgr_net nets[VMM_MAX_NETS];
    uint32_t count, shown = 0;
    if (!take_nets(c, text, nets, &count))
        return;
    for (uint32_t i = 0; i < count; i++) {
        if (c->word[0] && !is_meant(&nets[i], c->word[0]))
            continue;
        format_stats(text, &nets[i]);
        shown++;
    }
    if (!shown && c->word[0])
        not_found(text, c->word[0]);
}

void run_domif_getlink(const struct command *c, struct text *text)
{
    struct mgr_net nets[VMM_MAX_NETS];
    uint32_t count;
    if (!c->word[0]) {
        text_add(text, "error: command 'domif-getlink' requires <interface> option\n\n");
        return;
    }
    if (!take_nets(c, text, nets, &count))
        return;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_meant(&nets[i], c->word[0]))
            continue;
        text_add(text, "%s %s\n\n", c->word[0], nets[i].link ? "up" : "down");
        return;
    }
    not_found(text, c->word[0]);
}

void run_domif_setlink(const struct command *c, struct text *text)
{
    const char *state = c->word[1];
    if (!c->word[0] || !state)
        text_add(text, "error: command 'domif-setlink' requires <%s> option\n\n",
                 c->word[0] ? "state" : "interface");
    else if (strcmp(state, "up") != 0 && strcmp(state, "down") != 0)
        text_add(text, "error: invalid link state '%s'\n\n", state);
    else if (client_link(c->domain, c->word[0], !strcmp(state, "up")) != OK)
        text_add(text, "error: %s\n\n", client_reason());
    else
        text_add(text, "Device updated successfully\n\n");
}
