/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the virtio network device, among themselves. i: number of a pair. */
#ifndef VMM_VIRTIO_NET_QUEUES_H
#define VMM_VIRTIO_NET_QUEUES_H

#include "vmm/virtio_net.h"

#define VIRTIO_NET_HDR 12u

/* struct virtio_net_hdr; guests are little-endian, as we are. */
struct virtio_net_hdr {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};
_Static_assert(sizeof(struct virtio_net_hdr) == VIRTIO_NET_HDR, "virtio_net_hdr");

#define HDR_NEEDS_CSUM 1u
#define HDR_DATA_VALID 2u
#define GSO_NONE       0u
#define GSO_TCPV4      1u
#define GSO_TCPV6      4u
#define GSO_UDP_L4     5u
#define GSO_ECN        0x80u

/* --- virtio_net.c --- */
/* What the guest can take, its pairs or its address changed: a new epoch. */
void virtio_net_offer(struct virtio_net *dev);
/* Link and MTU as the guest reads them. */
void virtio_net_show(struct virtio_net *dev);

/* --- virtio_net_tx.c --- */
/* Posts what the guest has made available. True: that was enough for one turn, there is more. */
bool virtio_net_send(struct virtio_net *dev, uint32_t i);
/* Gives back what was sent. True: some was. */
bool virtio_net_reap(struct virtio_net *dev, uint32_t i);
/* An epoch begins: what was posted is noted, and given back when the switch has let it go. */
void virtio_net_tx_void(struct virtio_net *dev, uint32_t i);
void virtio_net_tx_give_back(struct virtio_net *dev, uint32_t i);

/* --- virtio_net_rx.c --- */
/* Posts the guest's empty buffers. */
void virtio_net_fill(struct virtio_net *dev, uint32_t i);
/* Hands over frames that have come. True: some have. */
bool virtio_net_receive(struct virtio_net *dev, uint32_t i);
/* An epoch begins: the buffers will be posted again. */
void virtio_net_rx_unpost(struct virtio_net *dev, uint32_t i);

/* --- virtio_net_control.c --- */
/* The driver notified its control queue. */
void virtio_net_control(struct virtio_net *dev, unsigned queue);
/* What the guest lets in, as after a reset. */
void virtio_net_listen_anew(struct virtio_net *dev);

#endif
