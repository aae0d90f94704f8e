/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's side of a block channel. What the driver writes is looked at once, and believed only
 * where the client asked for it. Not thread-safe: callers hold one lock a client. */
#ifndef USER_BLOCK_CLIENT_H
#define USER_BLOCK_CLIENT_H

#include <stdbool.h>
#include "user/block.h"

struct blk_request {
    uint32_t op, flags; /* enum blk_op; BLK_FUA */
    uint64_t sector, sectors;
    uint32_t segments;
    uint32_t tag; /* the caller's own; comes back with the answer */
};

struct blk_client {
    struct blk_channel *channel;
    uint32_t notif;  /* slot of the driver's notification */
    uint64_t bits;   /* signalled there */
    uint64_t busy;   /* slots submitted and not taken back */
    uint64_t unrung; /* of them, those that the driver has not been told of */
    uint64_t ended;  /* taken from channel->ended, and not looked at */
    uint64_t sequence;
    uint32_t generation;
    bool present;
    uint64_t lies; /* times the driver said what cannot be */
    uint32_t tag[BLK_SLOTS];
};

/* The channel is zeroed but for what the driver has filled in. */
void blk_client_init(struct blk_client *client, struct blk_channel *channel, uint32_t notif,
                     uint64_t bits);
static inline bool blk_client_full(const struct blk_client *client)
{
    return client->busy == ~0ull;
}
/* Where the segments of the next request are written, before blk_client_submit(). NULL: all slots
 * are taken. */
struct blk_segment *blk_client_segments(struct blk_client *client);
/* Fills the slot that blk_client_segments() showed. The driver hears of it by blk_client_ring(). */
void blk_client_submit(struct blk_client *client, const struct blk_request *request);
/* After a batch of submissions. */
void blk_client_ring(struct blk_client *client);
/* The next request that ended, in any order: its tag and status. false: none. */
bool blk_client_take(struct blk_client *client, uint32_t *tag, enum blk_status *status);
/* Looks whether geometry changed or another driver has taken over; then tells it again of what it
 * may have missed. True if the geometry is to be read again. */
bool blk_client_changed(struct blk_client *client);
/* What the driver says, made plausible: sizes are powers of two, texts end. */
void blk_client_geometry(const struct blk_client *client, struct blk_geometry *geometry);

#endif
