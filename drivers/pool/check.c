/* SPDX-License-Identifier: BSD-2-Clause */
/* What is read from a disk is anyone's writing: all of it is looked at before it is used. */
#include <stdio.h>
#include <string.h>
#include "drivers/pool/crc32c.h"
#include "drivers/pool/engine.h"

#define SLOTS_MAX (1u << 28)

static bool all_zero(const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size && !*at) {
        at++;
        size--;
    }
    return !size;
}

/* NULL, or what is wrong with a superblock. */
static const char *super_fault(const struct pool_super *super, char text[POOL_REASON])
{
    if (super->magic != POOL_MAGIC)
        return all_zero(super, sizeof(*super)) ? "is empty" : "holds something else";
    if (super->crc != super_crc(super))
        return "has a wrong checksum";
    if (super->version != POOL_VERSION || super->incompatible) {
        snprintf(text, POOL_REASON,
                 "was written by version %u of the format, features %#llx; version %u is read here",
                 super->version, (unsigned long long)super->incompatible, POOL_VERSION);
        return text;
    }
    return NULL;
}

static bool regions_are_good(struct pool *pool, const struct pool_super *super)
{
    uint64_t end = POOL_FIRST_SECTOR, blocks = 0, slots = 0;
    if (!super->region_count || super->region_count > POOL_REGIONS) {
        load_error(pool, "the superblock has %u regions", super->region_count);
        return false;
    }
    for (uint32_t i = 0; i < super->region_count; i++) {
        const struct pool_region *r = &super->region[i];
        blocks += r->blocks;
        slots += r->slots;
        if (r->blocks > POOL_BLOCKS_MAX || blocks > POOL_BLOCKS_MAX || slots > SLOTS_MAX ||
            r->first_sector < end || r->first_sector % POOL_BLOCK_SECTORS ||
            r->first_sector > POOL_BLOCKS_MAX * POOL_BLOCK_SECTORS * 2 ||
            r->first_block_sector % POOL_BLOCK_SECTORS ||
            r->first_block_sector < r->first_sector + (uint64_t)r->slots * POOL_NODE_SECTORS ||
            r->first_block_sector > POOL_BLOCKS_MAX * POOL_BLOCK_SECTORS * 2) {
            load_error(pool, "region %u of the superblock makes no sense", i);
            return false;
        }
        end = r->first_block_sector + r->blocks * POOL_BLOCK_SECTORS;
    }
    if (slots <= 2ull * COMMIT_PAGES) {
        load_error(pool, "the superblock has %llu slots only", (unsigned long long)slots);
        return false;
    }
    if (end > pool->env.sectors) {
        load_error(pool, "the partition has %llu sectors, its pool %llu",
                   (unsigned long long)pool->env.sectors, (unsigned long long)end);
        return false;
    }
    return true;
}

/* The newer of those that are whole. One that is torn is what a power cut leaves. */
bool super_take(struct pool *pool, const struct pool_super copy[2])
{
    char text[2][POOL_REASON];
    const char *fault[2];
    int use = -1;
    for (int i = 0; i < 2; i++) {
        fault[i] = super_fault(&copy[i], text[i]);
        if (!fault[i] && (copy[i].generation & 1) != (uint64_t)i)
            fault[i] = "stands in the place of the other";
        if (!fault[i] && (use < 0 || copy[i].generation > copy[use].generation))
            use = i;
        /* A torn one of a newer version is no reason to take the older one of this. */
        if (fault[i] == text[i]) {
            load_error(pool, "superblock %d %s", i, fault[i]);
            return false;
        }
    }
    if (use < 0 && all_zero(copy, 2 * sizeof(copy[0]))) {
        load_error(pool, "there is no pool on it");
        return false;
    }
    if (use < 0) {
        load_error(pool, "there is no pool on it, or none any more: superblock 0 %s, 1 %s",
                   fault[0], fault[1]);
        return false;
    }
    if (fault[!use] && copy[use].generation > 1 && pool->env.report) {
        snprintf(text[0], sizeof(text[0]), "superblock %d %s; %d is used", !use, fault[!use], use);
        pool->env.report(pool->env.context, false, text[0]);
    }
    pool->super = copy[use];
    return regions_are_good(pool, &pool->super);
}

