/* SPDX-License-Identifier: BSD-2-Clause */
/* A piece of a request: which reads and writes of the partition it becomes. */
#include <string.h>
#include "drivers/pool/engine.h"

enum edge_step { EDGE_NONE, EDGE_READ, EDGE_READING, EDGE_WRITE, EDGE_WRITING };

/* Drops and records of the journal that a piece can need. */
#define PIECE_DROPS   (POOL_FANOUT + 8u)
#define PIECE_RECORDS (POOL_PIECE_BLOCKS + 2u)

static uint64_t block_of(uint64_t sector)
{
    return sector / POOL_BLOCK_SECTORS;
}

/* Bits of the parts of one block that [first, end) touches. */
static uint32_t parts_of(uint64_t block, uint64_t first, uint64_t end)
{
    uint64_t base = block * POOL_BLOCK_SECTORS;
    uint64_t from = first > base ? (first - base) / POOL_PART_SECTORS : 0;
    uint64_t to = end < base + POOL_BLOCK_SECTORS
                      ? (end - base + POOL_PART_SECTORS - 1) / POOL_PART_SECTORS
                      : POOL_PARTS;
    return (uint32_t)((1ull << to) - (1ull << from));
}

static bool unmap_is_structural(const struct pool_request *request)
{
    bool exclusive;
    if (!tree_has_leaf(request->volume, block_of(request->at)))
        return false;
    for (uint64_t block = block_of(request->at); block <= block_of(request->end - 1); block++) {
        uint64_t entry = tree_get(request->volume, block, &exclusive);
        if (POOL_ENTRY_PARTS(entry) & parts_of(block, request->at, request->end))
            return true;
    }
    return false;
}

bool piece_is_structural(const struct pool_request *request)
{
    bool exclusive;
    if (request->kind == PIECE_UNMAP)
        return unmap_is_structural(request);
    for (uint64_t block = block_of(request->at); block <= block_of(request->end - 1); block++) {
        uint64_t entry = tree_get(request->volume, block, &exclusive);
        uint32_t parts = parts_of(block, request->at, request->end);
        if (!exclusive || (POOL_ENTRY_PARTS(entry) & parts) != parts)
            return true;
    }
    return false;
}

/* --- where it goes --- */

/* What the map says of a place: the sector on the partition, and where the next place is for which
 * it has to be asked. For writes the blocks are there. Where nothing was ever written is read from
 * the area of zeroes. Part by part only where the parts of a block are not alike. */
struct place {
    uint64_t sector, next;
    bool hole;
};

static struct place place_at(const struct pool *pool, const struct pool_request *request,
                             uint64_t at)
{
    uint64_t block = block_of(at), inside = at % POOL_BLOCK_SECTORS, unit = POOL_BLOCK_SECTORS;
    uint64_t target =
        request->structural ? request->target[block - block_of(request->at)] : NO_BLOCK;
    struct place place = {0};
    bool exclusive;
    if (target != NO_BLOCK) {
        place.sector = block_sector(pool, target) + inside;
    } else {
        uint64_t entry = tree_get(request->volume, block, &exclusive);
        uint32_t parts = POOL_ENTRY_PARTS(entry);
        place.hole = !(parts >> (inside / POOL_PART_SECTORS) & 1);
        place.sector = place.hole && request->kind == PIECE_READ
                           ? POOL_ZERO_SECTOR
                           : block_sector(pool, POOL_ENTRY_BLOCK(entry)) + inside;
        if (request->kind == PIECE_READ && parts && parts != POOL_ALL_PARTS)
            unit = POOL_PART_SECTORS;
    }
    uint64_t next = at - at % unit + unit;
    place.next = next < request->end ? next : request->end;
    return place;
}

static struct pool_io *free_io(struct pool_request *request)
{
    for (uint32_t i = 0; i < POOL_IOS; i++) {
        if (!request->io[i].busy)
            return &request->io[i];
    }
    return NULL;
}

static void piece_io_ended(struct pool *pool, struct pool_io *io, enum blk_status status);

static void send(struct pool *pool, struct pool_request *request, struct pool_io *io)
{
    io->busy = true;
    io->request = request;
    io->done = piece_io_ended;
    request->inflight++;
    pool->env.submit(pool->env.context, io);
}

