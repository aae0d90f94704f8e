/* SPDX-License-Identifier: BSD-2-Clause */
/* lwIP's network interface on the owner's side of a frame channel. Frames are copied out of the
 * area before lwIP sees them: the switch, which could still write there, is not trusted with what
 * was checked already. */
#ifndef NET_IP_NETIF_H
#define NET_IP_NETIF_H

#include <lwip/netif.h>
#include <stdbool.h>
#include <stdint.h>
#include "user/frame.h"

struct hostif_setup {
    struct frame_channel *channel;
    uint8_t *area; /* IP_AREA_BYTES */
    uint32_t bell; /* slot of the switch's notification */
    uint64_t bell_bits;
    uint8_t mac[6];
};

/* After lwip_init(). The interface is up as soon as the switch has answered. */
struct netif *hostif_start(const struct hostif_setup *setup);
/* Takes what has come, at most a batch. True: there may be more. */
bool hostif_poll(void);
/* Shows the switch what is to be sent. */
void hostif_flush(void);
/* About to sleep: asks for a signal. True if something has come meanwhile. */
bool hostif_arm(void);
/* The link's state, and the network's MTU, as told by the switch. */
bool hostif_link(void);

struct hostif_counts {
    uint64_t rx_dropped, tx_dropped, lies;
};
struct hostif_counts hostif_counts(void);

/* The router for IPv6 of a fixed configuration; NULL: none. */
void hostif_set_gateway6(const ip6_addr_t *gateway);

#endif
