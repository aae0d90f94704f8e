/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/switch/vlan.h"

#define TCI_VLAN     0x0fffu
#define TCI_PRIORITY 0xf000u
#define VLAN_LAST    4094u

bool vlan_enter(const struct switch_port *port, struct packet *p)
{
    uint32_t tag = 0;
    if (p->tagged) {
        if (packet_length(p) < ETHERNET + TAG_BYTES)
            return false;
        uint16_t tci = read16(p->head + 14);
        p->priority = tci & TCI_PRIORITY;
        tag = tci & TCI_VLAN;
    }
    if (tag > VLAN_LAST)
        return false;
    uint16_t vlan = (uint16_t)tag;
    /* A tag inside: what it means outside nobody has agreed on. */
    if (port->vlan_mode != SWITCH_VLAN_NONE && packet_type(p) == ETHERTYPE_STAG)
        return false;
    switch (port->vlan_mode) {
    case SWITCH_VLAN_ACCESS:
        if (vlan)
            return false;
        vlan = (uint16_t)port->vlan;
        break;
    case SWITCH_VLAN_TRUNK:
        if (!vlan)
            vlan = (uint16_t)port->vlan;
        if (!vlan_allows(port, vlan))
            return false;
        break;
    default:
        break;
    }
    p->vlan = vlan;
    return true;
}

bool vlan_leave(const struct switch_port *port, struct packet *p)
{
    bool tagged;
    switch (port->vlan_mode) {
    case SWITCH_VLAN_ACCESS:
        tagged = false;
        break;
    case SWITCH_VLAN_TRUNK:
        tagged = p->vlan != port->vlan;
        break;
    default:
        tagged = p->vlan || p->priority;
        break;
    }
    /* Without its outer tag, one inside would put it into another VLAN. */
    if (!tagged && p->vlan && packet_type(p) == ETHERTYPE_VLAN)
        return false;
    packet_retag(p, tagged);
    return true;
}
