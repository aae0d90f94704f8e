/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes a partition larger, into the unused blocks behind it. As gpt.h: it asks for blocks to be
 * read and written, and never waits. The backup is written first, so that at each instant one of
 * the two tables is whole: a machine that is cut off has the old size or the new one. */
#ifndef DRIVERS_GPT_GROW_H
#define DRIVERS_GPT_GROW_H

#include "drivers/gpt/gpt.h"

/* The caller's memory: a table, and behind it a header. */
#define GPT_GROW_HEADER GPT_READ_BYTES
#define GPT_GROW_BYTES  (GPT_READ_BYTES + 4096u)

enum gpt_grow_step {
    GROW_READ_TABLE,
    GROW_WRITE_BACKUP_TABLE,
    GROW_WRITE_BACKUP_HEADER,
    GROW_FLUSH_BACKUP,
    GROW_WRITE_TABLE,
    GROW_WRITE_HEADER,
    GROW_FLUSH,
    GROW_DONE
};

enum gpt_grow_op { GROW_OP_READ, GROW_OP_WRITE, GROW_OP_FLUSH };

struct gpt_grow {
    /* What the caller is to do next, while step is not GROW_DONE. */
    enum gpt_grow_op op;
    uint64_t want_block;
    uint32_t want_blocks, offset; /* offset: in the caller's memory */
    enum gpt_grow_step step;

    struct gpt_header header;
    uint32_t block_size, table_blocks;
    uint32_t number; /* of the partition */
    uint64_t last;   /* its new last block */
    uint64_t blocks; /* it has then */
    const char *why; /* not NULL: it was not done */
};

/* gpt: as it was read, complete. The partition that begins at block `first` shall have `blocks`; 0:
 * as many as there are. NULL, or why not. */
const char *gpt_grow_begin(struct gpt_grow *grow, const struct gpt *gpt, uint64_t first,
                           uint64_t blocks);
/* What was asked for was done (good), or could not be. */
void gpt_grow_done(struct gpt_grow *grow, bool good, uint8_t memory[GPT_GROW_BYTES]);

#endif
