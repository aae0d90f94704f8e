/* SPDX-License-Identifier: BSD-2-Clause */
/* What lwIP asks of net/ip/port.c and net/ip/netif.c. */
#ifndef LWIP_HOOKS_H
#define LWIP_HOOKS_H

#include "lwip/ip_addr.h"

struct netif;

/* RFC 6528. */
uint32_t port_tcp_isn(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote,
                      uint16_t remote_port);
/* The router of a fixed configuration; NULL: none. */
const ip6_addr_t *netif_ip6_gateway(struct netif *netif, const ip6_addr_t *to);

#define LWIP_HOOK_TCP_ISN(local, lport, remote, rport) port_tcp_isn(local, lport, remote, rport)
#define LWIP_HOOK_ND6_GET_GW(netif, to)                netif_ip6_gateway(netif, to)

#endif
