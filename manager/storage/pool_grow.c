/* SPDX-License-Identifier: BSD-2-Clause */
/* A pool that becomes larger while guests use it: its partition in the table, the channels to the
 * disk's driver, and last the pool, which takes what its partition has when it is opened. So its
 * process is ended like one that crashed, and guests see a pause. */
#include <stdio.h>
#include "manager/storage/pool.h"
#include "user/program.h"

static void answer(struct pool_server *p, const char *why)
{
    p->growth = GROWTH_NONE;
    if (p->order_state != ORDER_GROWS)
        return;
    p->order_state = ORDER_DONE;
    snprintf(p->order_text, sizeof(p->order_text), "%s", why);
}

const char *pool_grow(struct pool_server *p, uint64_t sectors)
{
    if (p->growth != GROWTH_NONE)
        return "the pool is growing already";
    uint64_t unit = p->volume.disk.geometry.block_size / BLK_SECTOR;
    const char *why = volume_grow(&p->volume, (sectors + unit - 1) / unit * unit);
    if (!why)
        p->growth = GROWTH_PARTITION;
    return why;
}

static bool is_at(const struct pool_server *p, const struct volume *v)
{
    return p->volume.ahci == v->ahci && p->volume.port == v->port &&
           p->volume.first_sector == v->first_sector;
}

void pool_partition_grown(const struct volume *volume, uint64_t sectors, const char *why)
{
    for (uint32_t i = 0; i < pool_count(); i++) {
        struct pool_server *p = pool_at(i);
        if (p->growth != GROWTH_PARTITION || !is_at(p, volume))
            continue;
        if (why) {
            answer(p, why);
            return;
        }
        log_line("pool %s: its partition has %llu MiB now", p->name,
                 (unsigned long long)(sectors / 2048));
        p->volume.sectors = sectors;
        channel_resize(p->channel, sectors);
        for (uint32_t k = 0; k < POOL_CLIENTS; k++) {
            if (p->client[k].owner && p->client[k].lower)
                channel_resize(p->client[k].lower, sectors);
        }
        p->growth = GROWTH_CHANNELS;
        ahci_job(p->volume.ahci);
    }
}

void pool_growth_tick(struct pool_server *p)
{
    struct pool_head head;
    uint32_t n;
    if (p->growth != GROWTH_CHANNELS)
        return;
    bool good = channel_has_size(p->channel);
    for (uint32_t k = 0; k < POOL_CLIENTS && good; k++)
        good = !p->client[k].owner || !p->client[k].lower || channel_has_size(p->client[k].lower);
    if (!good)
        return;
    p->growth = GROWTH_OPENS;
    p->blocks_before = pool_read(p, &head, 0, NULL, 0, &n) ? head.blocks : 0;
    if (p->life.program.alive)
        pool_end(p);
}

void pool_growth_opened(struct pool_server *p, const struct pool_head *head)
{
    if (p->growth != GROWTH_OPENS)
        return;
    if (head->state != POOL_OPEN)
        answer(p, head->reason);
    else
        answer(p, head->blocks > p->blocks_before
                      ? ""
                      : "its partition is larger, but by less than 16 MiB, or the pool has grown "
                        "too often: it is as it was");
}
