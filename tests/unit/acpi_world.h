/* SPDX-License-Identifier: BSD-2-Clause */
/* Physical memory of a machine for the ACPI reader: one array, tables put into it. Bytes outside do
 * not exist, and a table is handed out as an allocation of its exact size, so that reading past its
 * end is caught. */
#ifndef TESTS_UNIT_ACPI_WORLD_H
#define TESTS_UNIT_ACPI_WORLD_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/acpi.c"
#include "boot/acpi_cpu.c"

#define WORLD_SIZE 0x40000u
static uint8_t world[WORLD_SIZE];
static char world_log[8192];
static struct bootinfo world_boot;
static void *world_kept[512];
static uint32_t world_count;

static void *keep(void *p)
{
    if (world_count < ARRAY_LEN(world_kept))
        world_kept[world_count++] = p;
    return p;
}

/* A private copy, as long as the caller asked. */
void *early_map(uint64_t pa, uint64_t size)
{
    if (pa >= (uint64_t)1 << 32)
        return (void *)pa; /* from boot_take() */
    if (pa > WORLD_SIZE || size > WORLD_SIZE - pa || world_count == ARRAY_LEN(world_kept))
        return NULL;
    void *copy = keep(malloc(size));
    memcpy(copy, world + pa, size);
    return copy;
}

uint64_t boot_take(struct bootinfo *info, uint64_t below, uint64_t size, uint64_t align,
                   uint32_t type)
{
    if (info != &world_boot || below || align != PAGE_SIZE || type != BOOTINFO_MEM_KERNEL)
        abort();
    return (uint64_t)keep(malloc(size));
}

void boot_note(const char *format, ...)
{
    size_t used = strlen(world_log);
    va_list args;
    va_start(args, format);
    vsnprintf(world_log + used, sizeof(world_log) - used, format, args);
    va_end(args);
}

static void world_reset(void)
{
    while (world_count)
        free(world_kept[--world_count]);
    memset(world, 0, sizeof(world));
    world_log[0] = 0;
}

/* What acpi_init() makes of the RSDP at `at`, of which the loader brought `length` bytes. */
static void world_read(uint32_t at, uint32_t length)
{
    memset(&world_boot, 0, sizeof(world_boot));
    memcpy(world_boot.rsdp_copy, world + at, length);
    world_boot.rsdp_copied = length;
    acpi_init(&world_boot);
}

static void put_le(uint32_t at, uint64_t value, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        world[at + i] = (uint8_t)(value >> 8 * i);
}

static void fix_checksum(uint32_t at, uint32_t length, uint32_t where)
{
    uint8_t s = 0;
    world[at + where] = 0;
    for (uint32_t i = 0; i < length; i++)
        s = (uint8_t)(s + world[at + i]);
    world[at + where] = (uint8_t)(0 - s);
}

/* Header and checksum around `length` bytes of which the body is in place. */
static void seal_table(uint32_t at, const char *signature, uint32_t length)
{
    memcpy(world + at, signature, 4);
    put_le(at + 4, length, 4);
    fix_checksum(at, length, 9);
}

#endif
