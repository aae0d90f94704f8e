/* SPDX-License-Identifier: BSD-2-Clause */
/* Backing of a disk: a file of the boot package, which never changes, and an overlay in RAM for
 * what the guest writes.
 *
 * The overlay's memory holds all that there is to know of it, so that the next run of the guest can
 * go on with it: a header page, one word for each cluster of the image, then clusters. A word is 0:
 * as in the image; OVERLAY_ZERO: zeroes; else the number of a cluster of the overlay, plus one. An
 * earlier run of the VMM may have been in its guest's hands: numbers are checked when used. */
#ifndef VMM_DISK_IMAGE_H
#define VMM_DISK_IMAGE_H

#include "vmm/disk.h"

#define OVERLAY_MAGIC   0x31564f4d554c4cull
#define OVERLAY_CLUSTER 4096u
#define OVERLAY_ZERO    UINT32_MAX

struct overlay_header {
    uint64_t magic;
    uint64_t image_size;
    uint32_t clusters; /* of the overlay; those below have been used at some time */
    uint32_t free;     /* first of the list of freed ones, plus one; a free one holds the next */
};

struct disk_image {
    struct disk *disk;
    const uint8_t *image;
    uint64_t size;                 /* bytes; reads beyond are zeroes */
    struct overlay_header *header; /* NULL: no overlay */
    uint32_t *map;
    uint8_t *cluster;
    uint32_t map_size, capacity; /* words; clusters */
};

#endif
