/* SPDX-License-Identifier: BSD-2-Clause */
/* A fake of early_map() for tests of the boot parsers: "physical memory" is one buffer at ARENA_PA,
 * of exactly the size that was set, so that ASan sees a read behind it. To be included behind the
 * parsers. */
#ifndef TESTS_UNIT_BOOT_ARENA_H
#define TESTS_UNIT_BOOT_ARENA_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "boot/parse.h"
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

static struct memmap map;
static struct bootinfo info;

typedef const char *boot_parse_t(uint64_t pa, struct memmap *map, struct bootinfo *info);

/* What a boot path makes of a structure at ARENA_PA, cut to `size`: `map`, `info`, or an error. */
static const char *arena_parse(boot_parse_t *parser, const void *data, size_t size)
{
    memset(&map, 0, sizeof(map));
    memset(&info, 0, sizeof(info));
    arena_set(data, size);
    const char *error = parser(ARENA_PA, &map, &info);
    return error ? error : memmap_finish(&map, &info);
}

#endif
