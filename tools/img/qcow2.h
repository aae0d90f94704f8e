/* SPDX-License-Identifier: BSD-2-Clause */
/* QEMU's image format (docs/interop/qcow2 of QEMU), versions 2 and 3: one that stands alone is
 * read, compressed clusters included, and one with clusters of 64 KiB is written. */
#ifndef TOOLS_IMG_QCOW2_H
#define TOOLS_IMG_QCOW2_H

#include "tools/img/image.h"

#define QCOW2_MAGIC 0x514649fbu

/* Where an image is read from. */
struct qcow2_source {
    void *context;
    uint64_t size;
    /* False: it cannot be read. Never beyond the size. */
    bool (*read)(void *context, uint64_t offset, void *data, size_t size);
};

/* NULL, or why not. */
const char *qcow2_open(struct image *image, const struct qcow2_source *source);
const char *qcow2_open_file(struct image *image, int file);

/* Writing: blocks in rising order. */
struct qcow2_writer;
const char *qcow2_create(struct qcow2_writer **writer, int file, uint64_t size);
const char *qcow2_write(struct qcow2_writer *writer, uint64_t offset, const void *block);
const char *qcow2_finish(struct qcow2_writer *writer);

#endif
