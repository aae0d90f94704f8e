/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a pool: superblocks, the table of volumes, all trees. Blocks and slots that are found are
 * in use, all others are free. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/pool/crc32c.h"
#include "drivers/pool/engine.h"

enum load_step { LOAD_SUPER, LOAD_TABLE, LOAD_NODES, LOAD_ZERO, LOAD_DONE };

void load_error(struct pool *pool, const char *format, ...)
{
    char text[POOL_REASON];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (!pool->errors++)
        memcpy(pool->reason, text, sizeof(pool->reason));
    if (pool->env.report)
        pool->env.report(pool->env.context, true, text);
}

const char *pool_reason(const struct pool *pool)
{
    return pool->reason;
}

static void load_go_on(struct pool *pool);

static void read_page(struct pool *pool, uint32_t index, uint64_t sector, uint32_t sectors,
                      void *buffer, void *owner,
                      void (*done)(struct pool *, struct pool_io *, enum blk_status))
{
    struct pool_io *io = &pool->commit_io[index];
    *io = (struct pool_io){.busy = true,
                           .op = BLK_READ,
                           .sector = sector,
                           .sectors = sectors,
                           .buffer = buffer,
                           .owner = owner,
                           .done = done};
    pool->reads++;
    pool->env.submit(pool->env.context, io);
}

static uint32_t load_io(const struct pool *pool)
{
    uint32_t i = 0;
    while (i < COMMIT_IOS && pool->commit_io[i].busy)
        i++;
    return i;
}

static bool io_good(struct pool *pool, struct pool_io *io, enum blk_status status)
{
    io->busy = false;
    pool->reads--;
    if (status != BLK_OK)
        load_error(pool, "sector %llu cannot be read", (unsigned long long)io->sector);
    return status == BLK_OK;
}

/* --- nodes --- */

/* A node that something on the disk points at: known already, or to be read. NULL: it makes no
 * sense. */
static struct node *expect(struct pool *pool, const struct pool_ref *ref, uint32_t level,
                           uint32_t base)
{
    if (ref->slot >= pool->slots) {
        load_error(pool, "something points at slot %u of %llu", ref->slot,
                   (unsigned long long)pool->slots);
        return NULL;
    }
    struct node *node = pool->by_slot[ref->slot];
    if (node && node->level == level && node->base == base && node->crc == ref->crc) {
        node->refs++;
        return node;
    }
    if (node || slot_is_used(pool, ref->slot)) {
        load_error(pool, "slot %u is used for two things", ref->slot);
        return NULL;
    }
    node = node_new(pool, level);
    if (!node) {
        load_error(pool, "there is no memory for its map");
        return NULL;
    }
    node->slot = ref->slot;
    node->crc = ref->crc;
    node->base = base;
    slot_found(pool, ref->slot);
    pool->by_slot[ref->slot] = node;
    node->next = pool->to_read;
    pool->to_read = node;
    return node;
}

static void node_read(struct pool *pool, struct pool_io *io, enum blk_status status)
{
    struct node *node = io->owner;
    const uint8_t *page = io->buffer;
    const struct pool_ref *ref = io->buffer;
    bool good = io_good(pool, io, status) && node_is_good(pool, node, page);
    if (good && !node->level)
        memcpy(node->entry, page, POOL_NODE_BYTES);
    for (uint32_t i = 0; good && node->level && i < POOL_FANOUT; i++) {
        if (ref[i].slot)
            node->child[i] = expect(pool, &ref[i], node->level - 1u, node->base * POOL_FANOUT + i);
    }
    load_go_on(pool);
}

static void read_nodes(struct pool *pool)
{
    uint32_t index;
    while (pool->to_read && (index = load_io(pool)) < COMMIT_IOS) {
        struct node *node = pool->to_read;
        pool->to_read = node->next;
        read_page(pool, index, slot_sector(pool, node->slot), POOL_NODE_SECTORS,
                  own_page(pool, index), node, node_read);
    }
}

/* --- the table --- */

static void take_record(struct pool *pool, const struct pool_record *record, uint32_t index)
{
    if (!record_is_good(pool, record))
        return;
    struct pool_volume *volume = volume_new(pool, record, index);
    if (!volume)
        load_error(pool, "there is no memory for a volume");
    else if (record->root.slot)
        volume->root = expect(pool, &record->root, POOL_LEVELS - 1, 0);
}

static void table_read(struct pool *pool, struct pool_io *io, enum blk_status status)
{
    const struct pool_record *record = io->buffer;
    uint32_t index = pool->next_table - 1;
    bool good = io_good(pool, io, status);
    if (good && crc32c(io->buffer, POOL_NODE_BYTES) != pool->super.table[index].crc) {
        load_error(pool, "table %u of volumes, in slot %u, has a wrong checksum", index,
                   pool->super.table[index].slot);
        good = false;
    }
    for (uint32_t i = 0; good && i < POOL_NODE_RECORDS; i++) {
        if (record[i].id)
            take_record(pool, &record[i], index * POOL_NODE_RECORDS + i);
    }
    load_go_on(pool);
}

static void read_table(struct pool *pool)
{
    const struct pool_ref *ref = &pool->super.table[pool->next_table];
    while (pool->next_table < POOL_TABLE_NODES && !ref->slot) {
        ref++;
        pool->next_table++;
    }
    if (pool->next_table == POOL_TABLE_NODES)
        return;
    pool->next_table++;
    if (ref->slot >= pool->slots || slot_is_used(pool, ref->slot)) {
        load_error(pool, "table %u of volumes is said to be in slot %u", pool->next_table - 1,
                   ref->slot);
        read_table(pool);
        return;
    }
    slot_found(pool, ref->slot);
    read_page(pool, 0, slot_sector(pool, ref->slot), POOL_NODE_SECTORS, own_page(pool, 0), NULL,
              table_read);
}

