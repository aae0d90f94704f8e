/* SPDX-License-Identifier: BSD-2-Clause */
/* What a disk says of itself. */
#ifndef DRIVERS_AHCI_DISK_H
#define DRIVERS_AHCI_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include "drivers/ahci/protocol.h"

struct disk {
    uint64_t blocks;        /* logical */
    uint32_t block_size;    /* bytes */
    uint32_t physical_size; /* bytes */
    uint32_t depth;         /* queue depth; 1: no NCQ */
    uint32_t trim_pages;    /* of 512 bytes a command takes; 0: no TRIM */
    uint32_t rpm;           /* 0: unknown, 1: solid state */
    uint64_t wwn;
    bool packet;  /* ATAPI */
    bool dma_dir; /* ATAPI: wants to be told the direction */
    bool lba48, fua;
    bool cache;     /* its write cache is on */
    bool flush_ext; /* FLUSH CACHE EXT; else FLUSH CACHE */
    char serial[24], model[44], firmware[12];
};

/* From the 256 words of IDENTIFY DEVICE: NULL, or why the disk cannot be used. ncq: the controller
 * can. */
const char *disk_parse(struct disk *disk, const uint16_t *words, bool ncq);
/* IDENTIFY PACKET DEVICE. Blocks follow from disk_capacity(). */
const char *disk_parse_packet(struct disk *disk, const uint16_t *words);
/* The eight bytes of READ CAPACITY (10). */
const char *disk_capacity(struct disk *disk, const uint8_t *data);
/* The same medium as far as one can tell. */
bool disk_same(const struct disk *a, const struct disk *b);
uint64_t disk_sectors(const struct disk *disk); /* in units of BLK_SECTOR */
/* Of a volume of so many sectors. */
void disk_geometry(const struct disk *disk, struct blk_geometry *to, uint64_t sectors,
                   bool read_only);

#endif
