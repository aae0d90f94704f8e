/* SPDX-License-Identifier: BSD-2-Clause */
/* What lwIP needs of its surroundings beside frames: random numbers, the clock. */
#ifndef NET_IP_PORT_H
#define NET_IP_PORT_H

void port_init(void);

#endif
