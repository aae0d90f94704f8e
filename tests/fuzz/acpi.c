/* SPDX-License-Identifier: BSD-2-Clause */
/* The input is physical memory from address 0x1000 on, where the RSDP lies. Checksums are made
 * right for the tables that a root table names, because no mutation would find them. */
#include "tests/unit/acpi_world.h"

#define BASE 0x1000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t le32(uint64_t at)
{
    uint32_t v;
    if (at > WORLD_SIZE - 4)
        return 0;
    memcpy(&v, world + at, 4);
    return v;
}

static void repair(uint32_t at)
{
    uint32_t length = le32((uint64_t)at + 4);
    if (at >= BASE && at < WORLD_SIZE - 16 && length >= 36 && length <= WORLD_SIZE - at)
        fix_checksum(at, length, 9);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world_reset();
    memcpy(world + BASE, data, size < WORLD_SIZE - BASE ? size : WORLD_SIZE - BASE);
    memcpy(world + BASE, "RSD PTR ", 8);
    world[BASE + 15] = 0;
    uint32_t root = le32(BASE + 16);
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t table = le32((uint64_t)root + 36 + 4 * i);
        repair(table);
        repair(le32((uint64_t)table + 40));
    }
    repair(root);
    fix_checksum(BASE, 20, 8);
    world_read(BASE, 20);
    for (uint32_t i = 0; i < acpi->cpu_count; i++)
        if (acpi->cpu[i].apic_id == UINT32_MAX)
            abort();
    return 0;
}
