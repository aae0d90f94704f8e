/* SPDX-License-Identifier: BSD-2-Clause */
/* The fuzz target of a boot path's parser, BOOT_PARSER: the input is "physical memory" from
 * ARENA_PA on, the structure at its start. What comes out is what every boot relies on. */
#ifndef TESTS_FUZZ_BOOT_PARSER_H
#define TESTS_FUZZ_BOOT_PARSER_H

#include "boot/memmap.c"
#include "boot/parse.c"
#include "tests/unit/boot_arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (arena_parse(BOOT_PARSER, data, size))
        return 0;
    if (memchr(info.cmdline, 0, sizeof(info.cmdline)) == NULL || info.mem_count > BOOTINFO_MEM_MAX)
        abort();
    for (uint32_t i = 0; i < info.mem_count; i++) {
        const struct bootinfo_mem *m = &info.mem[i];
        if (m->size == 0 || (m->base | m->size) % 4096 || m->base + m->size > 1ull << 52 ||
            m->type == 0 || m->type >= BOOTINFO_MEM_TYPES)
            abort();
        if (i && info.mem[i - 1].base + info.mem[i - 1].size > m->base)
            abort();
    }
    return 0;
}

#endif
