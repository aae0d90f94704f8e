/* SPDX-License-Identifier: BSD-2-Clause */
/* A fake of early_map() for tests of the boot parsers: "physical memory" is one buffer at ARENA_PA,
 * of exactly the size that was set, so that ASan sees a read behind it. */
#ifndef TESTS_UNIT_BOOT_ARENA_H
#define TESTS_UNIT_BOOT_ARENA_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "boot/program.h"

#define ARENA_PA 0x100000000ull

static uint8_t *arena;
static uint64_t arena_size;

void *early_map(uint64_t pa, uint64_t size)
{
    if (pa < ARENA_PA || pa - ARENA_PA >= arena_size || size == 0 ||
        size > arena_size - (pa - ARENA_PA))
        return NULL;
    return arena + (pa - ARENA_PA);
}

static void arena_set(const void *data, size_t size)
{
    free(arena);
    arena = malloc(size ? size : 1);
    if (!arena)
        abort();
    if (size)
        memcpy(arena, data, size);
    arena_size = size;
}

#endif
