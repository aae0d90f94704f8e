/* SPDX-License-Identifier: BSD-2-Clause */
/* lwIP with what the configuration says: addresses, DHCP, name servers; and what is to be told of
 * it.
 */
#ifndef NET_IP_STACK_H
#define NET_IP_STACK_H

#include <stdbool.h>
#include "net/ip/config.h"
#include "net/ip/netif.h"
#include "net/ip/protocol.h"

/* After hostif_start(). before: what the process before has said; all zero: there was none. */
void stack_start(const struct ip_config *config, struct netif *netif,
                 const struct ip_status *before);
/* Looks after changes; logs addresses that come and go. */
void stack_run(uint64_t now_ns);
/* There is an address of some family to send from. */
bool stack_is_up(void);
/* All but what ntp.c, ping.c and syslog.c say. */
void stack_status(struct ip_status *status);

#endif
