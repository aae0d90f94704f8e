/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of volumes and snapshots. */
#include <stdlib.h>
#include <string.h>
#include "drivers/pool/engine.h"

struct pool_volume *volume_new(struct pool *pool, const struct pool_record *record, uint32_t index)
{
    struct pool_volume *volume = calloc(1, sizeof(*volume));
    if (!volume)
        return NULL;
    volume->pool = pool;
    volume->record = *record;
    volume->index = index;
    volume->hint = NO_BLOCK;
    pool->volume[index] = volume;
    pool->volume_count++;
    return volume;
}

void volume_dirty(struct pool_volume *volume)
{
    volume->pool->table_dirty |= 1u << volume->index / POOL_NODE_RECORDS;
}

struct pool_volume *volume_by_id(const struct pool *pool, uint32_t id)
{
    for (uint32_t i = 0; i < POOL_VOLUMES; i++) {
        if (pool->volume[i] && pool->volume[i]->record.id == id)
            return pool->volume[i];
    }
    return NULL;
}

static struct pool_volume *find(const struct pool *pool, const char *name, size_t length,
                                uint32_t snapshot_of)
{
    for (uint32_t i = 0; i < POOL_VOLUMES; i++) {
        struct pool_volume *volume = pool->volume[i];
        if (!volume || strlen(volume->record.name) != length ||
            memcmp(volume->record.name, name, length) != 0)
            continue;
        bool snapshot = volume->record.flags & POOL_RECORD_SNAPSHOT;
        if (snapshot ? volume->record.parent == snapshot_of : !snapshot_of)
            return volume;
    }
    return NULL;
}

struct pool_volume *pool_find(struct pool *pool, const char *name)
{
    const char *at = strchr(name, '@');
    struct pool_volume *volume = find(pool, name, at ? (size_t)(at - name) : strlen(name), 0);
    return volume && at ? find(pool, at + 1, strlen(at + 1), volume->record.id) : volume;
}

struct pool_volume *pool_at(struct pool *pool, uint32_t index)
{
    return index < POOL_VOLUMES ? pool->volume[index] : NULL;
}

const struct pool_record *pool_record(const struct pool_volume *volume)
{
    return &volume->record;
}

void pool_use(struct pool_volume *volume, bool used)
{
    if (used)
        volume->users++;
    else
        volume->users--;
}

bool pool_is_used(const struct pool_volume *volume)
{
    return volume->users != 0;
}

bool pool_name_is_good(const char *name)
{
    size_t length = strnlen(name, POOL_NAME);
    if (!length || length >= POOL_NAME)
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!plain && (!strchr("_.+-:", c) || (!i && c != '_')))
            return false;
    }
    return true;
}

uint64_t pool_volume_blocks(const struct pool_volume *volume)
{
    return volume->mapped;
}

bool pool_next_block(const struct pool_volume *volume, uint64_t *block)
{
    bool exclusive;
    uint64_t end = (volume->record.sectors + POOL_BLOCK_SECTORS - 1) / POOL_BLOCK_SECTORS;
    for (uint64_t at = *block; at < end;) {
        const struct node *node = volume->root;
        uint32_t level = POOL_LEVELS - 1;
        while (node && level) {
            node = node->child[at >> (9 * level) & (POOL_FANOUT - 1)];
            level -= node != NULL;
        }
        if (node && tree_get(volume, at, &exclusive)) {
            *block = at;
            return true;
        }
        at = node ? at + 1 : ((at >> (9 * (level ? level : 1))) + 1) << (9 * (level ? level : 1));
    }
    return false;
}

void pool_numbers(const struct pool *pool, struct pool_numbers *numbers)
{
    *numbers = (struct pool_numbers){.blocks = pool->blocks,
                                     .free_blocks = pool->free_blocks,
                                     .nodes = pool->nodes,
                                     .node_limit = pool->node_limit,
                                     .generation = pool->super.generation,
                                     .last_job = pool->super.last_job,
                                     .volumes = pool->volume_count};
}
