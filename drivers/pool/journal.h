/* SPDX-License-Identifier: BSD-2-Clause */
/* What a pool process has told its clients and not yet committed, in memory that outlives the
 * process: a write that ended is read back from then on, even if the process dies. It is lost with
 * the machine, as a disk's cache is. */
#ifndef DRIVERS_POOL_JOURNAL_H
#define DRIVERS_POOL_JOURNAL_H

#include <stdint.h>

#define POOL_JOURNAL_MAGIC   0x4c4e524a4c4f4f50ull
#define POOL_JOURNAL_RECORDS 16384u

enum pool_journal_kind {
    POOL_JOURNAL_SET = 1, /* value: the entry of a leaf */
    POOL_JOURNAL_UNMAP    /* value: number of blocks */
};

struct pool_journal_record {
    uint64_t generation; /* the commit that takes it in */
    uint32_t volume;
    uint32_t kind;
    uint64_t block; /* of the volume */
    uint64_t value;
};

struct pool_journal {
    uint64_t magic;
    uint64_t head, tail; /* counted, not wrapped; head is written after its record */
    uint64_t pad;
    struct pool_journal_record record[POOL_JOURNAL_RECORDS];
};
#define POOL_JOURNAL_BYTES ((sizeof(struct pool_journal) + 4095u) & ~4095ul)

#endif