/* --- the superblocks --- */

static void super_read(struct pool *pool, struct pool_io *io, enum blk_status status)
{
    if (status != BLK_OK)
        memset(io->buffer, 0, POOL_NODE_BYTES);
    io_good(pool, io, status);
    load_go_on(pool);
}

static void take_super(struct pool *pool)
{
    struct pool_super copy[2];
    pool->load_step = LOAD_DONE;
    memcpy(copy, own_page(pool, OWN_SUPER), sizeof(copy));
    if (pool->errors || !super_take(pool, copy))
        return;
    if (!pool->env.read_only)
        pool->grown = layout_grow(&pool->super, pool->env.sectors);
    pool->open_generation = pool->super.generation + 1;
    if (!space_init(pool)) {
        load_error(pool, "there is no memory for its %llu blocks",
                   (unsigned long long)pool->blocks);
        return;
    }
    pool->node_limit = pool->slots - 2 * COMMIT_PAGES;
    pool->by_slot = calloc(pool->slots, sizeof(struct node *));
    if (!pool->by_slot)
        load_error(pool, "there is no memory for its %llu slots", (unsigned long long)pool->slots);
    else
        pool->load_step = LOAD_TABLE;
}

/* --- the area of zeroes --- */

static void zero_read(struct pool *pool, struct pool_io *io, enum blk_status status)
{
    const uint8_t *data = io->buffer;
    bool zero = true;
    for (uint32_t i = 0; i < POOL_BLOCK_BYTES; i++)
        zero &= !data[i];
    if (io_good(pool, io, status) && !zero)
        load_error(pool, "the area of zeroes is not zero at sector %llu",
                   (unsigned long long)io->sector);
    load_go_on(pool);
}

static void read_zero(struct pool *pool)
{
    if (!pool->checking || pool->next_zero == POOL_ZERO_SECTORS)
        return;
    read_page(pool, 0, POOL_ZERO_SECTOR + pool->next_zero, POOL_BLOCK_SECTORS, pool->bounce[0],
              NULL, zero_read);
    pool->next_zero += POOL_BLOCK_SECTORS;
}

/* --- the whole --- */

static void count_mapped(struct pool *pool)
{
    for (uint32_t i = 0; i < POOL_VOLUMES; i++) {
        if (pool->volume[i])
            pool->volume[i]->mapped = tree_count(pool->volume[i]->root);
    }
}

static void load_finish(struct pool *pool)
{
    if (!pool->errors)
        check_all(pool);
    if (!pool->errors)
        count_mapped(pool);
    free(pool->by_slot);
    pool->by_slot = NULL;
    pool->opened = !pool->errors;
    if (pool->opened && !pool->env.read_only && !journal_replay(pool)) {
        load_error(pool, "what the process before has left does not fit the pool");
        pool->opened = false;
    }
    pool->env.opened(pool->env.context, pool->opened);
    if (pool->opened && commit_is_needed(pool) && !pool->env.read_only)
        pool_commit(pool);
}

static void load_go_on(struct pool *pool)
{
    if (pool->load_step == LOAD_NODES)
        read_nodes(pool);
    while (!pool->reads) {
        switch (pool->load_step) {
        case LOAD_SUPER:
            take_super(pool);
            if (pool->load_step == LOAD_TABLE)
                read_table(pool);
            break;
        case LOAD_TABLE:
            read_table(pool);
            if (!pool->reads) {
                pool->load_step = LOAD_NODES;
                read_nodes(pool);
            }
            break;
        case LOAD_NODES:
            pool->load_step = LOAD_ZERO;
            break;
        case LOAD_ZERO:
            read_zero(pool);
            if (!pool->reads)
                pool->load_step = LOAD_DONE;
            break;
        default:
            load_finish(pool);
            return;
        }
    }
}

void pool_open(struct pool *pool, bool check)
{
    pool->checking = check;
    pool->load_step = LOAD_SUPER;
    for (uint32_t i = 0; i < 2; i++)
        read_page(pool, i, POOL_SUPER_SECTOR(i), POOL_NODE_SECTORS, own_page(pool, OWN_SUPER + i),
                  NULL, super_read);
}

struct pool *pool_new(const struct pool_environment *environment)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    if (!pool)
        return NULL;
    pool->env = *environment;
    pool->later.drop = calloc(DROPS_MAX + 4096, sizeof(struct drop));
    pool->now.drop = calloc(DROPS_MAX + 4096, sizeof(struct drop));
    if (!pool->later.drop || !pool->now.drop) {
        pool_free(pool);
        return NULL;
    }
    memset(own_page(pool, OWN_ZERO), 0, POOL_NODE_BYTES);
    for (uint32_t i = 0; i < BOUNCES; i++)
        pool->bounce[pool->bounces++] = own_page(pool, OWN_BOUNCE) + (size_t)i * POOL_BLOCK_BYTES;
    return pool;
}

void pool_free(struct pool *pool)
{
    for (uint32_t i = 0; i < POOL_VOLUMES; i++)
        free(pool->volume[i]);
    space_free(pool);
    nodes_free(pool);
    free(pool->by_slot);
    free(pool->later.drop);
    free(pool->now.drop);
    free(pool);
}

bool pool_is_idle(const struct pool *pool)
{
    bool idle = pool->step == COMMIT_IDLE && !pool->has_order && !pool->stalled && !pool->reads;
    for (uint32_t i = 0; i < POOL_VOLUMES && idle; i++)
        idle = !pool->volume[i] || (!pool->volume[i]->active && !pool->volume[i]->waiting);
    return idle;
}
