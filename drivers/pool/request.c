/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's request: cut into pieces, which wait for each other where they must. */
#include <string.h>
#include "drivers/pool/engine.h"

#define PIECE_SECTORS ((uint64_t)POOL_PIECE_BLOCKS * POOL_BLOCK_SECTORS)
#define LEAF_SECTORS  (POOL_LEAF_BLOCKS * POOL_BLOCK_SECTORS)

/* --- which pieces may run together --- */

static bool touches(const struct pool_request *a, const struct pool_request *b)
{
    return a->at / POOL_BLOCK_SECTORS <= (b->end - 1) / POOL_BLOCK_SECTORS &&
           b->at / POOL_BLOCK_SECTORS <= (a->end - 1) / POOL_BLOCK_SECTORS;
}

static bool in_each_others_way(const struct pool_request *a, const struct pool_request *b)
{
    return (a->structural || b->structural) && touches(a, b);
}

/* A piece that changes the map of a block has the block for itself; and nobody overtakes one that
 * waits for that. */
static bool must_wait(const struct pool_request *request)
{
    const struct pool_volume *volume = request->volume;
    const struct pool_request *other;
    if (volume->held && request->kind != PIECE_READ)
        return true;
    if (request->structural || volume->active_structural) {
        for (other = volume->active; other; other = other->next) {
            if (in_each_others_way(request, other))
                return true;
        }
    }
    for (other = volume->waiting; other && other != request; other = other->next) {
        if (in_each_others_way(request, other))
            return true;
    }
    return false;
}

static void append(struct pool_request **first, struct pool_request **last,
                   struct pool_request *request)
{
    request->next = NULL;
    request->previous = *last;
    if (*last)
        (*last)->next = request;
    else
        *first = request;
    *last = request;
}

static void take_out(struct pool_request **first, struct pool_request **last,
                     struct pool_request *request)
{
    if (request->previous)
        request->previous->next = request->next;
    else
        *first = request->next;
    if (request->next)
        request->next->previous = request->previous;
    else
        *last = request->previous;
}

static void activate(struct pool_request *request)
{
    struct pool_volume *volume = request->volume;
    request->active = true;
    request->previous = NULL;
    request->next = volume->active;
    if (volume->active)
        volume->active->previous = request;
    volume->active = request;
    volume->active_count++;
    volume->active_structural += request->structural;
    volume->active_writes += request->kind != PIECE_READ;
}

static void deactivate(struct pool_request *request)
{
    struct pool_volume *volume = request->volume;
    struct pool_request *last = request;
    request->active = false;
    take_out(&volume->active, &last, request);
    volume->active_count--;
    volume->active_structural -= request->structural;
    volume->active_writes -= request->kind != PIECE_READ;
}

/* --- pieces --- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t up_to(uint64_t sector, uint64_t unit)
{
    return sector - sector % unit + unit;
}

/* The next piece of what goes away, or becomes zero: parts of blocks are unmapped, what is less
 * than a part is written. */
static void cut_unmap(struct pool_request *request, uint64_t end)
{
    uint64_t part = request->at % POOL_PART_SECTORS;
    if (part || end - request->at < POOL_PART_SECTORS) {
        request->kind = PIECE_ZERO;
        request->end = least(end, up_to(request->at, POOL_PART_SECTORS));
        return;
    }
    request->kind = PIECE_UNMAP;
    request->end = least(end - end % POOL_PART_SECTORS, up_to(request->at, LEAF_SECTORS));
}

/* False: nothing is left. */
static bool cut(struct pool_request *request)
{
    uint64_t end = request->sector + request->sectors;
    if (request->at == end)
        return false;
    request->kind = request->op == BLK_READ ? PIECE_READ : PIECE_WRITE;
    request->end = least(end, up_to(request->at, PIECE_SECTORS));
    if (request->op > BLK_WRITE)
        cut_unmap(request, end);
    /* What is less than a part may stay as it is when it is only to be forgotten. */
    if (request->op == BLK_DISCARD && request->kind == PIECE_ZERO) {
        request->at = request->end;
        return cut(request);
    }
    return true;
}

static void all_done(struct pool *pool, struct pool_request *request)
{
    /* Its data is on the medium; the map that leads to it has to be, too. */
    if (request->flags & BLK_FUA && request->op != BLK_READ && commit_is_needed(pool))
        commit_flush(pool, request);
    else
        request_finish(pool, request, BLK_OK);
}

