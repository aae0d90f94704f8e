/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/block_client.h"

#include <string.h>
#include "user/bell.h"
#include "user/syscall_stubs.h"

#define SECTORS_MAX       (1ull << 54) /* bytes still fit into 63 bits */
#define PHYSICAL_SIZE_MAX (1u << 20)

void blk_client_init(struct blk_client *client, struct blk_channel *channel, uint32_t notif,
                     uint64_t bits)
{
    memset(client, 0, sizeof(*client));
    client->channel = channel;
    client->notif = notif;
    client->bits = bits;
    client->generation = __atomic_load_n(&channel->generation, __ATOMIC_ACQUIRE);
    client->present = __atomic_load_n(&channel->present, __ATOMIC_ACQUIRE) != 0;
}

static unsigned free_slot(const struct blk_client *client)
{
    return (unsigned)__builtin_ctzll(~client->busy);
}

struct blk_segment *blk_client_segments(struct blk_client *client)
{
    if (blk_client_full(client))
        return NULL;
    return client->channel->slot[free_slot(client)].segment;
}

void blk_client_submit(struct blk_client *client, const struct blk_request *request)
{
    unsigned index = free_slot(client);
    struct blk_slot *slot = &client->channel->slot[index];
    client->busy |= 1ull << index;
    client->unrung |= 1ull << index;
    client->tag[index] = request->tag;
    slot->status = BLK_OK;
    slot->op = request->op;
    slot->flags = request->flags;
    slot->sequence = ++client->sequence;
    slot->sector = request->sector;
    slot->sectors = request->sectors;
    slot->segments = request->segments;
    /* Release: pairs with the driver's acquire when it looks at the state, be it for a bit of
     * `submitted` or because it takes over. */
    __atomic_store_n(&slot->state, BLK_SUBMITTED, __ATOMIC_RELEASE);
}

void blk_client_ring(struct blk_client *client)
{
    if (!client->unrung)
        return;
    uint64_t before =
        __atomic_fetch_or(&client->channel->submitted, client->unrung, __ATOMIC_SEQ_CST);
    client->unrung = 0;
    if (before == 0)
        bell_signal(client->bell, client->notif, client->bits);
}

bool blk_client_take(struct blk_client *client, uint32_t *tag, enum blk_status *status)
{
    for (;;) {
        if (!client->ended) {
            if (!__atomic_load_n(&client->channel->ended, __ATOMIC_RELAXED))
                return false;
            client->ended = __atomic_exchange_n(&client->channel->ended, 0, __ATOMIC_SEQ_CST);
            if (!client->ended)
                return false;
        }
        unsigned index = (unsigned)__builtin_ctzll(client->ended);
        client->ended &= client->ended - 1;
        struct blk_slot *slot = &client->channel->slot[index];
        /* Acquire: pairs with the driver's release of BLK_ENDED; status and data are there. */
        if (!(client->busy >> index & 1) ||
            __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != BLK_ENDED) {
            client->lies++;
            continue;
        }
        uint32_t said = __atomic_load_n(&slot->status, __ATOMIC_RELAXED);
        __atomic_store_n(&slot->state, BLK_FREE, __ATOMIC_RELAXED);
        client->busy &= ~(1ull << index);
        client->lies += said > BLK_GONE;
        *status = said > BLK_GONE ? BLK_IO_ERROR : (enum blk_status)said;
        *tag = client->tag[index];
        return true;
    }
}

/* A driver may have died between any two steps: after it took the word of submissions, or after it
 * ended a slot and before it said so. The one that follows finds the first by itself; both are made
 * good here, too, where it costs nothing. */
static void recover(struct blk_client *client)
{
    for (uint64_t busy = client->busy; busy; busy &= busy - 1) {
        unsigned index = (unsigned)__builtin_ctzll(busy);
        uint32_t state = __atomic_load_n(&client->channel->slot[index].state, __ATOMIC_ACQUIRE);
        if (state == BLK_ENDED)
            client->ended |= 1ull << index;
    }
    uint64_t open = client->busy & ~client->ended;
    if (open) {
        __atomic_fetch_or(&client->channel->submitted, open, __ATOMIC_SEQ_CST);
        client->unrung = 0;
        sys_notif_signal(client->notif, client->bits);
    }
}

void blk_client_adopt(struct blk_client *client)
{
    for (unsigned i = 0; i < BLK_SLOTS; i++) {
        const struct blk_slot *slot = &client->channel->slot[i];
        if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) == BLK_FREE)
            continue;
        client->busy |= 1ull << i;
        client->tag[i] = i;
        if (slot->sequence > client->sequence)
            client->sequence = slot->sequence;
    }
    recover(client);
}

bool blk_client_changed(struct blk_client *client)
{
    uint32_t generation = __atomic_load_n(&client->channel->generation, __ATOMIC_ACQUIRE);
    bool present = __atomic_load_n(&client->channel->present, __ATOMIC_ACQUIRE) != 0;
    bool other = generation != client->generation;
    bool came = present && (!client->present || other);
    client->generation = generation;
    client->present = present;
    if (came)
        recover(client);
    return other || came;
}

static bool is_power(uint32_t value)
{
    return value && !(value & (value - 1));
}

void blk_client_geometry(const struct blk_client *client, struct blk_geometry *geometry)
{
    const volatile struct blk_geometry *from = &client->channel->geometry;
    *geometry = (struct blk_geometry){.sectors = from->sectors,
                                      .block_size = from->block_size,
                                      .physical_size = from->physical_size,
                                      .discard_align = from->discard_align,
                                      .flags = from->flags};
    for (unsigned i = 0; i < sizeof(geometry->serial) - 1; i++)
        geometry->serial[i] = from->serial[i];
    for (unsigned i = 0; i < sizeof(geometry->model) - 1; i++)
        geometry->model[i] = from->model[i];
    if (geometry->block_size != 2048 && geometry->block_size != 4096)
        geometry->block_size = 512;
    if (geometry->sectors > SECTORS_MAX)
        geometry->sectors = 0;
    geometry->sectors -= geometry->sectors % (geometry->block_size / BLK_SECTOR);
    if (!is_power(geometry->physical_size) || geometry->physical_size < geometry->block_size ||
        geometry->physical_size > PHYSICAL_SIZE_MAX)
        geometry->physical_size = geometry->block_size;
    if (geometry->discard_align % geometry->block_size)
        geometry->discard_align = geometry->block_size;
}
