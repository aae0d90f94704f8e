/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes one sorted, disjoint memory map of whatever ranges a loader names. */
#ifndef BOOT_MEMMAP_H
#define BOOT_MEMMAP_H

#include "boot/bootinfo.h"

/* An edge is a page-aligned address with the type and "starts here" in its low bits, so that
 * sorting plain numbers sorts the edges. */
struct memmap {
    uint32_t edges;
    uint32_t overflow;            /* ranges that found no room */
    uint64_t last_base, last_end; /* the newest range, still to be joined with the next one */
    uint32_t last_type;
    uint64_t edge[2u * BOOTINFO_RAW_MAX];
};

/* Adds a range of any alignment and in any order; ends above 2^52 are cut, empty ranges ignored. */
void memmap_add(struct memmap *map, uint64_t base, uint64_t size, uint32_t type);

/* Fills out->mem. NULL, or a sentence that says what is wrong. The map is used up. */
const char *memmap_finish(struct memmap *map, struct bootinfo *out);

/* Type of an E820 entry; PVH and multiboot2 use the same numbers. */
uint32_t memmap_e820_type(uint32_t e820_type);

/* An EFI memory map: `size` bytes of descriptors of `desc_size` bytes each. NULL or a sentence. */
const char *memmap_add_efi(struct memmap *map, const void *descriptors, uint64_t size,
                           uint64_t desc_size);

#endif
