/* SPDX-License-Identifier: BSD-2-Clause */
/* From a slot that a client has filled, whom nobody trusts, to its end. */
#include "drivers/ahci/channel.h"

#include <string.h>

/* A copy: what the client changes afterwards is its own affair. The segments are the request's. */
static void copy_slot(const struct blk_slot *from, struct blk_slot *to, struct request *r)
{
    const volatile struct blk_slot *slot = from;
    to->op = slot->op;
    to->flags = slot->flags;
    to->sector = slot->sector;
    to->sectors = slot->sectors;
    to->segments = slot->segments;
    r->segments = 0;
    if (to->op > BLK_WRITE || to->segments > BLK_SEGMENTS_MAX)
        return;
    r->segments = to->segments;
    memcpy(r->part, from->segment, to->segments * sizeof(r->part[0]));
}

static bool segments_valid(const struct channel *c, const struct request *r, uint64_t sectors)
{
    uint64_t bytes = 0;
    if (!r->segments) /* or too many */
        return false;
    for (uint32_t i = 0; i < r->segments; i++) {
        const struct blk_segment *g = &r->part[i];
        if (g->memory >= BLK_MEMORIES_MAX || !g->length || (g->length | g->offset) & 1)
            return false;
        uint64_t size = c->memory[g->memory].size;
        if (g->offset > size || g->length > size - g->offset)
            return false;
        bytes += g->length;
    }
    return bytes == sectors * BLK_SECTOR;
}

static enum blk_status validate(const struct channel *c, const struct request *r,
                                const struct blk_slot *s)
{
    const struct disk *disk = &c->port->disk;
    if (s->op > BLK_WRITE_ZEROES || s->flags & ~BLK_FUA)
        return BLK_INVALID;
    if (s->op == BLK_FLUSH)
        return BLK_OK;
    if (!s->sectors)
        return BLK_INVALID;
    if (s->sector > c->sectors || s->sectors > c->sectors - s->sector ||
        (s->sector | s->sectors) % (disk->block_size / BLK_SECTOR))
        return BLK_RANGE;
    if (s->op != BLK_READ && c->read_only)
        return BLK_READ_ONLY;
    if (s->op == BLK_DISCARD)
        return disk->trim_pages ? BLK_OK : BLK_UNSUPPORTED;
    if (s->op != BLK_WRITE_ZEROES && !segments_valid(c, r, s->sectors))
        return BLK_INVALID;
    return BLK_OK;
}

/* What the volume's disk is like at the moment. */
static enum blk_status disk_status(const struct channel *c)
{
    if (c->gone)
        return BLK_GONE;
    return c->port->state == PORT_FAILED ? BLK_IO_ERROR : BLK_OK;
}

static void start_flush(struct channel *c, struct request *r)
{
    r->mark = c->writes;
    if (c->lost) {
        /* Said once, to whom it matters: to the first that asks. */
        c->lost = false;
        c->flushed = c->writes;
        request_end(r, BLK_IO_ERROR);
    } else if (!c->port->disk.cache || c->port->disk.packet) {
        request_end(r, BLK_OK);
    } else {
        schedule_flush(c->port, r);
    }
}

static void start_data(struct channel *c, struct request *r, const struct blk_slot *s)
{
    const struct disk *disk = &c->port->disk;
    uint32_t per_block = disk->block_size / BLK_SECTOR;
    bool through = s->flags & BLK_FUA && (s->op == BLK_WRITE || s->op == BLK_WRITE_ZEROES);
    r->lba = (c->first_sector + s->sector) / per_block;
    r->blocks = s->sectors / per_block;
    r->fua = through && disk->cache && disk->fua;
    r->flush_after = through && disk->cache && !disk->fua;
    r->next = NULL;
    *c->pending_tail = r;
    c->pending_tail = &r->next;
}

