/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the root task's ELF image. Static ELF64, W^X segments, file pages as memory pages. */
#ifndef BOOT_ROOT_ELF_H
#define BOOT_ROOT_ELF_H

#include "abi/thread.h"
#include "lib/types.h"

#define ROOT_SEGMENTS 8u

struct root_segment {
    uint64_t va, file_offset, file_size, memory_size;
    uint32_t flags; /* MAP_* */
};
struct root_image {
    uint64_t entry;
    uint64_t data_size; /* pages that writable segments need, bytes */
    uint32_t count;
    struct root_segment segment[ROOT_SEGMENTS];
};

/* NULL, or what is wrong. */
const char *root_elf_parse(const void *file, uint64_t size, struct root_image *image);

#endif
