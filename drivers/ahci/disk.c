/* SPDX-License-Identifier: BSD-2-Clause */
/* Words as in ACS-3, "IDENTIFY DEVICE"; all of them are a stranger's. */
#include "drivers/ahci/disk.h"

#include <stdio.h>
#include <string.h>

#define ISO_BLOCK  2048u
#define TRIM_PAGES 8u /* what one page of payload holds */

static bool bit(const uint16_t *words, uint32_t word, uint32_t n)
{
    return words[word] >> n & 1;
}

/* Words 83, 84, 86, 87, 106 and others are valid only if bits 15:14 are 01b. */
static bool valid(const uint16_t *words, uint32_t word)
{
    return words[word] >> 14 == 1;
}

/* Two characters a word, the first in the high byte; unprintable ones and blanks around are cut. */
static void take_string(char *to, size_t size, const uint16_t *words, uint32_t first,
                        uint32_t count)
{
    size_t length = 0;
    for (uint32_t i = 0; i < 2 * count && length + 1 < size; i++) {
        char c = (char)(i & 1 ? words[first + i / 2] & 0xff : words[first + i / 2] >> 8);
        if (c < ' ' || c > '~')
            c = ' ';
        if (c != ' ' || length)
            to[length++] = c;
    }
    while (length && to[length - 1] == ' ')
        length--;
    memset(to + length, 0, size - length);
}

static void take_names(struct disk *disk, const uint16_t *words)
{
    take_string(disk->serial, sizeof(disk->serial), words, 10, 10);
    take_string(disk->firmware, sizeof(disk->firmware), words, 23, 4);
    take_string(disk->model, sizeof(disk->model), words, 27, 20);
}

/* Word 255: 0xa5, and a byte that makes the sum of all 0. */
static bool checksum_wrong(const uint16_t *words)
{
    uint8_t sum = 0;
    if ((words[255] & 0xff) != 0xa5)
        return false;
    for (uint32_t i = 0; i < 256; i++)
        sum = (uint8_t)(sum + words[i] + (words[i] >> 8));
    return sum != 0;
}

static const char *take_blocks(struct disk *disk, const uint16_t *words)
{
    uint64_t size = 512;
    disk->lba48 = valid(words, 83) && bit(words, 83, 10);
    disk->blocks = words[60] | (uint64_t)words[61] << 16;
    if (disk->lba48)
        disk->blocks = words[100] | (uint64_t)words[101] << 16 | (uint64_t)words[102] << 32 |
                       (uint64_t)(words[103]) << 48;
    if (!disk->blocks || disk->blocks > 1ull << 48 || (!disk->lba48 && disk->blocks > 1u << 28))
        return "it has no blocks, or more than can be addressed";
    if (valid(words, 106) && bit(words, 106, 12))
        size = 2 * (words[117] | (uint64_t)words[118] << 16);
    if (size != 512 && size != 4096)
        return "its logical blocks have neither 512 nor 4096 bytes";
    disk->block_size = (uint32_t)size;
    disk->physical_size = disk->block_size;
    if (valid(words, 106) && bit(words, 106, 13) && (words[106] & 15) <= 7)
        disk->physical_size <<= words[106] & 15;
    return NULL;
}

static void take_features(struct disk *disk, const uint16_t *words, bool ncq)
{
    bool cache_known = valid(words, 83);
    disk->depth = 1;
    if (ncq && disk->lba48 && words[76] != 0xffff && bit(words, 76, 8))
        disk->depth = (words[75] & 31u) + 1;
    disk->fua = disk->lba48 && valid(words, 84) && bit(words, 84, 6);
    /* A disk that says nothing of its cache is taken to have one that is on. */
    disk->cache = !cache_known || bit(words, 85, 5);
    disk->flush_ext = disk->lba48 && cache_known && bit(words, 83, 13);
    if (bit(words, 169, 0) && disk->lba48) {
        disk->trim_pages = words[105] ? words[105] : 1;
        if (disk->trim_pages > TRIM_PAGES)
            disk->trim_pages = TRIM_PAGES;
    }
    if (words[217] == 1 || (words[217] > 0x400 && words[217] < 0xffff))
        disk->rpm = words[217];
    if (valid(words, 87) && bit(words, 87, 8))
        disk->wwn = (uint64_t)words[108] << 48 | (uint64_t)words[109] << 32 |
                    (uint64_t)words[110] << 16 | words[111];
}

const char *disk_parse(struct disk *disk, const uint16_t *words, bool ncq)
{
    *disk = (struct disk){0};
    take_names(disk, words);
    if (checksum_wrong(words))
        return "its identification has a wrong checksum";
    if (words[0] >> 15)
        return "its identification is not that of a disk";
    if (!bit(words, 49, 8) || !bit(words, 49, 9))
        return "it has no DMA, or no LBA";
    const char *why = take_blocks(disk, words);
    if (!why)
        take_features(disk, words, ncq);
    return why;
}

const char *disk_parse_packet(struct disk *disk, const uint16_t *words)
{
    *disk = (struct disk){
        .packet = true, .depth = 1, .block_size = ISO_BLOCK, .physical_size = ISO_BLOCK};
    take_names(disk, words);
    if (checksum_wrong(words))
        return "its identification has a wrong checksum";
    if (words[0] >> 14 != 2)
        return "its identification is not that of a packet device";
    if ((words[0] >> 8 & 31) != 5)
        return "it is no optical drive";
    /* Word 62 bit 15: DMADIR is required. */
    disk->dma_dir = bit(words, 62, 15);
    return NULL;
}

const char *disk_capacity(struct disk *disk, const uint8_t *data)
{
    uint32_t last =
        (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
    uint32_t size =
        (uint32_t)data[4] << 24 | (uint32_t)data[5] << 16 | (uint32_t)data[6] << 8 | data[7];
    if (size != ISO_BLOCK)
        return "its medium's blocks do not have 2048 bytes";
    disk->blocks = (uint64_t)last + 1;
    return NULL;
}

bool disk_same(const struct disk *a, const struct disk *b)
{
    return a->packet == b->packet && a->blocks == b->blocks && a->block_size == b->block_size &&
           a->wwn == b->wwn && a->depth == b->depth && a->lba48 == b->lba48 &&
           !strcmp(a->serial, b->serial) && !strcmp(a->model, b->model);
}

uint64_t disk_sectors(const struct disk *disk)
{
    return disk->blocks * (disk->block_size / BLK_SECTOR);
}

static uint32_t geometry_flags(const struct disk *disk, bool read_only)
{
    uint32_t flags = 0;
    if (read_only || disk->packet)
        flags |= BLK_GEOMETRY_READ_ONLY;
    if (disk->cache)
        flags |= BLK_GEOMETRY_FLUSH;
    if (disk->fua)
        flags |= BLK_GEOMETRY_FUA;
    if (disk->trim_pages)
        flags |= BLK_GEOMETRY_DISCARD;
    if (!disk->packet)
        flags |= BLK_GEOMETRY_WRITE_ZEROES;
    if (disk->rpm > 1)
        flags |= BLK_GEOMETRY_ROTATIONAL;
    return flags;
}

void disk_geometry(const struct disk *disk, struct blk_geometry *to, uint64_t sectors,
                   bool read_only)
{
    *to = (struct blk_geometry){.sectors = sectors,
                                .block_size = disk->block_size,
                                .physical_size = disk->physical_size,
                                .discard_align = disk->trim_pages ? disk->block_size : 0,
                                .flags = geometry_flags(disk, read_only)};
    memcpy(to->serial, disk->serial, sizeof(to->serial));
    memcpy(to->model, disk->model, sizeof(to->model));
}
