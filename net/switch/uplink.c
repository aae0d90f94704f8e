/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/switch/uplink.h"

#define CHANGES_MAX                                                               \
    8u /* of mind, of one port in a second: each costs the NIC's driver some time \
        */

static bool add_mac(struct frame_filter *filter, uint64_t mac)
{
    for (uint32_t i = 0; i < filter->macs; i++) {
        if (read_mac(filter->mac[i]) == mac)
            return true;
    }
    if (filter->macs == FRAME_MACS)
        return false;
    memcpy(filter->mac[filter->macs++], &mac, 6); /* as read_mac() has it */
    return true;
}

/* The stations, or the groups, that the owner has named. */
static void add_list(struct frame_filter *filter, const struct port *port, bool groups)
{
    const struct frame_channel *c = port->channel;
    uint32_t n = __atomic_load_n(&c->list_macs, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < n && i < FRAME_MACS; i++) {
        uint64_t mac = read_mac(c->list_mac[i]);
        if (!mac || MAC_IS_GROUP(mac) != groups || add_mac(filter, mac))
            continue;
        if (groups)
            filter->all_multicast = 1;
        else
            filter->everything = 1;
    }
}

static void add_stations(struct frame_filter *filter, const struct port *port)
{
    uint32_t what = __atomic_load_n(&port->channel->listens, __ATOMIC_RELAXED);
    bool may_hear_all = !(port->config.filters & SWITCH_FILTER_PROMISC);
    if (port->mac && !add_mac(filter, port->mac))
        filter->everything = 1;
    if ((what & FRAME_LISTENS_ALL || port->is_fickle) && may_hear_all)
        filter->everything = 1;
    if (what & (FRAME_LISTENS_MULTICAST | FRAME_LISTENS_ALL) || port->is_fickle)
        filter->all_multicast = 1;
    if (what & FRAME_LISTENS_LIST && may_hear_all)
        add_list(filter, port, false);
}

/* True: the port takes frames of all VLANs. */
static bool add_vlans(struct frame_filter *filter, const struct port *port)
{
    const struct switch_port *c = &port->config;
    uint32_t what = __atomic_load_n(&port->channel->listens, __ATOMIC_RELAXED);
    if (c->vlan_mode == SWITCH_VLAN_ACCESS) {
        filter->vlan[c->vlan / 64] |= 1ull << c->vlan % 64;
        return false;
    }
    if (c->vlan_mode == SWITCH_VLAN_NONE && !(what & FRAME_LISTENS_VLANS && !port->is_fickle))
        return true;
    for (uint32_t i = 0; i < 4096 / 64; i++)
        filter->vlan[i] |= c->vlan_mode == SWITCH_VLAN_TRUNK
                               ? c->trunk[i]
                               : __atomic_load_n(&port->channel->list_vlan[i], __ATOMIC_RELAXED);
    return false;
}

static bool is_listener(const struct port *port)
{
    return port->config.kind != SWITCH_PORT_UPLINK && port->config.kind != SWITCH_PORT_CAPTURE;
}

static void gather(const struct fabric *f, const struct network *n, struct frame_filter *filter)
{
    bool all_vlans = false;
    memset(filter, 0, sizeof(*filter));
    filter->vlan[0] = 1; /* a tag with a priority alone; and no VLAN at all would mean no filter */
    for (uint32_t i = 0; i < n->ports; i++) {
        const struct port *port = f->port[n->port[i]];
        /* Whoever looks at a wire wants to see what is on it. */
        filter->everything |= port->config.mirror && !is_listener(port);
        if (!is_listener(port))
            continue;
        add_stations(filter, port);
        all_vlans |= add_vlans(filter, port);
    }
    /* Stations come first: of groups there may be too many. */
    for (uint32_t i = 0; i < n->ports; i++) {
        const struct port *port = f->port[n->port[i]];
        if (is_listener(port) &&
            __atomic_load_n(&port->channel->listens, __ATOMIC_RELAXED) & FRAME_LISTENS_LIST)
            add_list(filter, port, true);
    }
    if (all_vlans)
        memset(filter->vlan, 0, sizeof(filter->vlan));
}

void uplink_listen(struct fabric *f, struct network *n)
{
    struct frame_filter filter;
    if (!n->uplinks)
        return;
    gather(f, n, &filter);
    if (!memcmp(&filter, &n->filter, sizeof(filter)))
        return;
    n->filter = filter;
    for (uint32_t i = 0; i < n->ports; i++) {
        struct port *port = f->port[n->port[i]];
        if (port->config.kind == SWITCH_PORT_UPLINK)
            port_announce(port, port->config.link != 0, n->config.mtu, &n->filter);
    }
}

bool uplink_hears(struct fabric *f, struct port *port)
{
    uint32_t now = __atomic_load_n(&port->channel->hearing, __ATOMIC_ACQUIRE);
    if (now == port->hearing)
        return false;
    port->hearing = now;
    if (port->changes_s != f->macs.now_s) {
        port->changes_s = f->macs.now_s;
        port->changes = 0;
    }
    port->is_fickle = ++port->changes > CHANGES_MAX;
    return true;
}
