/* SPDX-License-Identifier: BSD-2-Clause */
/* Backing of a disk: a file of the boot package, which never changes, and above it a volume for
 * what the guest writes. A sector of the image has its own place on the volume; a map tells which
 * have been written. So the volume may be cut off at any moment: a bit of the map is on the medium
 * only when the sector that it speaks of is. docs/storage.md has the format.
 *
 * The map's memory outlives this process: the next run of the guest goes on with it, so what was
 * written is read back whether it was flushed or not. */
#ifndef VMM_DISK_LAYER_H
#define VMM_DISK_LAYER_H

#include "vmm/disk_channel.h"

#define LAYER_MAGIC   0x31524559414c4c4dull /* "MLLAYER1" */
#define LAYER_VERSION 1u
#define LAYER_PAGE    VMM_LAYER_PAGE
#define LAYER_SECTORS (LAYER_PAGE / BLK_SECTOR)
/* Sectors of the image that a page of the map tells of. */
#define LAYER_SPAN (8ull * LAYER_PAGE)

/* The volume's first sector. What it says fits into one sector, which is written whole or not. */
struct layer_header {
    uint64_t magic;
    uint32_t version;
    uint32_t map_pages;  /* behind the header's page */
    uint64_t image_size; /* bytes */
    uint64_t data_first; /* sector of the volume at which the image's sector 0 has its place */
    uint8_t image_sha256[32];
};

/* First page of the memory: what the next process needs to know of the rest. */
struct layer_memory {
    uint64_t magic;   /* 0: the map is not read yet */
    uint64_t sectors; /* of the image */
};

struct layer_request {
    struct disk_request request;
    uint64_t at; /* first sector that is not done */
};

enum layer_state { LAYER_CLOSED, LAYER_OPENING, LAYER_OPEN, LAYER_BROKEN };

struct disk_layer {
    struct disk *disk; /* as the guest sees it */
    struct disk lower; /* the volume */
    struct vmm_disk lower_config;
    struct disk_channel channel;
    const uint8_t *image;
    uint64_t sectors, data_first;
    struct layer_memory *memory;
    struct layer_header *header;
    uint8_t *written, *live; /* the map as it goes to the volume; as it is */
    uint32_t pages;
    uint8_t *dirty; /* by page of the map: it differs from the volume's; 2: it is being written */
    enum layer_state state;
    uint64_t waiting; /* requests that have not begun, by tag */
    uint64_t asking;  /* requests that wait for the volume */
    struct layer_request *request;

    /* What this writes and reads for itself: one thing at a time. */
    bool own_busy, own_waits;
    struct disk_request own;
    void (*then)(struct disk_layer *layer, enum blk_status status);
    uint32_t page; /* next of the map */
    bool syncing, wrote;
    uint64_t joining, served; /* requests that wait for the next flush, for this one */
    struct dev_timer timer;
};

#endif
