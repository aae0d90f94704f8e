/* SPDX-License-Identifier: BSD-2-Clause */
/* A volume pool on its partition, as docs/pool-format.md tells it. All numbers are little-endian,
 * as this machine's are. */
#ifndef DRIVERS_POOL_FORMAT_H
#define DRIVERS_POOL_FORMAT_H

#include <stdint.h>

#define POOL_MAGIC   0x31304c4f4f504c4dull /* "MLPOOL01" */
#define POOL_VERSION 1u

#define POOL_SECTOR        512u
#define POOL_NODE_BYTES    4096u
#define POOL_NODE_SECTORS  (POOL_NODE_BYTES / POOL_SECTOR)
#define POOL_BLOCK_BYTES   65536u
#define POOL_BLOCK_SECTORS (POOL_BLOCK_BYTES / POOL_SECTOR)
#define POOL_PART_SECTORS  8u /* of a block; each of its parts is there or not */
#define POOL_PARTS         (POOL_BLOCK_SECTORS / POOL_PART_SECTORS)
#define POOL_ALL_PARTS     0xffffu

/* Places on the partition, in sectors. */
#define POOL_SUPER_SECTOR(copy) ((copy)*128ull) /* copy = generation & 1 */
#define POOL_ZERO_SECTOR        2048ull         /* what was never written is read from here */
#define POOL_ZERO_SECTORS       2048ull
#define POOL_FIRST_SECTOR       4096ull /* of region 0 */

#define POOL_FANOUT         512u /* entries of a node */
#define POOL_LEVELS         3u   /* leaf 0, then 1, root 2 */
#define POOL_LEAF_BLOCKS    ((uint64_t)POOL_FANOUT)
#define POOL_VOLUME_BLOCKS  (1ull << 27) /* most in a volume: 8 TiB */
#define POOL_VOLUME_SECTORS (POOL_VOLUME_BLOCKS * POOL_BLOCK_SECTORS)
#define POOL_BLOCKS_MAX     (1ull << 32) /* of a pool: 256 TiB */

#define POOL_REGIONS      8u
#define POOL_TABLE_NODES  32u
#define POOL_NODE_RECORDS 32u
#define POOL_VOLUMES      (POOL_TABLE_NODES * POOL_NODE_RECORDS)
#define POOL_NAME         64u

/* A part of the partition: slots for metadata nodes, then blocks of data. Slots and blocks are
 * counted through all regions. */
struct pool_region {
    uint64_t first_sector; /* of the slots; a multiple of POOL_BLOCK_SECTORS */
    uint64_t blocks;
    uint64_t first_block_sector; /* a multiple of POOL_BLOCK_SECTORS */
    uint32_t slots;
    uint32_t pad;
};

/* Where a node lies, and the CRC-32C of its bytes. slot 0 is never used: 0 is no node. */
struct pool_ref {
    uint32_t slot;
    uint32_t crc;
};

struct pool_super {
    uint64_t magic;
    uint32_t version;
    uint32_t crc; /* CRC-32C of the 4096 bytes, with 0 here */
    uint64_t generation;
    uint8_t uuid[16];
    uint64_t incompatible; /* bits of features that a reader must know */
    uint64_t created;      /* seconds since 1970, 0: unknown */
    uint64_t last_job;     /* number of the last order that was carried out */
    uint32_t next_volume;
    uint32_t region_count;
    struct pool_region region[POOL_REGIONS];
    struct pool_ref table[POOL_TABLE_NODES];
    uint8_t pad[POOL_NODE_BYTES - 72 - 32 * POOL_REGIONS - 8 * POOL_TABLE_NODES];
};

#define POOL_RECORD_SNAPSHOT 1u /* of the volume `parent`; never written */

/* A volume or a snapshot: a record in a table node. id 0: none. */
struct pool_record {
    char name[POOL_NAME]; /* zero-padded */
    uint32_t id;
    uint32_t flags;
    uint32_t parent; /* snapshot: id of its volume; else of what it was cloned from, 0: nothing */
    uint32_t pad0;
    uint64_t sectors; /* a multiple of POOL_PART_SECTORS */
    uint64_t created;
    struct pool_ref root; /* slot 0: nothing is mapped */
    uint8_t pad[24];
};

/* Entries of nodes above the leaves: struct pool_ref. Entries of leaves: the block, and a bit for
 * each of its parts that holds data. 0: nothing. */
#define POOL_ENTRY(block, parts) ((uint64_t)(block) | (uint64_t)(parts) << 48)
#define POOL_ENTRY_BLOCK(entry)  ((entry)&0xffffffffffull)
#define POOL_ENTRY_PARTS(entry)  ((uint32_t)((entry) >> 48))
#define POOL_ENTRY_RESERVED      0x0000ff0000000000ull

_Static_assert(sizeof(struct pool_super) == POOL_NODE_BYTES, "a superblock is one node");
_Static_assert(sizeof(struct pool_record) == 128, "32 records fill a node");
_Static_assert(sizeof(struct pool_region) == 32, "regions are packed");

#endif
