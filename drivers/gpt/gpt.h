/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a GUID partition table (UEFI Specification, "GUID Partition Table (GPT) Disk Layout"). The
 * reader asks for blocks and is fed with them, so it never waits for a disk. What stands on a disk
 * is anyone's writing: checksums are checked, numbers bounded, and a partition that makes no sense
 * is left out with a reason. */
#ifndef DRIVERS_GPT_GPT_H
#define DRIVERS_GPT_GPT_H

#include <stdbool.h>
#include <stdint.h>

#define GPT_PARTITIONS  128u
#define GPT_NAME        112u            /* 36 UTF-16 units as UTF-8, and its end */
#define GPT_TABLE_BYTES (64u << 10)     /* longer tables are refused */
#define GPT_READ_BYTES  GPT_TABLE_BYTES /* the most that is asked for at a time */
#define GPT_REASON      160u

struct gpt_partition {
    uint32_t number;            /* from 1 */
    uint8_t type[16], uuid[16]; /* as on disk: the first three fields little-endian */
    uint64_t first, blocks;     /* of the disk's block size */
    uint64_t attributes;
    char name[GPT_NAME]; /* UTF-8; what is no Unicode, or a control character, is '?' */
};

struct gpt_header {
    uint64_t here, other; /* blocks of the two headers */
    uint64_t first_usable, last_usable;
    uint8_t disk_uuid[16];
    uint64_t table; /* first block of the entries */
    uint32_t entries, entry_bytes, table_crc;
};

enum gpt_step { GPT_READ_MBR, GPT_READ_HEADER, GPT_READ_TABLE, GPT_DONE };

struct gpt {
    /* What the caller is to read next, while step is not GPT_DONE. */
    uint64_t want_block;
    uint32_t want_blocks;
    enum gpt_step step;

    uint32_t block_size;
    uint64_t blocks; /* of the disk */
    bool backup;     /* the header being read, or that was used, is the one at the end */
    struct gpt_header header;

    /* The result. reason: why there are no partitions (count 0), or what is wrong although there
     * are; empty if all is well. */
    bool found;
    uint32_t count;
    struct gpt_partition partition[GPT_PARTITIONS];
    uint32_t left_out; /* partitions that were refused */
    char reason[GPT_REASON];
};

/* block_size: 512 to 4096, a power of two. */
void gpt_begin(struct gpt *gpt, uint32_t block_size, uint64_t blocks);
/* data: what was asked for; NULL: it could not be read. */
void gpt_feed(struct gpt *gpt, const void *data);

#define GPT_UUID_TEXT 37u
/* "0fc63daf-8483-4772-8e79-3d69d8477de4". */
void gpt_uuid_text(const uint8_t uuid[16], char text[GPT_UUID_TEXT]);

#endif
