/* SPDX-License-Identifier: BSD-2-Clause */
/* A commit: all nodes that have changed go to slots that nothing on the disk points at; a flush
 * puts them, and all data that has ended, on the medium; then the other superblock is written.
 * Until that has ended the disk shows the pool as it was before, and nothing that it shows is
 * overwritten. */
#include <stdio.h>
#include <string.h>
#include "drivers/pool/crc32c.h"
#include "drivers/pool/engine.h"

void freeze(struct pool *pool, const char *why)
{
    if (!pool->frozen && pool->opened)
        snprintf(pool->reason, sizeof(pool->reason), "%s; nothing more is written", why);
    pool->frozen = true;
}

bool pool_is_frozen(const struct pool *pool)
{
    return pool->frozen;
}

uint32_t super_crc(const struct pool_super *super)
{
    struct pool_super copy = *super;
    copy.crc = 0;
    return crc32c(&copy, sizeof(copy));
}

void super_seal(struct pool_super *super)
{
    super->crc = super_crc(super);
}

static bool is_dirty(const struct pool *pool)
{
    return pool->dirty_count || pool->later.count || pool->table_dirty || pool->grown;
}

bool commit_is_needed(const struct pool *pool)
{
    return pool->step != COMMIT_IDLE || is_dirty(pool);
}

bool pool_is_dirty(const struct pool *pool)
{
    return pool->opened && !pool->frozen && (pool->step != COMMIT_IDLE || is_dirty(pool));
}

bool pool_stirs(const struct pool *pool)
{
    return pool->frozen || pool->dying || commit_is_needed(pool);
}

/* --- what is written --- */

/* A page of the commit, in a slot of its own. */
static uint8_t *new_page(struct pool *pool, uint32_t old, uint32_t *slot)
{
    *slot = slot_take(pool);
    if (old)
        drop_later(pool, DROP_SLOT, old, NULL);
    pool->commit_slot[pool->commit_pages] = *slot;
    return own_page(pool, pool->commit_pages++);
}

static bool write_node(struct pool *pool, struct node *node)
{
    uint32_t slot;
    uint8_t *page = new_page(pool, node->slot, &slot);
    struct pool_ref *ref = (struct pool_ref *)page;
    if (!slot)
        return false;
    if (!node->level)
        memcpy(page, node->entry, POOL_NODE_BYTES);
    for (uint32_t i = 0; node->level && i < POOL_FANOUT; i++) {
        const struct node *child = node->child[i];
        ref[i] = child ? (struct pool_ref){child->slot, child->crc} : (struct pool_ref){0, 0};
    }
    node->slot = slot;
    node->crc = crc32c(page, POOL_NODE_BYTES);
    node->dirty = false;
    return true;
}

static bool write_trees(struct pool *pool)
{
    bool good = true;
    for (uint32_t level = 0; level < POOL_LEVELS; level++) {
        struct node *node = pool->dirty[level];
        pool->dirty[level] = NULL;
        for (; node && good; node = node->next)
            good = write_node(pool, node);
    }
    pool->dirty_count = 0;
    return good;
}

static bool write_table(struct pool *pool, uint32_t index)
{
    struct pool_ref *ref = &pool->writing.table[index];
    struct pool_record *record;
    bool any = false;
    uint32_t slot;
    for (uint32_t i = 0; i < POOL_NODE_RECORDS; i++)
        any |= pool->volume[index * POOL_NODE_RECORDS + i] != NULL;
    if (!any) {
        if (ref->slot)
            drop_later(pool, DROP_SLOT, ref->slot, NULL);
        *ref = (struct pool_ref){0, 0};
        return true;
    }
    record = (struct pool_record *)new_page(pool, ref->slot, &slot);
    if (!slot)
        return false;
    memset(record, 0, POOL_NODE_BYTES);
    for (uint32_t i = 0; i < POOL_NODE_RECORDS; i++) {
        const struct pool_volume *volume = pool->volume[index * POOL_NODE_RECORDS + i];
        if (!volume)
            continue;
        record[i] = volume->record;
        record[i].root = (struct pool_ref){0, 0};
        if (volume->root)
            record[i].root = (struct pool_ref){volume->root->slot, volume->root->crc};
    }
    *ref = (struct pool_ref){slot, crc32c(record, POOL_NODE_BYTES)};
    return true;
}