static void send_data(struct pool *pool, struct pool_request *request, struct pool_io *io)
{
    uint64_t first = request->cursor, next = first, most = ~0ull;
    bool read = request->kind == PIECE_READ;
    struct place place = {0};
    do {
        struct place other = place_at(pool, request, next);
        if (next == first) {
            place = other;
            most = place.hole && read ? POOL_ZERO_SECTORS : most;
        } else if (read && (place.hole || other.hole)
                       ? place.hole != other.hole
                       : other.sector != place.sector + (next - first)) {
            break;
        }
        next = other.next;
    } while (next < request->end && next - first < most);
    *io = (struct pool_io){.op = read ? BLK_READ : BLK_WRITE,
                           .fua = request->flags & BLK_FUA && !read,
                           .sector = place.sector,
                           .sectors = next - first,
                           .skip = (first - request->sector) * POOL_SECTOR};
    if (request->kind == PIECE_ZERO)
        io->buffer = own_page(pool, OWN_ZERO);
    request->cursor = next;
    send(pool, request, io);
}

static void send_edge(struct pool *pool, struct pool_request *request, struct pool_edge *edge,
                      struct pool_io *io)
{
    bool read = edge->step == EDGE_READ;
    *io = (struct pool_io){.op = read ? BLK_READ : BLK_WRITE,
                           .sector = read ? edge->from : edge->to,
                           .sectors = edge->sectors,
                           .buffer = edge->bounce,
                           .owner = edge};
    edge->step = read ? EDGE_READING : EDGE_WRITING;
    send(pool, request, io);
}

static void pump(struct pool *pool, struct pool_request *request)
{
    struct pool_io *io;
    for (uint32_t i = 0; i < 2 && request->structural; i++) {
        struct pool_edge *edge = &request->edge[i];
        if (edge->step != EDGE_READ && edge->step != EDGE_WRITE)
            continue;
        io = free_io(request);
        if (!io)
            return;
        send_edge(pool, request, edge, io);
    }
    while (request->cursor < request->end && request->status == BLK_OK) {
        io = free_io(request);
        if (!io)
            return;
        send_data(pool, request, io);
    }
}

/* --- the end --- */

static void release(struct pool *pool, struct pool_request *request)
{
    pool->reserved_pieces--;
    pool->reserved_nodes -= request->nodes;
    pool->reserved_drops -= PIECE_DROPS;
    pool->reserved_records -= PIECE_RECORDS;
    for (uint32_t i = 0; i < 2; i++) {
        if (request->edge[i].bounce)
            pool->bounce[pool->bounces++] = request->edge[i].bounce;
        request->edge[i].bounce = NULL;
    }
}

static void enter_blocks(struct pool *pool, struct pool_request *request)
{
    uint64_t first = block_of(request->at);
    bool exclusive;
    for (uint64_t block = first; block <= block_of(request->end - 1); block++) {
        uint64_t entry = tree_get(request->volume, block, &exclusive);
        uint64_t target = request->target[block - first];
        uint32_t parts = POOL_ENTRY_PARTS(entry) | parts_of(block, request->at, request->end);
        uint64_t next = POOL_ENTRY(target == NO_BLOCK ? POOL_ENTRY_BLOCK(entry) : target, parts);
        if (next == entry)
            continue;
        tree_set(request->volume, block, next);
        journal_add(pool, request->volume, POOL_JOURNAL_SET, block, next);
    }
}

static void give_blocks_back(struct pool *pool, struct pool_request *request)
{
    for (uint32_t i = 0; i < POOL_PIECE_BLOCKS; i++) {
        if (request->fresh >> i & 1)
            block_drop(pool, request->target[i]);
    }
}

static void piece_ended(struct pool *pool, struct pool_request *request)
{
    if (request->structural) {
        if (request->status == BLK_OK && pool->frozen)
            request->status = BLK_IO_ERROR;
        if (request->status == BLK_OK)
            enter_blocks(pool, request);
        else
            give_blocks_back(pool, request);
        release(pool, request);
        if (pool->dirty_count > COMMIT_NODES / 2 || pool->later.count > DROPS_MAX / 2 ||
            !journal_has_room(pool, POOL_JOURNAL_RECORDS / 2))
            pool_commit(pool);
    }
    request_piece_done(pool, request);
}