/* True: the piece needs nothing more, and the next can follow. */
static bool start_piece(struct pool *pool, struct pool_request *request)
{
    enum piece_verdict verdict = piece_start(pool, request);
    if (verdict == PIECE_STARTED)
        activate(request);
    else if (verdict == PIECE_STALLED)
        append(&pool->stalled, &pool->stalled_last, request);
    else if (verdict == PIECE_REFUSED)
        request_finish(pool, request, request->status);
    else
        request->at = request->end;
    return verdict == PIECE_DONE;
}

/* The piece is cut. */
static bool try_piece(struct pool *pool, struct pool_request *request)
{
    struct pool_volume *volume = request->volume;
    request->structural = request->kind != PIECE_READ && piece_is_structural(request);
    if (!must_wait(request))
        return start_piece(pool, request);
    append(&volume->waiting, &volume->waiting_last, request);
    return false;
}

static void go_on(struct pool *pool, struct pool_request *request)
{
    do {
        if (!cut(request)) {
            all_done(pool, request);
            return;
        }
    } while (try_piece(pool, request));
}

void request_wake(struct pool_volume *volume)
{
    struct pool_request *request = volume->waiting, *next;
    for (; request; request = next) {
        next = request->next;
        request->structural = request->kind != PIECE_READ && piece_is_structural(request);
        if (must_wait(request))
            continue;
        take_out(&volume->waiting, &volume->waiting_last, request);
        if (start_piece(volume->pool, request))
            go_on(volume->pool, request);
    }
}

void request_retry_stalled(struct pool *pool)
{
    struct pool_request *request = pool->stalled, *next;
    pool->stalled = pool->stalled_last = NULL;
    for (; request; request = next) {
        next = request->next;
        if (try_piece(pool, request))
            go_on(pool, request);
    }
}

void request_piece_done(struct pool *pool, struct pool_request *request)
{
    struct pool_volume *volume = request->volume;
    deactivate(request);
    if (request->status != BLK_OK) {
        request_finish(pool, request, request->status);
    } else {
        request->at = request->end;
        go_on(pool, request);
    }
    if (volume->waiting)
        request_wake(volume);
    if (pool->stalled && pool->step == COMMIT_IDLE)
        request_retry_stalled(pool);
    if (pool->commit_wanted || pool->has_order)
        commit_wake(pool);
}

void request_finish(struct pool *pool, struct pool_request *request, enum blk_status status)
{
    pool->env.ended(pool->env.context, request, status);
}

static enum blk_status validate(const struct pool *pool, const struct pool_request *request)
{
    const struct pool_record *record = &request->volume->record;
    if (request->op > BLK_WRITE_ZEROES || request->flags & ~BLK_FUA)
        return BLK_INVALID;
    if (request->op == BLK_FLUSH)
        return BLK_OK;
    if (!request->sectors)
        return BLK_INVALID;
    if (request->sector > record->sectors || request->sectors > record->sectors - request->sector)
        return BLK_RANGE;
    if (request->op != BLK_READ && (record->flags & POOL_RECORD_SNAPSHOT || pool->env.read_only))
        return BLK_READ_ONLY;
    return pool->frozen && request->op != BLK_READ ? BLK_IO_ERROR : BLK_OK;
}

void pool_submit(struct pool *pool, struct pool_request *request)
{
    enum blk_status status = validate(pool, request);
    request->status = BLK_OK;
    request->at = request->end = request->sector;
    request->inflight = 0;
    request->active = false;
    for (uint32_t i = 0; i < POOL_IOS; i++)
        request->io[i].busy = false;
    if (status != BLK_OK)
        request_finish(pool, request, status);
    else if (request->op == BLK_FLUSH)
        commit_flush(pool, request);
    else
        go_on(pool, request);
    if (pool->commit_wanted)
        commit_wake(pool);
}

uint32_t pool_cut(const struct pool_io *io, struct blk_segment out[BLK_SEGMENTS_MAX])
{
    const struct pool_request *request = io->request;
    uint64_t skip = io->skip, left = io->sectors * POOL_SECTOR;
    uint32_t n = 0;
    for (uint32_t i = 0; i < request->segments && left; i++) {
        struct blk_segment segment = request->segment[i];
        if (skip >= segment.length) {
            skip -= segment.length;
            continue;
        }
        segment.offset += skip;
        segment.length -= (uint32_t)skip;
        if (segment.length > left)
            segment.length = (uint32_t)left;
        skip = 0;
        left -= segment.length;
        out[n++] = segment;
    }
    return left ? 0 : n;
}
