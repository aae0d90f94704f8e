/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine of a volume pool: what to read and write where, and when. It makes no system call and
 * never waits: whoever runs it (the pool process, a host tool, a test) does its reads and writes
 * and tells it when they have ended.
 *
 * All of the metadata is in memory while a pool is open; what is free is not on the disk at all,
 * but found when the trees are read. docs/pool-format.md has the format and its rules,
 * docs/decisions/0007-volume-pool.md the reasons. */
#ifndef DRIVERS_POOL_POOL_H
#define DRIVERS_POOL_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include "drivers/pool/format.h"
#include "drivers/pool/journal.h"
#include "drivers/pool/protocol.h"
#include "user/block.h"

#define POOL_REASON 192u
/* Memory for the engine's own reads and writes; the device must reach it. */
#define POOL_OWN_BYTES (2u << 20)
#define POOL_IOS       8u /* of one request, at a time */

struct pool;
struct pool_volume;
struct pool_request;

/* A read, write or flush of the partition. With a buffer: own memory; without: the segments of its
 * request, from byte `skip` on. */
struct pool_io {
    struct pool_io *next; /* the environment's */
    uint32_t op;          /* BLK_READ, BLK_WRITE, BLK_FLUSH */
    bool fua;
    uint64_t sector, sectors;
    void *buffer;
    struct pool_request *request;
    uint64_t skip;
    /* The engine's. */
    bool busy;
    void (*done)(struct pool *pool, struct pool_io *io, enum blk_status status);
    void *owner;
};

enum pool_piece_kind { PIECE_READ, PIECE_WRITE, PIECE_ZERO, PIECE_UNMAP };
#define POOL_PIECE_BLOCKS 16u

/* What lies in a block beside the part that is written, and must get into a new one. */
struct pool_edge {
    uint8_t step; /* enum in piece.c */
    uint32_t sectors;
    uint32_t zero_first, zero_sectors; /* of it: nothing was there */
    uint64_t from, to;                 /* sectors of the partition */
    void *bounce;
};

struct pool_request {
    /* Filled in by the environment, which keeps them until the end. */
    struct pool_volume *volume;
    uint32_t op;    /* enum blk_op */
    uint32_t flags; /* BLK_FUA */
    uint64_t sector, sectors;
    uint32_t segments;
    const struct blk_segment *segment;
    void *lane; /* whose segments: for the environment */

    /* The engine's: a request is worked off in pieces of at most 1 MiB that change at most one
     * leaf. */
    struct pool_request *next, *previous;
    enum blk_status status;
    uint64_t at;         /* first sector of what is not done, or of the piece */
    uint64_t end;        /* of the piece */
    uint64_t cursor;     /* of the piece: first sector that is not in an io */
    uint8_t kind;        /* enum pool_piece_kind */
    bool structural;     /* the piece changes the map */
    bool active;         /* the piece is in the volume's list of active ones */
    uint32_t nodes;      /* that the piece will need */
    uint32_t inflight;   /* ios */
    uint64_t generation; /* a flush, or a durable write: what has to be on the disk */
    uint64_t fresh;      /* bits: blocks of the piece that are new */
    uint64_t target[POOL_PIECE_BLOCKS];
    struct pool_edge edge[2];
    struct pool_io io[POOL_IOS];
};

/* What the engine needs. None of these is called back into the engine. */
struct pool_environment {
    void *context;
    /* Ends with pool_io_ended(), not before this has returned. */
    void (*submit)(void *context, struct pool_io *io);
    void (*ended)(void *context, struct pool_request *request, enum blk_status status);
    /* The pool is open, or why not (pool_reason()). */
    void (*opened)(void *context, bool good);
    /* pool_order() was carried out; why: NULL, or what was wrong. */
    void (*ordered)(void *context, uint64_t job, const char *why);
    /* Checking: each thing that is wrong, or worth a word. May be NULL. */
    void (*report)(void *context, bool bad, const char *text);
    uint8_t *own;                 /* POOL_OWN_BYTES, page aligned */
    struct pool_journal *journal; /* NULL: what was not committed is lost with the process */
    uint64_t sectors;             /* of the partition */
    bool read_only;
};

/* NULL: no memory. */
struct pool *pool_new(const struct pool_environment *environment);
void pool_free(struct pool *pool);
/* Reads all metadata; check: looks at what only a check needs, too, and goes on after errors.
 * environment.opened tells the end. */
void pool_open(struct pool *pool, bool check);
const char *pool_reason(const struct pool *pool);
void pool_io_ended(struct pool *pool, struct pool_io *io, enum blk_status status);

/* A client's request; environment.ended tells the end, perhaps before this returns. */
void pool_submit(struct pool *pool, struct pool_request *request);
/* Starts a commit if there is something to commit. */
void pool_commit(struct pool *pool);
/* Something is to be done beside requests: committed, put off, or said. */
bool pool_stirs(const struct pool *pool);
/* Something is not on the disk, or being worked at: pool_commit() would make sense. */
bool pool_is_dirty(const struct pool *pool);
/* Nothing is in flight. */
bool pool_is_idle(const struct pool *pool);
/* Some of what is put off until there is time. True if there is more. */
bool pool_work(struct pool *pool);
/* A read of metadata or a commit has failed: nothing is written any more until the pool is opened
 * again. */
bool pool_is_frozen(const struct pool *pool);

/* A bounded copy of the piece of a request's segments that an io means. The number of segments. */
uint32_t pool_cut(const struct pool_io *io, struct blk_segment out[BLK_SEGMENTS_MAX]);

/* --- volumes --- */

/* "volume", or "volume@snapshot". NULL: there is none. */
struct pool_volume *pool_find(struct pool *pool, const char *name);
struct pool_volume *pool_at(struct pool *pool,
                            uint32_t index); /* below POOL_VOLUMES; may be NULL */
const struct pool_record *pool_record(const struct pool_volume *volume);
/* Somebody uses it; a volume that is used is not deleted, reverted or shrunk. */
void pool_use(struct pool_volume *volume, bool used);
bool pool_is_used(const struct pool_volume *volume);

struct pool_numbers {
    uint64_t blocks, free_blocks;
    uint64_t nodes, node_limit;
    uint64_t generation;
    uint64_t last_job;
    uint32_t volumes;
};
void pool_numbers(const struct pool *pool, struct pool_numbers *numbers);
/* Blocks that the volume maps. */
uint64_t pool_volume_blocks(const struct pool_volume *volume);
/* For exports: the first block from `block` on that the volume maps; false: none. */
bool pool_next_block(const struct pool_volume *volume, uint64_t *block);

/* --- orders --- */

/* One at a time: the next after environment.ordered. An order that was carried out before (by its
 * number) is answered so at once. */
void pool_order(struct pool *pool, const struct pool_order *order);

/* --- making a pool --- */

/* Fills in the superblock of an empty pool; false: the partition is too small or too large. */
bool pool_format(struct pool_super *super, uint64_t sectors, const uint8_t uuid[16], uint64_t now);
/* Bytes of memory that a pool on so many sectors can need. */
uint64_t pool_memory(uint64_t sectors);

#endif
