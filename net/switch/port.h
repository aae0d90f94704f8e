/* SPDX-License-Identifier: BSD-2-Clause */
/* The switch's side of a frame channel. What the owner writes is copied before it is looked at, and
 * bounded: it can only spoil its own frames. */
#ifndef NET_SWITCH_PORT_H
#define NET_SWITCH_PORT_H

#include "net/switch/packet.h"
#include "net/switch/protocol.h"
#include "net/switch/rate.h"

#define PORT_BUFFERS_MAX 128u /* receive entries that one frame takes */

/* A ring, as far as the owner cannot change it. */
struct ring_side {
    struct frame_ring *ring;
    uint32_t next;  /* entry that comes next */
    uint32_t seen;  /* entries are posted up to here */
    uint32_t shown; /* `ended`, as the owner knows it */
};

struct port {
    uint32_t id;
    struct frame_channel *channel;
    uint8_t *area;
    uint64_t area_size;
    uint32_t room_pairs; /* that the channel's memory has room for */
    uint32_t notif;      /* slot of the owner's notification */
    uint64_t owner_bits;
    struct switch_port config;
    uint64_t *stat; /* by enum switch_stat */

    /* Of this epoch. */
    uint32_t epoch, takes, pairs, headroom, mtu;
    bool carrier;
    /* What the owner listens for, as it was last looked at. */
    uint32_t hearing, changes, changes_s;
    bool is_fickle;
    struct ring_side send[FRAME_PAIRS_MAX], receive[FRAME_PAIRS_MAX];

    uint64_t mac;        /* the configured one; 0: none */
    bool moved;          /* some index has, and the owner has not been told */
    struct rate in, out; /* to the owner, from it */
    struct bucket storm; /* broadcast and unknown frames that it sends */
    uint64_t wait_from;
    uint64_t wait_until; /* its sender waits, ns: for its rate, for room at another port; 0: not */
    uint32_t waits_for;  /* 1 + port without room; 0: its rate */
    /* As a receiver: how long it may still keep senders waiting, ns. */
    uint64_t patience, patience_at;
    uint64_t waiting[SWITCH_PORTS / 64]; /* senders that wait for its buffers */
    uint64_t loop_until;                 /* its floods are dropped: it is part of a loop */
};

/* Where frames come from, or go to, when the switch begins to serve a channel: it may have been
 * served by one before. */
void port_open(struct port *port);
/* The owner may have begun a new epoch: follows it. True if it has. */
bool port_follow(struct port *port);
/* The next frame of a pair; its entries stay the switch's until port_sent(). */
enum port_frame { PORT_NONE, PORT_FRAME, PORT_MALFORMED };
enum port_frame port_next(struct port *port, uint32_t pair, struct packet *p, uint32_t *entries);
/* Its entries are the owner's again; error: it is told so. */
void port_sent(struct port *port, uint32_t pair, uint32_t entries, bool error);

/* A frame for the owner, in the shape in which it wants it. */
struct port_delivery {
    const uint8_t *head;
    uint32_t head_size;
    struct slice body;
    uint16_t flags, gso_size, header_length, csum_start, csum_offset;
};
enum port_put { PORT_PUT, PORT_NO_ROOM, PORT_TOO_LONG };
enum port_put port_put(struct port *port, uint32_t pair, const struct port_delivery *d);
/* Receive entries that are posted. */
uint32_t port_room(struct port *port, uint32_t pair);

/* Shows the owner what has ended, and signals it if it waits for that. */
void port_show(struct port *port);
/* About to sleep: asks for signals when frames are posted. True if there are some: do not sleep. */
bool port_arm(struct port *port);
/* The same for buffers to receive into. */
bool port_arm_receive(struct port *port, uint32_t pair);
/* Something of the switch's page has changed. */
void port_announce(struct port *port, bool link, uint32_t mtu, const struct frame_filter *filter);

static inline void port_count(struct port *port, enum switch_stat stat, uint64_t n)
{
    port->stat[stat] += n;
}

#endif
