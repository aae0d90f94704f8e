/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame channel: one page-aligned memory object that the virtual switch and the owner of one of
 * its ports share: a VMM for a guest's interface, a NIC's driver for an uplink, the host's own IP
 * stack. The owner posts entries to two rings, the switch ends them in the order of posting:
 *
 *   send      frames that leave the owner for the switch; ended when their memory is not needed
 *             any more
 *   receive   empty memory, which the switch fills with frames for the owner; ended with a length
 *
 * An entry names memory in the port's *area*: the memory objects that the switch has mapped for
 * this port, one behind the other (a guest's RAM; a pool of the driver, of the IP stack). Frames
 * are copied once, from the sender's area to the receiver's, by the switch.
 *
 * Neither side trusts the other: each keeps its own indices, copies an entry before it looks at it,
 * and bounds what it finds. A frame is an Ethernet frame without preamble and FCS. Frames may be
 * lost, and when the switch was restarted they may come twice; they are never cut. */
#ifndef USER_FRAME_H
#define USER_FRAME_H

#include <stdint.h>

#define FRAME_ENTRIES      512u   /* of a ring, a power of two */
#define FRAME_PAIRS_MAX    8u     /* pairs of rings of a port */
#define FRAME_BYTES_MAX    65593u /* Ethernet header, 802.1Q tag, and the longest IPv6 packet */
#define FRAME_PARTS_MAX    64u    /* entries of one frame that is sent */
#define FRAME_MACS         32u    /* addresses that a driver is asked to let in by name */
#define FRAME_HEADROOM_MAX 64u
#define FRAME_MTU_MIN      68u /* RFC 791 */
#define FRAME_MTU_MAX      65535u

/* frame_entry.flags, send: on a frame's first entry; receive: by the switch on a frame's first. */
#define FRAME_MORE                                                             \
    1u /* the frame (or, in a posted receive entry, the buffer) goes on in the \
          next entry */
#define FRAME_NEEDS_CSUM                                                                  \
    2u                     /* the sum from csum_start to the end is still to be put in at \
                              csum_start + csum_offset, where the pseudo header's sum stands */
#define FRAME_CSUM_GOOD 4u /* the sums were verified, or the frame never left this machine */
#define FRAME_GSO_TCP4 \
    8u /* one TCP segment for gso_size bytes of payload in each frame on a wire */
#define FRAME_GSO_TCP6 16u
#define FRAME_GSO_UDP  32u /* USO, both IP versions: one datagram for each gso_size bytes */
#define FRAME_GSO      (FRAME_GSO_TCP4 | FRAME_GSO_TCP6 | FRAME_GSO_UDP)
#define FRAME_GSO_ECN  64u  /* with GSO_TCP: CWR is for the first segment only */
#define FRAME_ERROR    128u /* by the switch, send: the frame was malformed and dropped */

struct frame_entry {
    uint64_t offset; /* bytes, in the area */
    uint32_t length; /* bytes; receive: room when posted; bytes written when ended, may be 0 */
    uint16_t flags;  /* FRAME_* */
    uint16_t header_length; /* GSO: bytes of all headers, as the sender counts them; a hint */
    uint16_t gso_size;
    uint16_t csum_start;  /* bytes from the frame's begin */
    uint16_t csum_offset; /* bytes from csum_start */
    uint16_t buffers;     /* receive, by the switch on a frame's first: buffers that it took */
    uint64_t pad;
};

/* Indices count entries and wrap at 2^32; entry i is entry[i % FRAME_ENTRIES]. */
struct frame_ring {
    /* The owner's line. */
    _Alignas(64) uint32_t posted;
    uint32_t owner_waits; /* 1: the owner wants a signal when `ended` moves; the switch clears it */
    /* The switch's line. */
    _Alignas(64) uint32_t ended;
    uint32_t
        switch_waits; /* 1: the switch wants a signal when `posted` moves; the owner clears it */
    _Alignas(64) struct frame_entry entry[FRAME_ENTRIES];
};

struct frame_pair {
    struct frame_ring send, receive;
};

/* What the owner can take; it may change with frame_channel.epoch. Without these the switch puts
 * sums in and cuts frames itself before it delivers. */
#define FRAME_TAKES_CSUM 1u /* FRAME_NEEDS_CSUM */
#define FRAME_TAKES_TCP4 2u
#define FRAME_TAKES_TCP6 4u
#define FRAME_TAKES_UDP  8u
#define FRAME_TAKES_ECN  16u
#define FRAME_TAKES_MERGE                                                   \
    32u /* a frame that is longer than a buffer goes on in the next buffers \
         */

/* What the switch wants a NIC to let in, for owners that filter. */
struct frame_filter {
    uint32_t
        everything; /* 1: all frames: more addresses than the list holds, or a bridge that learns */
    uint32_t all_multicast;
    uint32_t macs;
    uint32_t pad;
    uint8_t mac[FRAME_MACS][8]; /* six bytes each */
    uint64_t vlan[4096 / 64];   /* a bit for each VLAN; all zero: no filter */
};

struct frame_channel {
    /* The owner's page. Whoever resets its device (a guest, a driver that was restarted) makes the
     * rings empty again: it sets `takes`, `pairs` and `mac`, then raises `epoch` and signals. The
     * switch drops what it has, zeroes posted and ended of all rings, and sets `switch_epoch`.
     * Until both are equal the switch may still write to buffers that were posted before, and the
     * owner posts nothing. */
    _Alignas(4096) uint32_t epoch;
    uint32_t takes;     /* FRAME_TAKES_* */
    uint32_t pairs;     /* 1..FRAME_PAIRS_MAX in use */
    uint32_t carrier;   /* 1: the wire behind an uplink is up; guests' and the host's ports: 1 */
    uint32_t owner_mtu; /* bytes of payload that the owner takes; 0: FRAME_MTU_MAX */
    uint32_t speed;     /* of an uplink, Mbit/s; 0: unknown */
    uint32_t listens;   /* FRAME_LISTENS_*, what a guest's device lets in; NIC: everything */
    uint32_t list_macs; /* entries of list_mac */
    uint32_t hearing;   /* raised, with a signal, when `listens` or a list has changed */
    uint32_t hearing_pad;
    uint8_t mac[8]; /* of the owner, six bytes, if the port lets it choose */
    uint8_t list_mac[FRAME_MACS][8];
    /* Bytes that the switch leaves free where the first buffer of each frame begins, for a header
     * of the owner's (virtio-net); no length counts them. At most FRAME_HEADROOM_MAX. */
    uint32_t headroom;
    uint32_t vlan_pad;
    /* With FRAME_LISTENS_VLANS: a bit for each VLAN that the owner lets in. It may change at any
     * time, as listens and list_mac may: whoever reads them meanwhile filters a frame wrongly. */
    uint64_t list_vlan[4096 / 64];
    /* The switch's page. `generation` rises, and the owner is signalled, when any of it changes. */
    _Alignas(4096) uint32_t switch_epoch;
    uint32_t generation;
    uint32_t link; /* 1: up: carrier of the network, and not set down by the administrator */
    uint32_t mtu;  /* of the network, bytes of payload */
    struct frame_filter filter;
    _Alignas(4096) struct frame_pair pair[FRAME_PAIRS_MAX];
};
#define FRAME_LISTENS_ALL       1u /* promiscuous */
#define FRAME_LISTENS_MULTICAST 2u /* all multicast */
#define FRAME_LISTENS_LIST      4u /* list_mac is what it lets in besides its own and broadcast */
#define FRAME_LISTENS_VLANS     8u /* tagged frames come in if list_vlan has their VLAN */

/* Memory of a channel with so many pairs. */
static inline uint64_t frame_channel_bytes(uint32_t pairs)
{
    uint64_t bytes =
        __builtin_offsetof(struct frame_channel, pair) + pairs * sizeof(struct frame_pair);
    return (bytes + 4095u) & ~4095ull;
}

#endif
