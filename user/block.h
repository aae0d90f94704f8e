/* SPDX-License-Identifier: BSD-2-Clause */
/* The block channel: one page-aligned memory object that a client (a VMM) and a disk driver share,
 * for one volume. A fixed set of slots instead of a ring: requests end in any order, and what is
 * submitted and not ended stands in the slots, so a driver that takes over a channel from one that
 * died does again whatever is marked submitted, in order of `sequence`. Doing a request twice is
 * harmless: reads and writes are idempotent, and the client may not reuse a slot's memory before
 * it is ended.
 *
 * Neither side trusts the other: a driver copies a slot before it looks at it and bounds each
 * segment by the memory objects it was given; a client takes only `status`, once, of a slot that it
 * submitted itself. */
#ifndef USER_BLOCK_H
#define USER_BLOCK_H

#include <stdint.h>

#define BLK_SLOTS        64u
#define BLK_SEGMENTS_MAX 64u
#define BLK_MEMORIES_MAX 5u /* the client's memory objects that segments may lie in */
#define BLK_RAM_MAX      4u /* of them, those that are a guest's RAM */
#define BLK_SECTOR       512u

enum blk_op {
    BLK_READ,
    BLK_WRITE,
    BLK_FLUSH,        /* all writes ended before this was submitted are on the medium */
    BLK_DISCARD,      /* the content may be lost */
    BLK_WRITE_ZEROES, /* the content is zero afterwards */
};

#define BLK_FUA 1u /* BLK_WRITE: on the medium when it ends */

enum blk_status {
    BLK_OK,
    BLK_IO_ERROR, /* the medium or the controller failed, after all retries */
    BLK_RANGE,    /* beyond the volume, or no multiple of its block size */
    BLK_READ_ONLY,
    BLK_UNSUPPORTED, /* the device has no such command */
    BLK_NO_SPACE,
    BLK_INVALID, /* malformed: segments outside the memory, lengths that do not add up */
    BLK_GONE,    /* the device was removed */
};

enum blk_slot_state { BLK_FREE, BLK_SUBMITTED, BLK_ENDED };

struct blk_segment {
    uint64_t offset; /* bytes, in the memory object; even */
    uint32_t length; /* bytes, a multiple of 2 */
    uint32_t memory; /* index of the memory object */
};

struct blk_slot {
    uint32_t state;    /* enum blk_slot_state; stored last, with release; BLK_ENDED by the driver */
    uint32_t status;   /* enum blk_status, by the driver before BLK_ENDED */
    uint32_t op;       /* enum blk_op */
    uint32_t flags;    /* BLK_FUA */
    uint64_t sequence; /* rises with each submission on the channel */
    uint64_t sector;   /* first, in units of BLK_SECTOR */
    uint64_t sectors;  /* reads and writes: what the segments add up to */
    uint32_t segments;
    uint32_t pad;
    struct blk_segment segment[BLK_SEGMENTS_MAX];
};

/* What the driver says of the volume; filled before the client is told of the channel, and again
 * when it changed (blk_channel.generation). */
struct blk_geometry {
    uint64_t sectors;       /* in units of BLK_SECTOR */
    uint32_t block_size;    /* logical, bytes: 512, 2048 (optical) or 4096 */
    uint32_t physical_size; /* bytes */
    uint32_t discard_align; /* bytes, 0: no discard */
    uint32_t flags;         /* BLK_GEOMETRY_* */
    char serial[24];
    char model[44];
};
#define BLK_GEOMETRY_READ_ONLY    1u
#define BLK_GEOMETRY_FLUSH        2u /* has a volatile write cache */
#define BLK_GEOMETRY_FUA          4u
#define BLK_GEOMETRY_DISCARD      8u
#define BLK_GEOMETRY_WRITE_ZEROES 16u
#define BLK_GEOMETRY_ROTATIONAL   32u

struct blk_channel {
    /* The client's line. Bits of slots that became BLK_SUBMITTED since the driver last took the
     * word (fetch_or, then signal the driver's notification if the word was 0). */
    _Alignas(64) uint64_t submitted;
    /* The driver's line. Bits of slots that became BLK_ENDED since the client last took the word
     * (fetch_or, then signal the client's notification if the word was 0). */
    _Alignas(64) uint64_t ended;
    _Alignas(64) uint32_t generation; /* rises when geometry changes */
    uint32_t present;                 /* a driver serves the channel */
    struct blk_geometry geometry;
    _Alignas(64) struct blk_slot slot[BLK_SLOTS];
};

#endif
