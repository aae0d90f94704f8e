/* SPDX-License-Identifier: BSD-2-Clause */
/* What the NIC behind an uplink is to let in: what somebody in its network listens for. */
#ifndef NET_SWITCH_UPLINK_H
#define NET_SWITCH_UPLINK_H

#include "net/switch/fabric.h"

/* A port of the network came, went, or listens for something else: its uplinks are told, if that
 * makes a difference. */
void uplink_listen(struct fabric *f, struct network *n);
/* True if the port's owner listens for something else now. One that changes its mind all the time
 * is taken to want everything. */
bool uplink_hears(struct fabric *f, struct port *port);

#endif
