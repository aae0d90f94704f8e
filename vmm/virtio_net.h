/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio network device (virtio 1.2, "Network Device"). Frames are never copied here: what the
 * guest offers for sending and receiving is posted to the channel where it lies. Only the
 * virtio_net_hdr passes through private memory. */
#ifndef VMM_VIRTIO_NET_H
#define VMM_VIRTIO_NET_H

#include "vmm/net.h"
#include "vmm/virtio_pci.h"

/* An entry of the channel's ring for sending: what the guest gets back when it ends. */
struct net_sent {
    uint16_t head;
    bool last; /* of its chain */
};

/* An entry of the channel's ring for receiving. */
struct net_posted {
    uint8_t *header[2];   /* first of its chain: room for the virtio_net_hdr, in one or two parts */
    uint8_t header_bytes; /* of them, in the first part */
    bool first, last;     /* of its chain */
    uint16_t head;
    uint32_t room;  /* bytes */
    uint8_t before; /* of them for the header, where a frame begins */
};

struct virtio_net_pair {
    struct net_sent sent[FRAME_ENTRIES];
    struct net_posted posted[FRAME_ENTRIES];
    uint32_t chains_sent, chains_posted; /* with the switch */
    uint32_t bytes_sent;                 /* since some were last given back */
    uint32_t void_from, void_to;         /* sent before an epoch: given back when it begins */
    /* The frame that is being received: its entries end one by one. */
    uint32_t buffers, buffers_left; /* put into the used ring; still to come */
    uint32_t written;               /* bytes in the present one */
};

struct virtio_net {
    struct virtio_pci virtio;
    struct virtio_type type; /* features and queues are this interface's own */
    struct net *net;
    struct virtio_net_pair *pair; /* `pairs` of them */
    uint32_t pairs, active;       /* active: with which the guest works */
    bool running;                 /* the driver is up, and the channel is for it */
    bool stopping;                /* a reset that the switch has not followed yet */
    bool promiscuous, all_multicast, macs_overflow, multicast_overflow;
    uint64_t offloads;       /* features of receiving that are in force */
    uint32_t late;           /* pairs whose guest is to be told of sent frames, by the timer */
    struct dev_timer settle; /* sent frames are given back at the latest then */
    uint64_t malformed;      /* frames that the guest sent */
    struct vq_chain chain;
};

/* pair: memory for net->config->pairs of them, zeroed. */
void virtio_net_init(struct virtio_net *dev, struct pci_bus *bus, unsigned slot,
                     uint8_t interrupt_line, struct net *net, struct virtio_net_pair *pair);
/* Asks the guest to announce itself, if it can. */
void virtio_net_announce(struct virtio_net *dev);

/* --- feature bits --- */
#define VIRTIO_NET_F_CSUM           (1ull << 0)
#define VIRTIO_NET_F_GUEST_CSUM     (1ull << 1)
#define VIRTIO_NET_F_GUEST_OFFLOADS (1ull << 2)
#define VIRTIO_NET_F_MTU            (1ull << 3)
#define VIRTIO_NET_F_MAC            (1ull << 5)
#define VIRTIO_NET_F_GUEST_TSO4     (1ull << 7)
#define VIRTIO_NET_F_GUEST_TSO6     (1ull << 8)
#define VIRTIO_NET_F_GUEST_ECN      (1ull << 9)
#define VIRTIO_NET_F_HOST_TSO4      (1ull << 11)
#define VIRTIO_NET_F_HOST_TSO6      (1ull << 12)
#define VIRTIO_NET_F_HOST_ECN       (1ull << 13)
#define VIRTIO_NET_F_MRG_RXBUF      (1ull << 15)
#define VIRTIO_NET_F_STATUS         (1ull << 16)
#define VIRTIO_NET_F_CTRL_VQ        (1ull << 17)
#define VIRTIO_NET_F_CTRL_RX        (1ull << 18)
#define VIRTIO_NET_F_CTRL_VLAN      (1ull << 19)
#define VIRTIO_NET_F_GUEST_ANNOUNCE (1ull << 21)
#define VIRTIO_NET_F_MQ             (1ull << 22)
#define VIRTIO_NET_F_CTRL_MAC_ADDR  (1ull << 23)
#define VIRTIO_NET_F_GUEST_USO4     (1ull << 54)
#define VIRTIO_NET_F_GUEST_USO6     (1ull << 55)
#define VIRTIO_NET_F_HOST_USO       (1ull << 56)
#define VIRTIO_NET_F_SPEED_DUPLEX   (1ull << 63)
/* What CTRL_GUEST_OFFLOADS_SET can turn off and on. */
#define VIRTIO_NET_F_GUEST_ALL                                                     \
    (VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6 | \
     VIRTIO_NET_F_GUEST_ECN | VIRTIO_NET_F_GUEST_USO4 | VIRTIO_NET_F_GUEST_USO6)

/* struct virtio_net_config */
#define VIRTIO_NET_CONFIG_MAC    0u
#define VIRTIO_NET_CONFIG_STATUS 6u
#define VIRTIO_NET_CONFIG_PAIRS  8u
#define VIRTIO_NET_CONFIG_MTU    10u
#define VIRTIO_NET_CONFIG_SPEED  12u
#define VIRTIO_NET_CONFIG_DUPLEX 16u
#define VIRTIO_NET_CONFIG_SIZE   17u
#define VIRTIO_NET_S_LINK_UP     1u
#define VIRTIO_NET_S_ANNOUNCE    2u

#endif
