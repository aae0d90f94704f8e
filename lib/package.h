/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot package (docs/boot-package.md): reader for the kernel and for ring 3.
 *
 * package_open() reads the header and the index only; a file's own bytes are read by
 * package_verify() alone. */
#ifndef LIB_PACKAGE_H
#define LIB_PACKAGE_H

#include <stddef.h>
#include <stdint.h>

#define PACKAGE_MAGIC     "MULLION" /* with its zero: 8 bytes */
#define PACKAGE_VERSION   1u
#define PACKAGE_NAME      128u
#define PACKAGE_MAX_FILES 8192u
#define PACKAGE_ALIGN     4096u
#define PACKAGE_ERROR     256u

/* On disk and in memory; little-endian. */
struct package_header {
    char magic[8];
    uint32_t version;
    uint32_t file_count;
    uint64_t total_size; /* bytes of the whole package */
    uint8_t reserved[8]; /* zero */
    uint8_t sha256[32];  /* of header and index, taken with this field zero */
};
_Static_assert(sizeof(struct package_header) == 64, "boot package header");

struct package_file {
    char name[PACKAGE_NAME]; /* printable, zero-terminated, zero-padded */
    uint64_t offset;         /* from the package's start, a multiple of PACKAGE_ALIGN */
    uint64_t size;           /* bytes */
    uint8_t sha256[32];
};
_Static_assert(sizeof(struct package_file) == 176, "boot package index entry");

struct package {
    const uint8_t *base;
    uint64_t size;
    uint32_t count;
    const struct package_file *file; /* count of them, sorted by name */
    char error[PACKAGE_ERROR];       /* what the newest failure was, with the file's name */
};

/* Checks header and index of a package of exactly `size` bytes. 0, or -1 and package->error. */
int package_open(struct package *package, const void *base, uint64_t size);

/* By whole name; NULL (and package->error) if there is none. */
const struct package_file *package_find(struct package *package, const char *name);

/* The file's bytes, if the whole package is mapped at its base. */
static inline const void *package_data(const struct package *package,
                                       const struct package_file *file)
{
    return package->base + file->offset;
}

/* Compares the SHA-256 of the file, whose bytes the caller has mapped at `data`, with the index.
 * 0, or -1 and package->error. */
int package_verify(struct package *package, const struct package_file *file, const void *data);

#endif
