/* SPDX-License-Identifier: BSD-2-Clause */
/* Which blocks and slots are in use: in memory only, found when the trees are read. */
#include <stdlib.h>
#include "drivers/pool/engine.h"

#define REFS_MAX UINT16_MAX

uint32_t super_slots(const struct pool_super *super)
{
    uint32_t slots = 0;
    for (uint32_t i = 0; i < super->region_count; i++)
        slots += super->region[i].slots;
    return slots;
}

uint64_t super_blocks(const struct pool_super *super)
{
    uint64_t blocks = 0;
    for (uint32_t i = 0; i < super->region_count; i++)
        blocks += super->region[i].blocks;
    return blocks;
}

bool space_init(struct pool *pool)
{
    pool->blocks = pool->free_blocks = super_blocks(&pool->super);
    pool->slots = super_slots(&pool->super);
    pool->refs = calloc(pool->blocks + 1, sizeof(*pool->refs));
    pool->used = calloc(pool->blocks / 64 + 1, sizeof(*pool->used));
    pool->slot_used = calloc(pool->slots / 64 + 1, sizeof(*pool->slot_used));
    if (pool->checking)
        pool->owner_block = calloc(pool->blocks + 1, sizeof(*pool->owner_block));
    /* Beyond the end all is in use, so that a search need not look where it is. */
    for (uint64_t i = pool->blocks; pool->used && i < (pool->blocks / 64 + 1) * 64; i++)
        pool->used[i / 64] |= 1ull << i % 64;
    for (uint64_t i = pool->slots; pool->slot_used && i < (pool->slots / 64 + 1) * 64; i++)
        pool->slot_used[i / 64] |= 1ull << i % 64;
    if (pool->slot_used)
        pool->slot_used[0] |= 1;
    return pool->refs && pool->used && pool->slot_used && (!pool->checking || pool->owner_block);
}

void space_free(struct pool *pool)
{
    free(pool->refs);
    free(pool->used);
    free(pool->slot_used);
    free(pool->owner_block);
}

uint64_t block_sector(const struct pool *pool, uint64_t block)
{
    const struct pool_region *region = pool->super.region;
    while (block >= region->blocks) {
        block -= region->blocks;
        region++;
    }
    return region->first_block_sector + block * POOL_BLOCK_SECTORS;
}

uint64_t slot_sector(const struct pool *pool, uint32_t slot)
{
    const struct pool_region *region = pool->super.region;
    while (slot >= region->slots) {
        slot -= region->slots;
        region++;
    }
    return region->first_sector + (uint64_t)slot * POOL_NODE_SECTORS;
}

/* The first 0 bit from `from` on, round to before it; `bits`: none. The bits beyond the end are 1.
 */
static uint64_t find_free(const uint64_t *map, uint64_t bits, uint64_t from)
{
    uint64_t words = bits / 64 + 1;
    uint64_t at = from < bits ? from / 64 : 0;
    uint64_t word = map[at] | (from < bits ? (1ull << from % 64) - 1 : 0);
    for (uint64_t n = 0; n <= words; n++) {
        if (~word)
            return at * 64 + (uint64_t)__builtin_ctzll(~word);
        at = at + 1 == words ? 0 : at + 1;
        word = map[at];
    }
    return bits;
}

uint64_t block_take(struct pool *pool, uint64_t wish)
{
    if (!pool->free_blocks)
        return NO_BLOCK;
    uint64_t block = wish;
    if (wish >= pool->blocks || pool->used[wish / 64] >> wish % 64 & 1) {
        block = find_free(pool->used, pool->blocks, pool->next_block);
        pool->next_block = block + 1;
    }
    if (block >= pool->blocks)
        return NO_BLOCK;
    pool->used[block / 64] |= 1ull << block % 64;
    pool->refs[block] = 1;
    pool->free_blocks--;
    return block;
}

void block_share(struct pool *pool, uint64_t block)
{
    pool->refs[block]++;
}

void block_drop(struct pool *pool, uint64_t block)
{
    if (--pool->refs[block])
        return;
    pool->used[block / 64] &= ~(1ull << block % 64);
    pool->free_blocks++;
}

bool block_found(struct pool *pool, uint64_t block)
{
    if (pool->refs[block] == REFS_MAX)
        return false;
    if (!pool->refs[block]++) {
        pool->used[block / 64] |= 1ull << block % 64;
        pool->free_blocks--;
    }
    return true;
}

uint32_t slot_take(struct pool *pool)
{
    uint64_t slot = find_free(pool->slot_used, pool->slots, pool->next_slot);
    if (slot >= pool->slots)
        return 0;
    pool->slot_used[slot / 64] |= 1ull << slot % 64;
    pool->next_slot = (uint32_t)slot + 1;
    return (uint32_t)slot;
}

void slot_drop(struct pool *pool, uint32_t slot)
{
    pool->slot_used[slot / 64] &= ~(1ull << slot % 64);
}

bool slot_is_used(const struct pool *pool, uint32_t slot)
{
    return pool->slot_used[slot / 64] >> slot % 64 & 1;
}

void slot_found(struct pool *pool, uint32_t slot)
{
    pool->slot_used[slot / 64] |= 1ull << slot % 64;
}
