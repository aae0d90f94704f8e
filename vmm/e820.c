/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/e820.h"

static void add(struct e820_entry *entry, uint32_t *count, uint64_t base, uint64_t end,
                uint32_t type)
{
    if (end > base)
        entry[(*count)++] = (struct e820_entry){.base = base, .size = end - base, .type = type};
}

uint32_t e820_build(const struct guest_mem *mem, struct e820_entry entry[E820_MAX])
{
    uint32_t count = 0;
    uint64_t low = mem->low_size;
    add(entry, &count, 0, low < E820_LOW_END ? low : E820_LOW_END, E820_RAM);
    add(entry, &count, E820_LOW_END, 0xa0000, E820_RESERVED);
    add(entry, &count, 0xe0000, 0x100000, E820_RESERVED); /* ACPI tables */
    add(entry, &count, 0x100000, low, E820_RAM);
    add(entry, &count, 0xe0000000, 0xe0100000, E820_RESERVED); /* ECAM */
    add(entry, &count, 0xfec00000, 0xfec01000, E820_RESERVED); /* I/O APIC */
    add(entry, &count, 0xfee00000, 0xfee01000, E820_RESERVED); /* local APIC */
    add(entry, &count, GUEST_HIGH_BASE, GUEST_HIGH_BASE + mem->high_size, E820_RAM);
    return count;
}