static void piece_io_ended(struct pool *pool, struct pool_io *io, enum blk_status status)
{
    struct pool_request *request = io->request;
    struct pool_edge *edge = io->owner;
    io->busy = false;
    request->inflight--;
    if (status != BLK_OK && request->status == BLK_OK)
        request->status = status;
    if (edge) {
        bool was_read = edge->step == EDGE_READING && request->status == BLK_OK;
        edge->step = was_read ? EDGE_WRITE : EDGE_NONE;
        if (was_read)
            memset((uint8_t *)edge->bounce + (size_t)edge->zero_first * POOL_SECTOR, 0,
                   (size_t)edge->zero_sectors * POOL_SECTOR);
    }
    if (request->status == BLK_OK && (request->structural || request->cursor < request->end))
        pump(pool, request);
    if (!request->inflight)
        piece_ended(pool, request);
}

/* --- the start --- */

/* Between two sectors of a block and the part that is written: what was there, or zeroes up to the
 * part's bound. */
static void plan_edge(const struct pool *pool, struct pool_edge *edge, uint64_t entry,
                      uint64_t target, uint32_t first, uint32_t end, bool head)
{
    uint32_t parts = POOL_ENTRY_PARTS(entry);
    uint32_t inside = parts_of(0, first, end > first ? end : first + 1);
    bool moves = parts & inside && target != NO_BLOCK;
    uint32_t cut_part = (head ? end : first - 1) / POOL_PART_SECTORS;
    bool partial = (head ? end : first) % POOL_PART_SECTORS;
    bool hole = partial && !(parts >> cut_part & 1);
    uint32_t begin = head ? cut_part * POOL_PART_SECTORS : first;
    uint32_t stop = head ? end : (cut_part + 1) * POOL_PART_SECTORS;
    uint64_t to = block_sector(pool, target == NO_BLOCK ? POOL_ENTRY_BLOCK(entry) : target);
    *edge = (struct pool_edge){.step = EDGE_NONE};
    if (moves && first < end) {
        /* All up to the write; what is no data is copied with it and stays unmapped. */
        edge->from = block_sector(pool, POOL_ENTRY_BLOCK(entry)) + first;
        edge->to = to + first;
        edge->sectors = end - first;
        edge->zero_first = hole ? begin - first : 0;
        edge->zero_sectors = hole ? stop - begin : 0;
        edge->step = EDGE_READ;
    } else if (hole) {
        edge->to = to + begin;
        edge->sectors = edge->zero_sectors = stop - begin;
        edge->step = EDGE_WRITE;
    }
}

static void plan_edges(struct pool *pool, struct pool_request *request)
{
    uint64_t first = block_of(request->at), last = block_of(request->end - 1);
    uint32_t from = (uint32_t)(request->at % POOL_BLOCK_SECTORS);
    uint32_t to = (uint32_t)((request->end - 1) % POOL_BLOCK_SECTORS) + 1;
    bool exclusive;
    plan_edge(pool, &request->edge[0], tree_get(request->volume, first, &exclusive),
              request->target[0], 0, from, true);
    plan_edge(pool, &request->edge[1], tree_get(request->volume, last, &exclusive),
              request->target[last - first], to, POOL_BLOCK_SECTORS, false);
    for (uint32_t i = 0; i < 2; i++) {
        struct pool_edge *edge = &request->edge[i];
        if (edge->step == EDGE_NONE)
            continue;
        edge->bounce = pool->bounce[--pool->bounces];
        if (edge->step == EDGE_WRITE)
            memset(edge->bounce, 0, (size_t)edge->sectors * POOL_SECTOR);
    }
}

static bool take_blocks(struct pool *pool, struct pool_request *request)
{
    uint64_t first = block_of(request->at), last = block_of(request->end - 1);
    bool exclusive;
    request->fresh = 0;
    for (uint64_t block = first; block <= last; block++) {
        uint64_t *target = &request->target[block - first];
        *target = NO_BLOCK;
        tree_get(request->volume, block, &exclusive);
        if (exclusive)
            continue;
        *target = block_take(pool, request->volume->hint);
        if (*target == NO_BLOCK) {
            give_blocks_back(pool, request);
            return false;
        }
        request->volume->hint = *target + 1;
        request->fresh |= 1ull << (block - first);
    }
    return true;
}

