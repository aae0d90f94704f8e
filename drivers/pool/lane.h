/* SPDX-License-Identifier: BSD-2-Clause */
/* Channels from the pool process to the disk's driver: one for the pool's own memory, one for the
 * memory of each client. */
#ifndef DRIVERS_POOL_LANE_H
#define DRIVERS_POOL_LANE_H

#include "drivers/pool/pool.h"
#include "user/bell.h"
#include "user/block_client.h"

struct lane {
    struct blk_client client;
    uint8_t *own;                  /* memory 0 of the pool's own; NULL: a client's */
    struct pool_io *first, *last;  /* wait for a slot */
    struct pool_io *io[BLK_SLOTS]; /* by tag; NULL: left by the process before */
    bool wrote;                    /* since its last flush */
    bool submitted;
};

/* channel: mapped. What an earlier process has left in it ends first: lane_is_quiet(). */
void lane_init(struct lane *lane, void *channel, uint32_t peer, uint64_t bits, uint8_t *own);
/* The process's own: what its lanes signal, and its clients. */
extern struct bell lane_bell;
void lane_submit(struct lane *lane, struct pool_io *io);
/* Something waits for lane_ring(), which tells the driver of a batch. */
static inline bool lane_has_news(const struct lane *lane)
{
    return lane->first || lane->client.unrung;
}
void lane_ring(struct lane *lane);
/* The next io that ended. False: none. */
bool lane_take(struct lane *lane, struct pool_io **io, enum blk_status *status);
static inline bool lane_is_quiet(const struct lane *lane)
{
    return !lane->client.busy && !lane->first;
}

#endif
