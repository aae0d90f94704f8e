/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/pool/client.h"

#include <stdlib.h>
#include <string.h>
#include "user/program.h"
#include "user/syscall_stubs.h"

struct client *client_new(const struct pool_attach *attach, struct blk_channel *shared,
                          uint32_t notif, void *lane, uint32_t peer)
{
    struct client *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->attach = *attach;
    c->shared = shared;
    c->notif = notif;
    lane_init(&c->lane, lane, peer, attach->driver_bits, NULL);
    return c;
}

void client_announce(struct client *c, uint32_t block_size)
{
    const struct pool_record *record = pool_record(c->volume);
    uint64_t unit = block_size / POOL_SECTOR;
    struct blk_geometry geometry = {.sectors = record->sectors / unit * unit,
                                    .block_size = block_size,
                                    .physical_size = POOL_PART_SECTORS * POOL_SECTOR,
                                    .discard_align = POOL_PART_SECTORS * POOL_SECTOR,
                                    .flags = BLK_GEOMETRY_FLUSH | BLK_GEOMETRY_FUA |
                                             BLK_GEOMETRY_DISCARD | BLK_GEOMETRY_WRITE_ZEROES,
                                    .model = "Mullion volume"};
    if (c->attach.read_only || record->flags & POOL_RECORD_SNAPSHOT)
        geometry.flags |= BLK_GEOMETRY_READ_ONLY;
    memcpy(geometry.serial, record->name, sizeof(geometry.serial) - 1);
    c->shared->geometry = geometry;
    __atomic_store_n(&c->shared->present, 1, __ATOMIC_RELEASE);
    __atomic_fetch_add(&c->shared->generation, 1, __ATOMIC_ACQ_REL);
    sys_notif_signal(c->notif, c->attach.client_bits);
}

static void end(struct client_request *r, enum blk_status status)
{
    struct client *c = r->client;
    struct blk_slot *shared = &c->shared->slot[r->slot];
    r->taken = false;
    c->active--;
    c->ended |= 1ull << r->slot;
    *(volatile uint32_t *)&shared->status = status;
    __atomic_store_n(&shared->state, BLK_ENDED, __ATOMIC_RELEASE);
}

void client_ended(struct pool_request *request, enum blk_status status)
{
    /* The request is the first member. */
    end((struct client_request *)request, status);
}

/* Of the copy. Where the segments lie is for the disk's driver to check: it has the bounds. */
static bool segments_valid(const struct client_request *r)
{
    uint64_t bytes = 0;
    if (!r->request.segments)
        return false;
    for (uint32_t i = 0; i < r->request.segments; i++) {
        const struct blk_segment *s = &r->segment[i];
        if (s->memory >= BLK_MEMORIES_MAX || !s->length || (s->length | s->offset) & 1)
            return false;
        bytes += s->length;
    }
    return bytes == r->request.sectors * POOL_SECTOR;
}

static void take_slot(struct client *c, uint32_t index)
{
    struct client_request *r = &c->request[index];
    const volatile struct blk_slot *slot = &c->shared->slot[index];
    if (r->taken ||
        __atomic_load_n(&c->shared->slot[index].state, __ATOMIC_ACQUIRE) != BLK_SUBMITTED)
        return;
    r->client = c;
    r->slot = index;
    r->taken = true;
    c->active++;
    r->request.volume = c->volume;
    r->request.op = slot->op;
    r->request.flags = slot->flags;
    r->request.sector = slot->sector;
    r->request.sectors = slot->sectors;
    r->request.segments = slot->segments;
    r->request.segment = r->segment;
    r->request.lane = &c->lane;
    bool data = r->request.op == BLK_READ || r->request.op == BLK_WRITE;
    if (!data)
        r->request.segments = 0;
    if (r->request.segments > BLK_SEGMENTS_MAX) {
        end(r, BLK_INVALID);
        return;
    }
    memcpy(r->segment, c->shared->slot[index].segment, r->request.segments * sizeof(r->segment[0]));
    if (data && !segments_valid(r))
        end(r, BLK_INVALID);
    else if (c->attach.read_only && r->request.op != BLK_READ && r->request.op != BLK_FLUSH)
        end(r, BLK_READ_ONLY);
    else
        pool_submit(c->pool, &r->request);
}

/* As the driver of a disk does: oldest first, and what had ended is told again. */
static void take_over(struct client *c)
{
    uint32_t order[BLK_SLOTS], n = 0;
    uint64_t sequence[BLK_SLOTS];
    __atomic_exchange_n(&c->shared->submitted, 0, __ATOMIC_ACQ_REL);
    for (uint32_t i = 0; i < BLK_SLOTS; i++) {
        uint32_t state = __atomic_load_n(&c->shared->slot[i].state, __ATOMIC_ACQUIRE);
        uint64_t s = *(const volatile uint64_t *)&c->shared->slot[i].sequence;
        if (state == BLK_ENDED)
            c->ended |= 1ull << i;
        if (state != BLK_SUBMITTED)
            continue;
        uint32_t at = n++;
        for (; at && sequence[at - 1] > s; at--) {
            sequence[at] = sequence[at - 1];
            order[at] = order[at - 1];
        }
        sequence[at] = s;
        order[at] = i;
    }
    for (uint32_t i = 0; i < n; i++)
        take_slot(c, order[i]);
    if (n)
        log_line("%s: %u requests that were submitted before are done", c->attach.name, n);
    __atomic_fetch_or(&c->shared->ended, c->ended, __ATOMIC_ACQ_REL);
    c->ended = 0;
    sys_notif_signal(c->notif, c->attach.client_bits);
}

bool client_serve(struct client *c, struct pool *pool, uint32_t block_size)
{
    struct pool_volume *volume = pool_find(pool, c->attach.volume);
    if (!volume)
        return false;
    c->pool = pool;
    c->volume = volume;
    pool_use(volume, true);
    client_announce(c, block_size);
    take_over(c);
    return true;
}

void client_take(struct client *c)
{
    if (c->detaching || !c->volume)
        return;
    uint64_t bits = __atomic_exchange_n(&c->shared->submitted, 0, __ATOMIC_ACQ_REL);
    for (; bits; bits &= bits - 1)
        take_slot(c, (uint32_t)__builtin_ctzll(bits));
}

void client_tell(struct client *c)
{
    uint64_t before = __atomic_fetch_or(&c->shared->ended, c->ended, __ATOMIC_ACQ_REL);
    c->ended = 0;
    if (!before)
        bell_signal(&lane_bell, c->notif, c->attach.client_bits);
}

bool client_detach(struct client *c)
{
    c->detaching = true;
    return !c->active && lane_is_quiet(&c->lane);
}

void client_free(struct client *c)
{
    if (c->volume)
        pool_use(c->volume, false);
    __atomic_store_n(&c->shared->present, 0, __ATOMIC_RELEASE);
    free(c);
}