/* --- how it is written --- */

static void commit_io_ended(struct pool *pool, struct pool_io *io, enum blk_status status);

static struct pool_io *commit_io(struct pool *pool)
{
    for (uint32_t i = 0; i < COMMIT_IOS; i++) {
        struct pool_io *io = &pool->commit_io[i];
        if (io->busy)
            continue;
        *io = (struct pool_io){.busy = true, .done = commit_io_ended, .owner = pool};
        pool->commit_inflight++;
        return io;
    }
    return NULL;
}

/* Pages whose slots follow each other in one write. */
static void write_pages(struct pool *pool)
{
    while (pool->commit_written < pool->commit_pages && !pool->commit_failed) {
        uint32_t first = pool->commit_written, n = 1;
        uint64_t sector = slot_sector(pool, pool->commit_slot[first]);
        struct pool_io *io = commit_io(pool);
        if (!io)
            return;
        while (first + n < pool->commit_pages &&
               slot_sector(pool, pool->commit_slot[first + n]) == sector + n * POOL_NODE_SECTORS)
            n++;
        io->op = BLK_WRITE;
        io->sector = sector;
        io->sectors = n * POOL_NODE_SECTORS;
        io->buffer = own_page(pool, first);
        pool->commit_written += n;
        pool->env.submit(pool->env.context, io);
    }
}

static void write_flush(struct pool *pool)
{
    struct pool_io *io = commit_io(pool);
    pool->step = COMMIT_FLUSHES;
    io->op = BLK_FLUSH;
    pool->env.submit(pool->env.context, io);
}

static void write_super(struct pool *pool)
{
    struct pool_io *io = commit_io(pool);
    pool->step = COMMIT_SUPER;
    super_seal(&pool->writing);
    memcpy(own_page(pool, OWN_SUPER), &pool->writing, sizeof(pool->writing));
    io->op = BLK_WRITE;
    io->fua = true;
    io->sector = POOL_SUPER_SECTOR(pool->writing.generation & 1);
    io->sectors = POOL_NODE_SECTORS;
    io->buffer = own_page(pool, OWN_SUPER);
    pool->env.submit(pool->env.context, io);
}

static void start(struct pool *pool)
{
    struct drops empty = pool->now;
    bool good = true;
    pool->commit_wanted = false;
    pool->writing = pool->super;
    pool->writing.generation = pool->open_generation++;
    pool->writing.next_volume += pool->ids_used;
    pool->ids_used = 0;
    if (pool->order_done && pool->order.job)
        pool->writing.last_job = pool->order.job;
    pool->order_done = pool->grown = false;
    pool->commit_pages = pool->commit_written = 0;
    pool->commit_failed = false;
    pool->commit_mark = pool->env.journal ? pool->env.journal->head : 0;
    good = write_trees(pool);
    for (uint32_t i = 0; i < POOL_TABLE_NODES && good; i++) {
        if (pool->table_dirty >> i & 1)
            good = write_table(pool, i);
    }
    pool->table_dirty = 0;
    /* Only now is complete what goes when this commit has ended. */
    pool->now = pool->later;
    pool->later = empty;
    pool->step = COMMIT_WRITES;
    if (!good) {
        freeze(pool, "its slots for metadata are exhausted");
        pool->commit_failed = true;
        pool->commit_written = pool->commit_pages;
    }
    order_begun(pool);
    write_pages(pool);
    if (!pool->commit_inflight)
        write_flush(pool);
}

