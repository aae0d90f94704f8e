/* SPDX-License-Identifier: BSD-2-Clause */
/* What the owner of a port may send: libvirt's standard filters. */
#ifndef NET_SWITCH_FILTER_H
#define NET_SWITCH_FILTER_H

#include "net/switch/packet.h"
#include "net/switch/protocol.h"

/* The frame is within the port's rules. Call it only if there are some (SWITCH_FILTER_SENDS). */
bool filter_passes(const struct switch_port *port, struct packet *p);
#define SWITCH_FILTER_SENDS (SWITCH_FILTER_MAC | SWITCH_FILTER_ARP | SWITCH_FILTER_IP)
/* The rules can be kept: an address filter has addresses. */
bool filter_is_sane(const struct switch_port *port);

#endif
