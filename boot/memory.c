/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot/program.h"
#include "lib/string.h"

#define LOWEST (16 * MIB) /* below, firmware and loaders may not have finished */

/* Cuts [base, base + size) out of range i. false: no room for the pieces. */
static bool cut(struct bootinfo *info, uint32_t i, uint64_t base, uint64_t size, uint32_t type)
{
    struct bootinfo_mem old = info->mem[i];
    uint64_t end = old.base + old.size;
    uint32_t lower = base > old.base, upper = base + size < end, at = i;
    if (info->mem_count + lower + upper > BOOTINFO_MEM_MAX)
        return false;
    memmove(&info->mem[i + lower + upper], &info->mem[i],
            (info->mem_count - i) * sizeof(info->mem[0]));
    info->mem_count += lower + upper;
    if (lower)
        info->mem[at++] = (struct bootinfo_mem){old.base, base - old.base, old.type, 0};
    info->mem[at++] = (struct bootinfo_mem){base, size, type, 0};
    if (upper)
        info->mem[at] = (struct bootinfo_mem){base + size, end - base - size, old.type, 0};
    return true;
}

uint64_t boot_take(struct bootinfo *info, uint64_t below, uint64_t size, uint64_t align,
                   uint32_t type)
{
    for (uint32_t i = info->mem_count; i-- > 0;) {
        const struct bootinfo_mem *m = &info->mem[i];
        uint64_t first = MAX(m->base, LOWEST), end = MIN(m->base + m->size, 4 * GIB);
        if (m->type != BOOTINFO_MEM_RAM || end < first || end - first < size)
            continue;
        uint64_t base = align_down(end - size, align);
        if (base >= first && base - first >= below)
            return cut(info, i, base - below, below + size, type) ? base : 0;
    }
    return 0;
}
