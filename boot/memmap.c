/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include "boot/memmap.h"

#define PAGE        4096ull
#define ADDRESS_END (1ull << 52) /* no x86 CPU has more physical address bits */

#define EDGE_START     1u
#define EDGE_TYPE(e)   ((uint32_t)((e) >> 1 & 0x7ff))
#define EDGE_ADDR(e)   ((e) & ~(PAGE - 1))
#define EFI_PAGE_SHIFT 12u

/* Loaders name ranges in order, or nearly, so there is little to move. */
static void insert(struct memmap *map, uint64_t edge)
{
    uint32_t at = map->edges++;
    for (; at && map->edge[at - 1] > edge; at--)
        map->edge[at] = map->edge[at - 1];
    map->edge[at] = edge;
}

static void flush(struct memmap *map)
{
    if (map->last_base == map->last_end)
        return;
    if (map->edges + 2 > 2u * BOOTINFO_RAW_MAX) {
        map->overflow++;
    } else {
        insert(map, map->last_base | map->last_type << 1 | EDGE_START);
        insert(map, map->last_end | map->last_type << 1);
    }
    map->last_base = map->last_end = 0;
}

void memmap_add(struct memmap *map, uint64_t base, uint64_t size, uint32_t type)
{
    if (size == 0 || base >= ADDRESS_END)
        return;
    uint64_t end = size > ADDRESS_END - base ? ADDRESS_END : base + size;
    if (type == 0 || type >= BOOTINFO_MEM_TYPES)
        type = BOOTINFO_MEM_RESERVED;
    if (type == BOOTINFO_MEM_RAM) {
        base = (base + PAGE - 1) & ~(PAGE - 1);
        end &= ~(PAGE - 1);
    } else {
        base &= ~(PAGE - 1);
        end = (end + PAGE - 1) & ~(PAGE - 1);
    }
    if (base >= end)
        return;
    if (type == map->last_type && base == map->last_end && map->last_end != 0) {
        map->last_end = end;
        return;
    }
    flush(map);
    map->last_base = base;
    map->last_end = end;
    map->last_type = type;
}

/* The type that stands last in enum bootinfo_mem_type among those that cover the spot; 0: none. */
static uint32_t strongest(const uint32_t *open)
{
    for (uint32_t type = BOOTINFO_MEM_TYPES; type-- > 1;)
        if (open[type])
            return type;
    return 0;
}

const char *memmap_finish(struct memmap *map, struct bootinfo *out)
{
    uint32_t open[BOOTINFO_MEM_TYPES] = {0};
    uint64_t from = 0;
    uint32_t type = 0, count = 0, ram = 0;

    flush(map);
    if (map->overflow)
        return "the firmware's memory map has too many separate ranges (limit 1536)";
    for (uint32_t i = 0; i < map->edges;) {
        uint64_t addr = EDGE_ADDR(map->edge[i]);
        for (; i < map->edges && EDGE_ADDR(map->edge[i]) == addr; i++) {
            if (map->edge[i] & EDGE_START)
                open[EDGE_TYPE(map->edge[i])]++;
            else
                open[EDGE_TYPE(map->edge[i])]--;
        }
        uint32_t now = strongest(open);
        if (now == type)
            continue;
        if (type)
            out->mem[count++] = (struct bootinfo_mem){from, addr - from, type, 0};
        ram |= type == BOOTINFO_MEM_RAM;
        from = addr;
        type = now;
    }
    out->mem_count = count;
    return ram ? NULL : "the firmware's memory map names no usable memory";
}

uint32_t memmap_e820_type(uint32_t e820_type)
{
    /* ACPI specification, "Address Range Types"; 6 is not assigned. */
    static const uint8_t types[] = {
        BOOTINFO_MEM_RESERVED, BOOTINFO_MEM_RAM, BOOTINFO_MEM_RESERVED, BOOTINFO_MEM_ACPI_RECLAIM,
        BOOTINFO_MEM_ACPI_NVS, BOOTINFO_MEM_BAD, BOOTINFO_MEM_RESERVED, BOOTINFO_MEM_PERSISTENT};
    return e820_type < sizeof(types) ? types[e820_type] : BOOTINFO_MEM_RESERVED;
}

static uint32_t memmap_efi_type(uint32_t efi_type)
{
    /* UEFI 2.10, "Memory Type Usage after ExitBootServices()". */
    switch (efi_type) {
    case 1:
    case 2: /* loader code and data */
    case 3:
    case 4: /* boot services code and data */
    case 7:
        return BOOTINFO_MEM_RAM;
    case 8:
        return BOOTINFO_MEM_BAD;
    case 9:
        return BOOTINFO_MEM_ACPI_RECLAIM;
    case 10:
        return BOOTINFO_MEM_ACPI_NVS;
    case 11:
    case 12:
        return BOOTINFO_MEM_MMIO;
    case 14:
        return BOOTINFO_MEM_PERSISTENT;
    default: /* reserved, runtime services, PAL code, unaccepted, vendors' own */
        return BOOTINFO_MEM_RESERVED;
    }
}

const char *memmap_add_efi(struct memmap *map, const void *descriptors, uint64_t size,
                           uint64_t desc_size)
{
    struct {
        uint32_t type, pad;
        uint64_t physical, virtual, pages, attribute;
    } d;
    if (desc_size < sizeof(d) || desc_size > 4096)
        return "the EFI memory map has an impossible descriptor size";
    for (uint64_t at = 0; size - at >= desc_size; at += desc_size) {
        __builtin_memcpy(&d, (const char *)descriptors + at, sizeof(d));
        uint64_t pages =
            d.pages > ADDRESS_END >> EFI_PAGE_SHIFT ? ADDRESS_END >> EFI_PAGE_SHIFT : d.pages;
        memmap_add(map, d.physical, pages << EFI_PAGE_SHIFT, memmap_efi_type(d.type));
    }
    return NULL;
}
