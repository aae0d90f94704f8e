/* SPDX-License-Identifier: BSD-2-Clause */
/* The input is physical memory from address 0x1000 on, where the root table lies. Checksums are
 * made right for the tables that it names, because no mutation would find them. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/host_acpi.c"

#define BASE       0x1000u
#define WORLD_SIZE 0x40000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t world[WORLD_SIZE];
static void *kept[512];
static uint32_t kept_count;

/* A private copy of the exact size, so that reading past its end is caught. */
static const void *map(uint64_t pa, uint64_t size)
{
    if (pa > WORLD_SIZE || size > WORLD_SIZE - pa || kept_count == 512)
        return NULL;
    void *copy = kept[kept_count++] = malloc(size);
    return memcpy(copy, world + pa, size);
}

static uint32_t le32(uint64_t at)
{
    uint32_t v = 0;
    if (at <= WORLD_SIZE - 4)
        memcpy(&v, world + at, 4);
    return v;
}

static void repair(uint32_t at)
{
    uint32_t length = le32((uint64_t)at + 4);
    uint8_t sum = 0;
    if (at < BASE || at >= WORLD_SIZE - 16 || length < HEADER || length > WORLD_SIZE - at)
        return;
    world[at + 9] = 0;
    for (uint32_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + world[at + i]);
    world[at + 9] = (uint8_t)(0 - sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct host_acpi acpi;
    memset(world, 0, sizeof(world));
    memcpy(world + BASE, data, size < WORLD_SIZE - BASE ? size : WORLD_SIZE - BASE);
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t table = le32(BASE + 36 + 4 * i);
        repair(table);
        repair(le32((uint64_t)table + 40));
    }
    repair(BASE);
    host_acpi_read(&acpi, BASE, map);
    while (kept_count)
        free(kept[--kept_count]);
    if (acpi.s5_type_a > SLP_TYP_MAX || acpi.s5_type_b > SLP_TYP_MAX)
        abort();
    return 0;
}