bool record_is_good(struct pool *pool, const struct pool_record *record)
{
    const char *why = NULL;
    if (!memchr(record->name, 0, sizeof(record->name)) || !pool_name_is_good(record->name))
        why = "no name";
    else if (record->id >= pool->super.next_volume)
        why = "a number that was never given out";
    else if (volume_by_id(pool, record->id))
        why = "another's number";
    else if (record->flags & ~POOL_RECORD_SNAPSHOT)
        why = "unknown flags";
    else if (!record->sectors || record->sectors > POOL_VOLUME_SECTORS ||
             record->sectors % POOL_PART_SECTORS)
        why = "an impossible size";
    if (why)
        load_error(pool, "volume %u has %s", record->id, why);
    return !why;
}

static bool entry_is_good(struct pool *pool, const struct node *leaf, uint32_t i, uint64_t entry)
{
    uint64_t block = POOL_ENTRY_BLOCK(entry);
    uint32_t at = leaf->base * POOL_FANOUT + i;
    const char *why = NULL;
    if (entry & POOL_ENTRY_RESERVED || !POOL_ENTRY_PARTS(entry))
        why = "makes no sense";
    else if (block >= pool->blocks)
        why = "points beyond the pool";
    else if (!block_found(pool, block))
        why = "points at a block that too many others point at";
    else if (pool->owner_block && pool->owner_block[block] && pool->owner_block[block] != at + 1)
        why = "points at a block that another place has";
    else if (pool->owner_block)
        pool->owner_block[block] = at + 1;
    if (why)
        load_error(pool, "entry %u of the leaf in slot %u %s", i, leaf->slot, why);
    return !why;
}

bool node_is_good(struct pool *pool, const struct node *node, const uint8_t *page)
{
    const uint64_t *entry = (const uint64_t *)(const void *)page;
    if (crc32c(page, POOL_NODE_BYTES) != node->crc) {
        load_error(pool, "the node in slot %u has a wrong checksum", node->slot);
        return false;
    }
    for (uint32_t i = 0; i < POOL_FANOUT && !node->level; i++) {
        if (entry[i] && !entry_is_good(pool, node, i, entry[i]))
            return false;
    }
    return true;
}

static bool maps_beyond(const struct pool_volume *volume)
{
    uint64_t at = (volume->record.sectors + POOL_BLOCK_SECTORS - 1) / POOL_BLOCK_SECTORS;
    struct pool_volume whole = *volume;
    whole.record.sectors = POOL_VOLUME_SECTORS;
    return pool_next_block(&whole, &at);
}

void check_all(struct pool *pool)
{
    for (uint32_t i = 0; i < POOL_VOLUMES; i++) {
        struct pool_volume *volume = pool->volume[i];
        if (!volume)
            continue;
        bool snapshot = volume->record.flags & POOL_RECORD_SNAPSHOT;
        struct pool_volume *parent = snapshot ? volume_by_id(pool, volume->record.parent) : NULL;
        if (snapshot && (!parent || parent->record.flags & POOL_RECORD_SNAPSHOT))
            load_error(pool, "snapshot %u, '%s', has no volume", volume->record.id,
                       volume->record.name);
        for (uint32_t k = 0; k < i; k++) {
            const struct pool_volume *other = pool->volume[k];
            if (other && !strcmp(other->record.name, volume->record.name) &&
                other->record.flags == volume->record.flags &&
                (!snapshot || other->record.parent == volume->record.parent))
                load_error(pool, "two volumes have the name '%s'", volume->record.name);
        }
        if (pool->checking && maps_beyond(volume))
            load_error(pool, "volume %u, '%s', has data beyond its end", volume->record.id,
                       volume->record.name);
    }
}
