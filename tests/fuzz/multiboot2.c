/* SPDX-License-Identifier: BSD-2-Clause */
/* multiboot2_parse(): the input is "physical memory" from ARENA_PA on, the structure at its start.
 */
#include "tests/unit/boot_arena.h"
#include "boot/memmap.c"
#include "boot/parse.c"
#include "boot/multiboot2.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct memmap map;
    static struct bootinfo info;
    memset(&map, 0, sizeof(map));
    memset(&info, 0, sizeof(info));
    arena_set(data, size);
    const char *error = multiboot2_parse(ARENA_PA, &map, &info);
    if (!error)
        error = memmap_finish(&map, &info);
    if (error)
        return 0;
    /* What every boot relies on. */
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
