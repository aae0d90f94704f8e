/* SPDX-License-Identifier: BSD-2-Clause */
/* The owner's side of a frame channel. What the switch writes is looked at once, and bounded. Not
 * thread-safe: callers hold one lock a ring, or have one thread for it. */
#ifndef USER_FRAME_OWNER_H
#define USER_FRAME_OWNER_H

#include <stdbool.h>
#include "user/frame.h"

struct frame_owner_ring {
    struct frame_ring *ring;
    uint32_t posted; /* entries that the owner has posted, own count */
    uint32_t taken;  /* of them, taken back */
    uint32_t shown;  /* the switch knows of entries up to here */
};

struct frame_owner {
    struct frame_channel *channel;
    uint32_t notif; /* slot of the switch's notification */
    uint64_t bits;  /* signalled there */
    uint32_t pairs;
    uint32_t epoch, generation;
    uint64_t lies; /* times the switch said what cannot be */
    struct frame_owner_ring send[FRAME_PAIRS_MAX], receive[FRAME_PAIRS_MAX];
};

/* What the owner says of itself with an epoch. */
struct frame_offer {
    uint32_t takes, pairs, owner_mtu;
    uint8_t mac[6];
    uint32_t headroom;
};

/* pairs: what the channel's memory has room for. */
void frame_owner_init(struct frame_owner *owner, struct frame_channel *channel, uint32_t pairs,
                      uint32_t notif, uint64_t bits);
/* Starts an epoch: all that was posted is void, once frame_owner_ready() says so. */
void frame_owner_reset(struct frame_owner *owner, const struct frame_offer *offer);
/* After channel->listens, list_mac or list_vlan have changed. */
void frame_owner_hears(struct frame_owner *owner);
/* The switch has followed: no buffer of earlier epochs is touched any more, and the rings are
 * empty.
 */
bool frame_owner_ready(struct frame_owner *owner);
/* Entries that can still be posted. */
static inline uint32_t frame_owner_room(const struct frame_owner_ring *ring)
{
    return FRAME_ENTRIES - (ring->posted - ring->taken);
}
/* Posts n entries, all or none: a frame's (or a buffer's) entries are posted together. False: no
 * room.
 */
bool frame_owner_post(struct frame_owner_ring *ring, const struct frame_entry *entries, uint32_t n);
/* After a batch: shows the entries to the switch, and signals it if it waits. */
void frame_owner_ring_bell(struct frame_owner *owner, struct frame_owner_ring *ring);
/* The next ended entry, in the order of posting; `index` is its posting number modulo
 * FRAME_ENTRIES, by which the owner knows what memory it posted (it never believes entry->offset).
 * False: none. */
bool frame_owner_take(struct frame_owner *owner, struct frame_owner_ring *ring,
                      struct frame_entry *entry, uint32_t *index);
/* About to sleep: asks for a signal when entries end. True if some have meanwhile: do not sleep. */
bool frame_owner_arm(struct frame_owner_ring *ring);
/* True once after the switch's page has changed (link, mtu, filter) or the switch was restarted. */
bool frame_owner_changed(struct frame_owner *owner);

#endif