static void plain_flush(struct pool *pool, struct pool_request *request);

static void append_flush(struct pool *pool, struct pool_request *request)
{
    request->next = NULL;
    if (pool->flushing_last)
        pool->flushing_last->next = request;
    else
        pool->flushing = request;
    pool->flushing_last = request;
}

/* Those that came while the commit was in flight need another one, or at least a flush. */
static void answer_flushes(struct pool *pool, bool good)
{
    struct pool_request *request = pool->flushing, *next;
    bool dirty = is_dirty(pool);
    pool->flushing = pool->flushing_last = NULL;
    for (; request; request = next) {
        next = request->next;
        if (!good) {
            request_finish(pool, request, BLK_IO_ERROR);
        } else if (request->generation <= pool->super.generation) {
            request_finish(pool, request, BLK_OK);
        } else if (!dirty) {
            plain_flush(pool, request);
        } else {
            request->generation = pool->open_generation;
            pool->commit_wanted = true;
            append_flush(pool, request);
        }
    }
}

static void finish(struct pool *pool)
{
    bool good = !pool->commit_failed;
    pool->step = COMMIT_IDLE;
    if (good) {
        pool->super = pool->writing;
        drops_apply(pool, &pool->now);
        if (pool->env.journal)
            __atomic_store_n(&pool->env.journal->tail, pool->commit_mark, __ATOMIC_RELEASE);
    } else {
        freeze(pool, "a commit has failed");
    }
    answer_flushes(pool, good);
    order_committed(pool, good);
    request_retry_stalled(pool);
    commit_wake(pool);
}

static void commit_io_ended(struct pool *pool, struct pool_io *io, enum blk_status status)
{
    io->busy = false;
    pool->commit_inflight--;
    pool->commit_failed |= status != BLK_OK;
    if (pool->step == COMMIT_WRITES)
        write_pages(pool);
    if (pool->commit_inflight)
        return;
    if (pool->commit_failed || pool->step == COMMIT_SUPER)
        finish(pool);
    else if (pool->step == COMMIT_WRITES)
        write_flush(pool);
    else
        write_super(pool);
}

/* --- who wants it --- */

void commit_wake(struct pool *pool)
{
    if (pool->step != COMMIT_IDLE || pool->frozen || !pool->opened)
        return;
    order_step(pool);
    if (pool->step == COMMIT_IDLE && pool->commit_wanted && is_dirty(pool))
        start(pool);
    pool->commit_wanted &= pool->step != COMMIT_IDLE;
}

void pool_commit(struct pool *pool)
{
    pool->commit_wanted = true;
    commit_wake(pool);
}

static void flush_ended(struct pool *pool, struct pool_io *io, enum blk_status status)
{
    struct pool_request *request = io->owner;
    io->busy = false;
    request->inflight--;
    request_finish(pool, request, status);
}

static void plain_flush(struct pool *pool, struct pool_request *request)
{
    struct pool_io *io = &request->io[0];
    *io = (struct pool_io){
        .busy = true, .op = BLK_FLUSH, .request = request, .done = flush_ended, .owner = request};
    request->inflight++;
    pool->env.submit(pool->env.context, io);
}

/* All that has ended is to be on the medium. What is not yet in the map of the last commit, is so
 * with the next one, whose flush does for the data, too. */
void commit_flush(struct pool *pool, struct pool_request *request)
{
    bool dirty = is_dirty(pool);
    if (pool->frozen) {
        request_finish(pool, request, BLK_IO_ERROR);
        return;
    }
    if (!dirty && pool->step == COMMIT_IDLE) {
        plain_flush(pool, request);
        return;
    }
    /* Data that went in place has perhaps ended after the flush of the commit in flight: when that
     * is done, answer_flushes() looks at this again. */
    request->generation = dirty ? pool->open_generation : ~0ull;
    append_flush(pool, request);
    if (dirty)
        pool_commit(pool);
}
