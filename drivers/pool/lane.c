/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/pool/lane.h"

#include <string.h>

struct bell lane_bell;

void lane_init(struct lane *lane, void *channel, uint32_t peer, uint64_t bits, uint8_t *own)
{
    memset(lane, 0, sizeof(*lane));
    lane->own = own;
    lane->wrote = true; /* the process before may have */
    blk_client_init(&lane->client, channel, peer, bits);
    lane->client.bell = &lane_bell;
    blk_client_adopt(&lane->client);
}

/* False: all slots are taken. */
static bool put(struct lane *lane, struct pool_io *io)
{
    struct blk_segment *segment = blk_client_segments(&lane->client);
    struct blk_request request = {
        .op = io->op, .flags = io->fua ? BLK_FUA : 0, .sector = io->sector, .sectors = io->sectors};
    if (!segment)
        return false;
    if (io->op != BLK_FLUSH && io->buffer) {
        segment[0] = (struct blk_segment){.offset = (uint64_t)((uint8_t *)io->buffer - lane->own),
                                          .length = (uint32_t)(io->sectors * POOL_SECTOR)};
        request.segments = 1;
    } else if (io->op != BLK_FLUSH) {
        request.segments = pool_cut(io, segment);
    }
    request.tag = (uint32_t)__builtin_ctzll(~lane->client.busy);
    lane->io[request.tag] = io;
    lane->wrote |= io->op == BLK_WRITE;
    blk_client_submit(&lane->client, &request);
    return true;
}

void lane_submit(struct lane *lane, struct pool_io *io)
{
    if (!lane->first && put(lane, io))
        return;
    io->next = NULL;
    if (lane->first)
        lane->last->next = io;
    else
        lane->first = io;
    lane->last = io;
}

void lane_ring(struct lane *lane)
{
    while (lane->first && put(lane, lane->first))
        lane->first = lane->first->next;
    blk_client_ring(&lane->client);
}

bool lane_take(struct lane *lane, struct pool_io **io, enum blk_status *status)
{
    uint32_t tag;
    while (blk_client_take(&lane->client, &tag, status)) {
        *io = lane->io[tag];
        lane->io[tag] = NULL;
        if (*io)
            return true;
    }
    return false;
}