static void count_request(const struct channel *c, const struct blk_slot *s)
{
    switch (s->op) {
    case BLK_READ:
        channel_count(c, AHCI_CHANNEL_READS, 1);
        channel_count(c, AHCI_CHANNEL_READ_BYTES, s->sectors * BLK_SECTOR);
        break;
    case BLK_WRITE:
        channel_count(c, AHCI_CHANNEL_WRITES, 1);
        channel_count(c, AHCI_CHANNEL_WRITTEN_BYTES, s->sectors * BLK_SECTOR);
        break;
    case BLK_FLUSH:
        channel_count(c, AHCI_CHANNEL_FLUSHES, 1);
        break;
    default:
        channel_count(c, AHCI_CHANNEL_DISCARDS, 1);
        break;
    }
}

void request_take(struct channel *c, uint32_t slot)
{
    struct request *r = &c->request[slot];
    struct blk_slot *shared = &c->shared->slot[slot];
    struct blk_slot copy;
    if (r->taken || __atomic_load_n(&shared->state, __ATOMIC_ACQUIRE) != BLK_SUBMITTED)
        return;
    copy_slot(shared, &copy, r);
    r->channel = c;
    r->slot = slot;
    r->op = copy.op;
    r->taken = true;
    r->fua = r->flush_after = false;
    r->inflight = 0;
    r->status = BLK_OK;
    r->blocks = 0;
    r->segment = r->offset = 0;
    c->active++;
    enum blk_status status = disk_status(c);
    if (status == BLK_OK) {
        status = validate(c, r, &copy);
        channel_count(c, AHCI_CHANNEL_REFUSED, status != BLK_OK);
    }
    if (status != BLK_OK) {
        request_end(r, status);
        return;
    }
    count_request(c, &copy);
    if (copy.op == BLK_FLUSH)
        start_flush(c, r);
    else
        start_data(c, r, &copy);
}

void request_end(struct request *r, enum blk_status status)
{
    struct channel *c = r->channel;
    struct blk_slot *shared = &c->shared->slot[r->slot];
    channel_count(c, AHCI_CHANNEL_FAILED, status == BLK_IO_ERROR);
    if (r->op == BLK_FLUSH && status == BLK_OK && r->mark > c->flushed)
        c->flushed = r->mark;
    /* One that failed may have been written in part. */
    if ((r->op == BLK_WRITE || r->op == BLK_WRITE_ZEROES) && !r->fua)
        c->writes++;
    r->taken = false;
    c->active--;
    c->ended |= 1ull << r->slot;
    c->port->hba->tell |= 1ull << c->index;
    *(volatile uint32_t *)&shared->status = status;
    __atomic_store_n(&shared->state, BLK_ENDED, __ATOMIC_RELEASE);
}

static void unlink_pending(struct channel *c, struct request *r)
{
    struct request **link = &c->pending;
    while (*link && *link != r)
        link = &(*link)->next;
    if (!*link)
        return;
    *link = r->next;
    if (c->pending_tail == &r->next)
        c->pending_tail = link;
}

void request_command_done(struct request *r, enum blk_status status)
{
    r->inflight--;
    if (status != BLK_OK && r->status == BLK_OK)
        r->status = status;
    if (r->status != BLK_OK && r->blocks) {
        r->blocks = 0;
        unlink_pending(r->channel, r);
    }
    if (r->inflight || r->blocks)
        return;
    if (r->status == BLK_OK && r->flush_after) {
        r->flush_after = false;
        schedule_flush(r->channel->port, r);
    } else {
        request_end(r, r->status);
    }
}

void request_flushed(struct request *r, enum blk_status status)
{
    request_end(r, status);
}

void request_drop_pending(struct channel *c, enum blk_status status)
{
    struct request *r = c->pending;
    c->pending = NULL;
    c->pending_tail = &c->pending;
    while (r) {
        struct request *next = r->next;
        r->blocks = 0;
        r->status = status;
        if (!r->inflight)
            request_end(r, status);
        r = next;
    }
}
