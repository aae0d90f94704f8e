/* SPDX-License-Identifier: BSD-2-Clause */
/* How a partition is divided, and what a pool on it can need. */
#include <string.h>
#include "drivers/pool/engine.h"

#define SLOTS_BASE  (2u * COMMIT_PAGES + 256u)
#define SLOTS_SHARE 256u /* blocks for which there is a slot: twice what one full volume needs */
#define SLOTS_UNIT  (POOL_BLOCK_SECTORS / POOL_NODE_SECTORS)
#define BLOCKS_MIN  16u
#define GROWTH_MIN  32768u /* sectors: 16 MiB */

/* Slots, then blocks, from a sector on. False: too small. */
static bool divide(struct pool_region *region, uint64_t first, uint64_t end, uint64_t base)
{
    uint64_t units = end > first ? (end - first) / POOL_BLOCK_SECTORS : 0;
    uint64_t slots = base + units / SLOTS_SHARE;
    slots = (slots + SLOTS_UNIT - 1) / SLOTS_UNIT * SLOTS_UNIT;
    if (units < slots / SLOTS_UNIT + BLOCKS_MIN || units > POOL_BLOCKS_MAX)
        return false;
    *region = (struct pool_region){.first_sector = first,
                                   .slots = (uint32_t)slots,
                                   .first_block_sector = first + slots * POOL_NODE_SECTORS,
                                   .blocks = units - slots / SLOTS_UNIT};
    return true;
}

bool pool_format(struct pool_super *super, uint64_t sectors, const uint8_t uuid[16], uint64_t now)
{
    *super = (struct pool_super){.magic = POOL_MAGIC,
                                 .version = POOL_VERSION,
                                 .generation = 1,
                                 .created = now,
                                 .next_volume = 1,
                                 .region_count = 1};
    memcpy(super->uuid, uuid, sizeof(super->uuid));
    if (!divide(&super->region[0], POOL_FIRST_SECTOR, sectors, SLOTS_BASE))
        return false;
    super_seal(super);
    return true;
}

bool layout_grow(struct pool_super *super, uint64_t sectors)
{
    const struct pool_region *last = &super->region[super->region_count - 1];
    uint64_t end = last->first_block_sector + last->blocks * POOL_BLOCK_SECTORS;
    if (super->region_count == POOL_REGIONS || sectors < end + GROWTH_MIN ||
        super_blocks(super) + (sectors - end) / POOL_BLOCK_SECTORS > POOL_BLOCKS_MAX)
        return false;
    if (!divide(&super->region[super->region_count], end, sectors, 0))
        return false;
    super->region_count++;
    return true;
}

uint64_t pool_memory(uint64_t sectors)
{
    uint64_t blocks = sectors / POOL_BLOCK_SECTORS;
    uint64_t slots = SLOTS_BASE + blocks / SLOTS_SHARE + POOL_REGIONS * SLOTS_UNIT;
    uint64_t bytes = slots * (sizeof(struct node) + sizeof(struct node *) + 16);
    bytes += blocks * sizeof(uint16_t) + blocks / 8;
    bytes += POOL_VOLUMES * (sizeof(struct pool_volume) + 16);
    bytes += 2 * (DROPS_MAX + 4096ull) * sizeof(struct drop);
    return bytes + sizeof(struct pool) + (256u << 10);
}
