/* SPDX-License-Identifier: BSD-2-Clause */
/* IEEE 802.1Q: which VLAN a frame belongs to when it comes in, whether it may go out, and how. */
#ifndef NET_SWITCH_VLAN_H
#define NET_SWITCH_VLAN_H

#include "net/switch/packet.h"
#include "net/switch/protocol.h"

/* The frame's VLAN, by the port's rules. False: it is not let in. */
bool vlan_enter(const struct switch_port *port, struct packet *p);
static inline bool vlan_allows(const struct switch_port *port, uint16_t vlan)
{
    if (port->vlan_mode == SWITCH_VLAN_NONE)
        return true;
    if (port->vlan_mode == SWITCH_VLAN_ACCESS)
        return vlan == port->vlan;
    return vlan && (vlan == port->vlan || (port->trunk[vlan / 64] >> (vlan % 64) & 1));
}
/* Gives the frame the shape that the port wants. False: it cannot go out there. */
bool vlan_leave(const struct switch_port *port, struct packet *p);

#endif
