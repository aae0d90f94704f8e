/* SPDX-License-Identifier: BSD-2-Clause */
/* Disk images of the host: where an import reads, and an export writes. */
#ifndef TOOLS_IMG_IMAGE_H
#define TOOLS_IMG_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The unit in which images are read: holes are looked for at this grain. */
#define IMAGE_BLOCK 65536u

struct image {
    uint64_t size; /* of the disk in it: bytes, a multiple of 512 */
    void *state;
    /* IMAGE_BLOCK bytes at a multiple of IMAGE_BLOCK (what is beyond the end is zero), or *hole:
     * they are zero. NULL, or why not. */
    const char *(*read)(struct image *image, uint64_t offset, void *data, bool *hole);
    void (*close)(struct image *image);
};

/* NULL, or why not. */
const char *raw_open(struct image *image, int file);
/* Makes an image of `size` bytes, in order: blocks that are not given are zero. */
const char *raw_create(int file, uint64_t size);
const char *raw_write(int file, uint64_t offset, const void *data, uint64_t size);

#endif
