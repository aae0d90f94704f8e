/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/gpt/gpt.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "drivers/gpt/bytes.h"

#define MBR_SIGNATURE    510u
#define MBR_FIRST        446u
#define MBR_ENTRY        16u
#define MBR_ENTRIES      4u
#define MBR_TYPE         4u
#define MBR_TYPE_GPT     0xeeu
#define HEADER_MIN       92u
#define HEADER_REVISION  0x00010000u
#define ENTRY_MIN        128u
#define ENTRY_NAME_UNITS 36u
#define PRIMARY_BLOCK    1u

uint32_t gpt_crc32(uint32_t from, const uint8_t *data, size_t size)
{
    uint32_t crc = ~from;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

__attribute__((format(printf, 2, 3))) static void say(struct gpt *gpt, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(gpt->reason, sizeof(gpt->reason), format, args);
    va_end(args);
}

static void ask(struct gpt *gpt, enum gpt_step step, uint64_t block, uint32_t blocks)
{
    gpt->step = step;
    gpt->want_block = block;
    gpt->want_blocks = blocks;
}

void gpt_begin(struct gpt *gpt, uint32_t block_size, uint64_t blocks)
{
    memset(gpt, 0, sizeof(*gpt));
    gpt->block_size = block_size;
    gpt->blocks = blocks;
    gpt->step = GPT_DONE;
    if (block_size < 512 || block_size > 4096 || (block_size & (block_size - 1)))
        say(gpt, "blocks of %u bytes hold no partition table", (unsigned)block_size);
    else if (blocks < 6)
        say(gpt, "the disk is too small for a partition table");
    else
        ask(gpt, GPT_READ_MBR, 0, 1);
}

/* After a primary header that cannot be used, or its table: the backup; after that the end. */
static void try_other(struct gpt *gpt)
{
    gpt->count = 0;
    gpt->left_out = 0;
    if (gpt->backup) {
        gpt->step = GPT_DONE;
        return;
    }
    gpt->backup = true;
    ask(gpt, GPT_READ_HEADER, gpt->blocks - 1, 1);
}

/* A disk whose MBR is not the protective one is another system's, even if an old GPT is left. */
static void feed_mbr(struct gpt *gpt, const uint8_t *data)
{
    bool protective = false, used = false;
    bool signed_ = data && data[MBR_SIGNATURE] == 0x55 && data[MBR_SIGNATURE + 1] == 0xaa;
    for (uint32_t i = 0; signed_ && i < MBR_ENTRIES; i++) {
        uint8_t type = data[MBR_FIRST + i * MBR_ENTRY + MBR_TYPE];
        protective |= type == MBR_TYPE_GPT;
        used |= type != 0;
    }
    if (used && !protective) {
        say(gpt, "its partition table is an MBR, not a GPT");
        gpt->step = GPT_DONE;
        return;
    }
    ask(gpt, GPT_READ_HEADER, PRIMARY_BLOCK, 1);
}

/* NULL, or why the header cannot be used. */
static const char *parse_header(const struct gpt *gpt, const uint8_t *data, struct gpt_header *h)
{
    uint8_t copy[4096];
    if (!data)
        return "cannot be read";
    if (memcmp(data, "EFI PART", 8) != 0)
        return "is absent";
    uint32_t size = read32(data + 12);
    if (size < HEADER_MIN || size > gpt->block_size)
        return "has an impossible size";
    memcpy(copy, data, size);
    memset(copy + 16, 0, 4);
    if (gpt_crc32(0, copy, size) != read32(data + 16))
        return "has a wrong checksum";
    if (read32(data + 8) >> 16 != HEADER_REVISION >> 16)
        return "is of an unknown version";
    *h = (struct gpt_header){.here = read64(data + 24),
                             .other = read64(data + 32),
                             .first_usable = read64(data + 40),
                             .last_usable = read64(data + 48),
                             .table = read64(data + 72),
                             .entries = read32(data + 80),
                             .entry_bytes = read32(data + 84),
                             .table_crc = read32(data + 88)};
    memcpy(h->disk_uuid, data + 56, sizeof(h->disk_uuid));
    if (h->here != gpt->want_block)
        return "belongs to another place";
    if (h->first_usable > h->last_usable || h->last_usable >= gpt->blocks)
        return "describes more than the disk has";
    if (h->entry_bytes < ENTRY_MIN || (h->entry_bytes & (h->entry_bytes - 1)) || !h->entries)
        return "has entries of an impossible size";
    if (h->entries > GPT_TABLE_BYTES / h->entry_bytes)
        return "has a longer table than can be read here";
    uint64_t bytes = (uint64_t)h->entries * h->entry_bytes;
    uint64_t blocks = (bytes + gpt->block_size - 1) / gpt->block_size;
    if (h->table < 2 || h->table >= gpt->blocks || blocks > gpt->blocks - h->table)
        return "has its table outside the disk";
    if (h->table <= h->last_usable && h->first_usable < h->table + blocks)
        return "has its table where partitions are";
    return NULL;
}

static void feed_header(struct gpt *gpt, const uint8_t *data)
{
    const char *why = parse_header(gpt, data, &gpt->header);
    if (!why) {
        uint64_t bytes = (uint64_t)gpt->header.entries * gpt->header.entry_bytes;
        ask(gpt, GPT_READ_TABLE, gpt->header.table,
            (uint32_t)((bytes + gpt->block_size - 1) / gpt->block_size));
        return;
    }
    if (!gpt->backup)
        say(gpt, "its primary partition table %s", why);
    else if (strcmp(why, "is absent") != 0 || !strstr(gpt->reason, "is absent"))
        snprintf(gpt->reason + strlen(gpt->reason), sizeof(gpt->reason) - strlen(gpt->reason),
                 "; the backup %s", why);
    else
        say(gpt, "it has no partition table");
    try_other(gpt);
}

static size_t put_utf8(char *to, uint32_t c)
{
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0xd800 && c < 0xe000))
        c = '?';
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static void read_name(const uint8_t *utf16, char name[GPT_NAME])
{
    size_t used = 0;
    for (uint32_t i = 0; i < ENTRY_NAME_UNITS; i++) {
        uint32_t c = (uint32_t)utf16[2 * i] | (uint32_t)utf16[2 * i + 1] << 8;
        if (!c)
            break;
        if (c >= 0xd800 && c < 0xdc00 && i + 1 < ENTRY_NAME_UNITS) {
            uint32_t low = (uint32_t)utf16[2 * i + 2] | (uint32_t)utf16[2 * i + 3] << 8;
            if (low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
                i++;
            }
        }
        /* 36 units make at most 108 bytes: a pair of them makes four. */
        used += put_utf8(name + used, c);
    }
    name[used] = 0;
}

