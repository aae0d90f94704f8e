/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/symbols.h"

/* Absent in the first of the two links. */
extern const uint32_t symbol_count __attribute__((weak));
extern const struct symbol symbol_table[] __attribute__((weak));
extern const char symbol_names[] __attribute__((weak));

extern const char __kernel_start[], __text_start[], __text_end[]; /* linker.ld */

const struct symbol *symbol_find(const struct symbol *table, uint32_t count, uint64_t offset)
{
    uint32_t low = 0, high = count;

    /* All below low are <= offset, all from high on are > offset. */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table[middle].offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &table[low - 1] : NULL;
}

bool symbol_is_text(uint64_t address)
{
    return address >= (uint64_t)__text_start && address < (uint64_t)__text_end;
}

const char *symbol_name(uint64_t address, uint64_t *distance)
{
    if (!&symbol_count || !symbol_is_text(address))
        return NULL;
    uint64_t offset = address - (uint64_t)__kernel_start;
    const struct symbol *s = symbol_find(symbol_table, symbol_count, offset);
    if (!s)
        return NULL;
    *distance = offset - s->offset;
    return symbol_names + s->name;
}
