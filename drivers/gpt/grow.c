/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/gpt/grow.h"

#include <stddef.h>
#include <string.h>
#include "drivers/gpt/bytes.h"

#define HEADER_BYTES    92u
#define HEADER_REVISION 0x00010000u
#define ENTRY_LAST      40u
#define ALIGN_BYTES     (1u << 20)

static void want(struct gpt_grow *g, enum gpt_grow_step step, enum gpt_grow_op op, uint64_t block,
                 uint32_t blocks)
{
    g->step = step;
    g->op = op;
    g->want_block = block;
    g->want_blocks = blocks;
    g->offset = step == GROW_WRITE_BACKUP_HEADER || step == GROW_WRITE_HEADER ? GPT_GROW_HEADER : 0;
}

/* The first block behind the partition that it cannot have. */
static uint64_t end_of_room(const struct gpt *gpt, const struct gpt_partition *p)
{
    uint64_t end = gpt->header.last_usable + 1, unit = ALIGN_BYTES / gpt->block_size;
    for (uint32_t i = 0; i < gpt->count; i++) {
        const struct gpt_partition *other = &gpt->partition[i];
        if (other->first > p->first && other->first < end)
            end = other->first;
    }
    uint64_t aligned = end / unit * unit;
    return aligned > p->first + p->blocks ? aligned : end;
}

static const struct gpt_partition *find(const struct gpt *gpt, uint64_t first)
{
    for (uint32_t i = 0; i < gpt->count; i++) {
        if (gpt->partition[i].first == first)
            return &gpt->partition[i];
    }
    return NULL;
}

const char *gpt_grow_begin(struct gpt_grow *g, const struct gpt *gpt, uint64_t first,
                           uint64_t blocks)
{
    const struct gpt_partition *p = find(gpt, first);
    const struct gpt_header *h = &gpt->header;
    if (!gpt->found || gpt->backup || gpt->left_out || !gpt->block_size)
        return "its disk's partition table is damaged: nothing is changed in it";
    uint64_t bytes = (uint64_t)h->entries * h->entry_bytes;
    uint32_t table_blocks = (uint32_t)((bytes + gpt->block_size - 1) / gpt->block_size);
    if (!p)
        return "its partition is not in the table any more";
    if (h->other <= h->last_usable || h->other >= gpt->blocks ||
        h->other - h->last_usable - 1 < table_blocks)
        return "its disk has no room for a backup of the partition table";
    uint64_t room = end_of_room(gpt, p) - p->first;
    if (!blocks)
        blocks = room;
    if (blocks > room || room == p->blocks)
        return "there is not so much free space behind its partition";
    if (blocks <= p->blocks)
        return "its partition is as large already";
    *g = (struct gpt_grow){.header = *h,
                           .block_size = gpt->block_size,
                           .table_blocks = table_blocks,
                           .number = p->number,
                           .last = p->first + blocks - 1,
                           .blocks = blocks};
    want(g, GROW_READ_TABLE, GROW_OP_READ, h->table, table_blocks);
    return NULL;
}

static size_t table_bytes(const struct gpt_grow *g)
{
    return (size_t)g->header.entries * g->header.entry_bytes;
}

/* NULL, or why the table is not the one that was looked at. */
static const char *edit(struct gpt_grow *g, uint8_t *table)
{
    uint8_t *entry = table + (size_t)(g->number - 1) * g->header.entry_bytes;
    if (gpt_crc32(0, table, table_bytes(g)) != g->header.table_crc)
        return "its disk's partition table has changed";
    write64(entry + ENTRY_LAST, g->last);
    g->header.table_crc = gpt_crc32(0, table, table_bytes(g));
    return NULL;
}

static void compose_header(const struct gpt_grow *g, bool backup, uint8_t *to)
{
    const struct gpt_header *h = &g->header;
    memset(to, 0, g->block_size);
    memcpy(to, "EFI PART", 8);
    write32(to + 8, HEADER_REVISION);
    write32(to + 12, HEADER_BYTES);
    write64(to + 24, backup ? h->other : h->here);
    write64(to + 32, backup ? h->here : h->other);
    write64(to + 40, h->first_usable);
    write64(to + 48, h->last_usable);
    memcpy(to + 56, h->disk_uuid, sizeof(h->disk_uuid));
    write64(to + 72, backup ? h->other - g->table_blocks : h->table);
    write32(to + 80, h->entries);
    write32(to + 84, h->entry_bytes);
    write32(to + 88, h->table_crc);
    write32(to + 16, gpt_crc32(0, to, HEADER_BYTES));
}

static void finish(struct gpt_grow *g, const char *why)
{
    g->why = why;
    g->step = GROW_DONE;
}

void gpt_grow_done(struct gpt_grow *g, bool good, uint8_t memory[GPT_GROW_BYTES])
{
    const struct gpt_header *h = &g->header;
    if (!good) {
        finish(g, "its disk's partition table cannot be read or written");
        return;
    }
    switch (g->step) {
    case GROW_READ_TABLE:
        g->why = edit(g, memory);
        want(g, g->why ? GROW_DONE : GROW_WRITE_BACKUP_TABLE, GROW_OP_WRITE,
             h->other - g->table_blocks, g->table_blocks);
        break;
    case GROW_WRITE_BACKUP_TABLE:
        compose_header(g, true, memory + GPT_GROW_HEADER);
        want(g, GROW_WRITE_BACKUP_HEADER, GROW_OP_WRITE, h->other, 1);
        break;
    case GROW_WRITE_BACKUP_HEADER:
        want(g, GROW_FLUSH_BACKUP, GROW_OP_FLUSH, 0, 0);
        break;
    case GROW_FLUSH_BACKUP:
        want(g, GROW_WRITE_TABLE, GROW_OP_WRITE, h->table, g->table_blocks);
        break;
    case GROW_WRITE_TABLE:
        compose_header(g, false, memory + GPT_GROW_HEADER);
        want(g, GROW_WRITE_HEADER, GROW_OP_WRITE, h->here, 1);
        break;
    case GROW_WRITE_HEADER:
        want(g, GROW_FLUSH, GROW_OP_FLUSH, 0, 0);
        break;
    case GROW_FLUSH:
        finish(g, NULL);
        break;
    case GROW_DONE:
        break;
    }
}