static bool overlaps(const struct gpt_partition *a, const struct gpt_partition *b)
{
    return a->first < b->first + b->blocks && b->first < a->first + a->blocks;
}

static void leave_out(struct gpt *gpt, uint32_t number, const char *why)
{
    gpt->left_out++;
    say(gpt, "partition %u %s", (unsigned)number, why);
}

static void take_entry(struct gpt *gpt, const uint8_t *e, uint32_t number)
{
    static const uint8_t unused[16];
    struct gpt_partition p = {.number = number, .attributes = read64(e + 48)};
    uint64_t first = read64(e + 32), last = read64(e + 40);
    if (!memcmp(e, unused, sizeof(unused)))
        return;
    if (first > last || first < gpt->header.first_usable || last > gpt->header.last_usable) {
        leave_out(gpt, number, "lies outside the usable blocks");
        return;
    }
    if (gpt->count == GPT_PARTITIONS) {
        leave_out(gpt, number, "is one too many");
        return;
    }
    memcpy(p.type, e, sizeof(p.type));
    memcpy(p.uuid, e + 16, sizeof(p.uuid));
    p.first = first;
    p.blocks = last - first + 1;
    read_name(e + 56, p.name);
    gpt->partition[gpt->count++] = p;
}

/* Of partitions that overlap none can be trusted. */
static void drop_overlapping(struct gpt *gpt)
{
    bool bad[GPT_PARTITIONS] = {false};
    uint32_t kept = 0;
    for (uint32_t i = 0; i < gpt->count; i++) {
        for (uint32_t j = i + 1; j < gpt->count; j++) {
            if (overlaps(&gpt->partition[i], &gpt->partition[j]))
                bad[i] = bad[j] = true;
        }
    }
    for (uint32_t i = 0; i < gpt->count; i++) {
        if (bad[i])
            leave_out(gpt, gpt->partition[i].number, "overlaps another");
        else
            gpt->partition[kept++] = gpt->partition[i];
    }
    gpt->count = kept;
}

static void feed_table(struct gpt *gpt, const uint8_t *data)
{
    const struct gpt_header *h = &gpt->header;
    size_t bytes = (size_t)h->entries * h->entry_bytes;
    if (!data || gpt_crc32(0, data, bytes) != h->table_crc) {
        const char *why = data ? "has a wrong checksum" : "cannot be read";
        if (!gpt->backup)
            say(gpt, "its primary partition table %s", why);
        else
            snprintf(gpt->reason + strlen(gpt->reason), sizeof(gpt->reason) - strlen(gpt->reason),
                     "; the backup %s", why);
        try_other(gpt);
        return;
    }
    if (gpt->backup)
        snprintf(gpt->reason + strlen(gpt->reason), sizeof(gpt->reason) - strlen(gpt->reason),
                 "; the backup is used");
    for (uint32_t i = 0; i < h->entries; i++)
        take_entry(gpt, data + (size_t)i * h->entry_bytes, i + 1);
    drop_overlapping(gpt);
    gpt->found = true;
    gpt->step = GPT_DONE;
}

void gpt_feed(struct gpt *gpt, const void *data)
{
    switch (gpt->step) {
    case GPT_READ_MBR:
        feed_mbr(gpt, data);
        break;
    case GPT_READ_HEADER:
        feed_header(gpt, data);
        break;
    case GPT_READ_TABLE:
        feed_table(gpt, data);
        break;
    case GPT_DONE:
        break;
    }
}

void gpt_uuid_text(const uint8_t u[16], char text[GPT_UUID_TEXT])
{
    snprintf(text, GPT_UUID_TEXT,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[3], u[2],
             u[1], u[0], u[5], u[4], u[7], u[6], u[8], u[9], u[10], u[11], u[12], u[13], u[14],
             u[15]);
}