static bool has_room(const struct pool *pool)
{
    uint32_t pieces = pool->reserved_pieces + 1;
    return pool->dirty_count + pieces * PIECE_NODES <= COMMIT_NODES &&
           pool->later.count + pool->reserved_drops + PIECE_DROPS <= DROPS_MAX &&
           journal_has_room(pool, pool->reserved_records + PIECE_RECORDS) && pool->bounces >= 2;
}

static bool has_nodes(const struct pool *pool, struct pool_request *request)
{
    request->nodes = tree_needs(request->volume, block_of(request->at));
    return !request->nodes ||
           pool->nodes + pool->reserved_nodes + request->nodes <= pool->node_limit;
}

/* Blocks lose parts, or all: no data moves. */
static void unmap_now(struct pool *pool, struct pool_request *request)
{
    struct pool_volume *volume = request->volume;
    uint64_t first = block_of(request->at), end = block_of(request->end - 1) + 1;
    uint64_t blocks = block_of(volume->record.sectors + POOL_BLOCK_SECTORS - 1);
    bool exclusive;
    for (uint32_t turn = 0; turn < 2 && first < end; turn++) {
        uint64_t block = turn ? end - 1 : first;
        uint32_t parts = parts_of(block, request->at, request->end);
        uint64_t entry = tree_get(volume, block, &exclusive);
        uint32_t left = POOL_ENTRY_PARTS(entry) & ~parts;
        if (parts == POOL_ALL_PARTS || (block == blocks - 1 && !left))
            continue;
        uint64_t next = left ? POOL_ENTRY(POOL_ENTRY_BLOCK(entry), left) : 0;
        if (next != entry) {
            tree_set(volume, block, next);
            journal_add(pool, volume, POOL_JOURNAL_SET, block, next);
        }
        first += !turn;
        end -= turn;
    }
    if (first >= end)
        return;
    tree_unmap(volume, first, end - first);
    journal_add(pool, volume, POOL_JOURNAL_UNMAP, first, end - first);
}

static bool take_all(struct pool *pool, struct pool_request *request)
{
    return has_nodes(pool, request) && (request->kind == PIECE_UNMAP || take_blocks(pool, request));
}

static enum piece_verdict start_structural(struct pool *pool, struct pool_request *request)
{
    bool good;
    if (!has_room(pool)) {
        pool->commit_wanted = true;
        return PIECE_STALLED;
    }
    good = take_all(pool, request);
    if (!good && pool->dying) {
        while (pool_work(pool))
            continue;
        good = take_all(pool, request);
    }
    /* What is freed by a commit may be enough. */
    if (!good && (pool->later.frees || pool->now.frees)) {
        pool->commit_wanted = true;
        return PIECE_STALLED;
    }
    if (!good) {
        request->status = BLK_NO_SPACE;
        return PIECE_REFUSED;
    }
    if (request->kind == PIECE_UNMAP) {
        unmap_now(pool, request);
        return PIECE_DONE;
    }
    pool->reserved_pieces++;
    pool->reserved_nodes += request->nodes;
    pool->reserved_drops += PIECE_DROPS;
    pool->reserved_records += PIECE_RECORDS;
    memset(request->edge, 0, sizeof(request->edge));
    plan_edges(pool, request);
    return PIECE_STARTED;
}

enum piece_verdict piece_start(struct pool *pool, struct pool_request *request)
{
    enum piece_verdict verdict = PIECE_STARTED;
    if (pool->frozen && request->kind != PIECE_READ) {
        request->status = BLK_IO_ERROR;
        return PIECE_REFUSED;
    }
    request->cursor = request->at;
    if (request->structural)
        verdict = start_structural(pool, request);
    else if (request->kind == PIECE_UNMAP)
        verdict = PIECE_DONE;
    if (verdict == PIECE_STARTED)
        pump(pool, request);
    return verdict;
}

void pool_io_ended(struct pool *pool, struct pool_io *io, enum blk_status status)
{
    io->done(pool, io, status);
}
