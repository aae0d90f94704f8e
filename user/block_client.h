/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's side of a block channel. What the driver writes is looked at once, and believed only
 * where the client asked for it. Not thread-safe: callers hold one lock a client. */
#ifndef USER_BLOCK_CLIENT_H
#define USER_BLOCK_CLIENT_H

#include <stdbool.h>
#include "user/block.h"

struct bell;

struct blk_request {
    uint32_t op, flags; /* enum blk_op; BLK_FUA */
    uint64_t sector, sectors;
    uint32_t segments;
    uint32_t tag; /* the caller's own; comes back with the answer */
};

struct blk_client {
    struct blk_channel *channel;
    uint32_t notif;    /* slot of the driver's notification */
    uint64_t bits;     /* signalled there */
    struct bell *bell; /* by which it is signalled; NULL: at once */
    uint64_t busy;     /* slots submitted and not taken back */
    uint64_t unrung;   /* of them, those that the driver has not been told of */
    uint64_t ended;    /* taken from channel->ended, and not looked at */
    uint64_t sequence;
    uint32_t generation;
    bool present;
    uint64_t lies; /* times the driver said what cannot be */
    uint32_t tag[BLK_SLOTS];
};

/* The channel is zeroed but for what the driver has filled in. */
void blk_client_init(struct blk_client *client, struct blk_channel *channel, uint32_t notif,
                     uint64_t bits);
/* After blk_client_init() on a channel that another process has used before: what it has submitted
 * is taken over, tags are numbers of slots, and the driver hears of what it may not have heard of.
 */
void blk_client_adopt(struct blk_client *client);
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
/* blk_client_take() has something to look at. To be taken until it has not, whether requests are
 * open or not: a driver does not signal again while the word tells of slots that were taken before,
 * as it can after a driver has died. */
static inline bool blk_client_has_answers(const struct blk_client *client)
{
    return client->ended || __atomic_load_n(&client->channel->ended, __ATOMIC_RELAXED);
}
/* The next request that ended, in any order: its tag and status. false: none. */
bool blk_client_take(struct blk_client *client, uint32_t *tag, enum blk_status *status);
/* blk_client_changed() has something to do. */
static inline bool blk_client_differs(const struct blk_client *client)
{
    return __atomic_load_n(&client->channel->generation, __ATOMIC_ACQUIRE) != client->generation ||
           (__atomic_load_n(&client->channel->present, __ATOMIC_ACQUIRE) != 0) != client->present;
}
/* Looks whether geometry changed or another driver has taken over; then tells it again of what it
 * may have missed. True if the geometry is to be read again. */
bool blk_client_changed(struct blk_client *client);
/* What the driver says, made plausible: sizes are powers of two, texts end. */
void blk_client_geometry(const struct blk_client *client, struct blk_geometry *geometry);

#endif
