/* SPDX-License-Identifier: BSD-2-Clause */
/* A client of the pool process: its channel (user/block.h), seen from the driver's side, and the
 * lane that reaches its memory. */
#ifndef DRIVERS_POOL_CLIENT_H
#define DRIVERS_POOL_CLIENT_H

#include "drivers/pool/lane.h"
#include "drivers/pool/protocol.h"

struct client_request {
    struct pool_request request;
    struct client *client;
    uint32_t slot;
    bool taken;
    struct blk_segment segment[BLK_SEGMENTS_MAX];
};

struct client {
    struct blk_channel *shared;
    uint32_t notif; /* the client's */
    struct pool_attach attach;
    struct lane lane;
    struct pool *pool;
    struct pool_volume *volume; /* NULL: not served yet */
    uint32_t active;            /* requests taken */
    uint64_t ended;             /* bits that it is not told of yet */
    bool detaching;
    struct client_request request[BLK_SLOTS];
};

/* NULL: no memory. The channels are mapped. */
struct client *client_new(const struct pool_attach *attach, struct blk_channel *shared,
                          uint32_t notif, void *lane, uint32_t peer);
/* Serves it from now on; what an earlier process has left is done again. False: there is no such
 * volume. */
bool client_serve(struct client *client, struct pool *pool, uint32_t block_size);
/* Takes what was submitted. */
void client_take(struct client *client);
/* Tells the client of what has ended. */
void client_tell(struct client *client);
/* The volume has another size. */
void client_announce(struct client *client, uint32_t block_size);
void client_ended(struct pool_request *request, enum blk_status status);
/* Takes no more; true when nothing of it is in flight: client_free(). */
bool client_detach(struct client *client);
void client_free(struct client *client);

#endif
