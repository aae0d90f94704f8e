/* SPDX-License-Identifier: BSD-2-Clause */
/* DMAR and IVRS: which unit stands before which requester ids, reserved memory, and tables that are
 * wrong. */
#include "test.h"
#include "acpi_world.h"

#define RSDP  0x1000u
#define RSDT  0x3000u
#define TABLE 0x4000u

static uint32_t end; /* of the table in the making */

static void bytes(const char *hex)
{
    for (; *hex; hex += hex[2] ? 3 : 2)
        world[end++] = (uint8_t)strtoul(hex, NULL, 16);
}

static void start(void)
{
    world_reset();
    end = TABLE + 48;
}

static void number(uint64_t value, uint32_t size)
{
    put_le(end, value, size);
    end += size;
}

static void read_table(const char *signature)
{
    memcpy(world + RSDP, "RSD PTR ", 8);
    put_le(RSDP + 16, RSDT, 4);
    fix_checksum(RSDP, 20, 8);
    put_le(RSDT + 36, TABLE, 4);
    seal_table(RSDT, "RSDT", 40);
    seal_table(TABLE, signature, end - TABLE);
    world_read(RSDP, 20);
}

static void drhd(uint32_t length, uint32_t flags, uint32_t segment, uint64_t base)
{
    number(0, 2);
    number(length, 2);
    number(flags, 2);
    number(segment, 2);
    number(base, 8);
}

static void rmrr(uint32_t length, uint64_t base, uint64_t limit)
{
    number(1, 2);
    number(length, 2);
    number(0, 4);
    number(base, 8);
    number(limit, 8);
}

static void ivhd(uint32_t type, uint32_t length, uint64_t base, uint32_t segment)
{
    number(type, 2);
    number(length, 2);
    number(0x00400002, 4); /* function 00:00.2, capability at 0x40 */
    number(base, 8);
    number(segment, 8);
    for (uint32_t i = 0; i < 2 && type != 0x10; i++)
        number(0, 8);
}

/* Unit before a requester id by the scopes alone; -1: none. */
static int scope_of(uint32_t id)
{
    for (uint32_t i = 0; i < acpi->dma.scope_count; i++)
        if (id >= acpi->dma.scope[i].first && id <= acpi->dma.scope[i].last)
            return (int)acpi->dma.scope[i].unit;
    return -1;
}

TEST(units_and_scopes_of_intel)
{
    start();
    drhd(16 + 8 + 8 + 10, 0, 0, 0xfed90000);
    bytes("01 08 00 00 00 00 02 00");       /* endpoint 00:02.0 */
    bytes("02 08 00 00 00 00 01 00");       /* bridge 00:01.0, buses 5 to 7 */
    bytes("01 0a 00 00 00 00 01 00 03 01"); /* 03.1 behind it */
    drhd(16 + 8, 1, 0, 0xfed91000);
    bytes("03 08 00 00 02 f0 1f 00"); /* an I/O APIC */
    drhd(16 + 8, 1, 2, 0xfed92000);
    bytes("01 08 00 00 00 10 1f 07"); /* endpoint 2:10:1f.7 */
    read_table("DMAR");
    CHECK_EQ(acpi->dma.kind, DMA_VTD);
    CHECK_EQ(acpi->dma.iommu_count, 3);
    CHECK_EQ(acpi->dma.iommu[0].base, 0xfed90000);
    CHECK(!acpi->dma.iommu[0].rest && acpi->dma.iommu[1].rest && acpi->dma.iommu[2].rest);
    CHECK_EQ(acpi->dma.iommu[2].segment, 2);
    CHECK_EQ(acpi->dma.scope_count, 5);
    CHECK_EQ(scope_of(0x10), 0);
    CHECK_EQ(scope_of(0x08), 0);
    CHECK_EQ(scope_of(0x500), 0);
    CHECK_EQ(scope_of(0x7ff), 0);
    CHECK_EQ(scope_of(0x800), -1);
    CHECK_EQ(scope_of(0x11), -1);
    CHECK_EQ(acpi->dma.scope[3].first, 0x519);
    CHECK_EQ(scope_of(0x210ff), 2);
    CHECK_EQ(scope_of(0x10ff), -1);
    CHECK_EQ(acpi->dma.range_count, 0);
}

TEST(reserved_memory_of_intel)
{
    start();
    drhd(16, 1, 0, 0xfed90000);
    rmrr(24 + 16, 0xbf000000, 0xbf003fff);
    bytes("01 08 00 00 00 00 1d 00");
    bytes("01 08 00 00 00 00 1a 00");
    rmrr(24 + 8, 0xbf000800, 0xbf003fff); /* not whole pages */
    bytes("01 08 00 00 00 00 1d 00");
    rmrr(24 + 8, 0xbf003000, 0xbf000fff); /* ends before it starts */
    bytes("01 08 00 00 00 00 1d 00");
    rmrr(24, 0xbe000000, 0xbe000fff); /* for nobody */
    read_table("DMAR");
    CHECK_EQ(acpi->dma.range_count, 2);
    CHECK_EQ(acpi->dma.range[0].base, 0xbf000000);
    CHECK_EQ(acpi->dma.range[0].size, 0x4000);
    CHECK_EQ(acpi->dma.range[0].first, 0xe8);
    CHECK_EQ(acpi->dma.range[1].last, 0xd0);
    CHECK(strstr(world_log, "DMA range bf000800, size 3800, of e8 to e8 ignored"));
    CHECK(strstr(world_log, "DMA range bf003000"));
}

/* A table that asks for memory which a program will get. */
TEST(reserved_memory_that_is_ram)
{
    static const uint32_t types[] = {BOOTINFO_MEM_RAM, BOOTINFO_MEM_BOOT, BOOTINFO_MEM_KERNEL,
                                     BOOTINFO_MEM_ACPI_RECLAIM, BOOTINFO_MEM_RESERVED};
    for (uint32_t i = 0; i < ARRAY_LEN(types); i++) {
        start();
        drhd(16, 1, 0, 0xfed90000);
        rmrr(24 + 8, 0xbf000000, 0xbf003fff);
        bytes("01 08 00 00 00 00 1d 00");
        world_map = (struct bootinfo_mem){0xbf003000, 0x10000, types[i], 0};
        read_table("DMAR");
        CHECK_EQ(acpi->dma.range_count, types[i] == BOOTINFO_MEM_RESERVED);
    }
    world_map.size = 0;
}

TEST(damaged_tables_of_intel)
{
    start();
    drhd(16 + 8, 0, 0, 0xfed90000);
    bytes("01 09 00 00 00 00 02 00"); /* scope longer than its block */
    drhd(3, 0, 0, 0xfed91000);
    read_table("DMAR");
    CHECK_EQ(acpi->dma.iommu_count, 1);
    CHECK_EQ(acpi->dma.scope_count, 0);
    CHECK(strstr(world_log, "DMAR damaged at offset 64: scope of length 9"));
    CHECK(strstr(world_log, "DMAR damaged at offset 72: block of length 3"));
    start();
    drhd(16 + 8, 0, 0, 0xfed90000);
    bytes("01 00 00 00 00 00 02 00"); /* scope of no length */
    drhd(17, 0, 0, 0xfed91000);       /* block that the table ends before */
    read_table("DMAR");
    CHECK_EQ(acpi->dma.iommu_count, 1);
    CHECK(strstr(world_log, "block of length 17"));
    start();
    drhd(16 + 10, 0, 1, 0xfed90000);
    bytes("01 0a 00 00 00 00 01 00 03 01"); /* bridges of segment 1 cannot be asked */
    read_table("DMAR");
    CHECK_EQ(acpi->dma.scope_count, 0);
    CHECK(strstr(world_log, "behind bridges that are not there"));
}

TEST(units_and_scopes_of_amd)
{
    start();
    ivhd(0x10, 24 + 4 + 8 + 8 + 4 + 8, 0xfed80000, 0);
    bytes("02 10 00 00");             /* 00:02.0 */
    bytes("03 00 01 00 04 ff 02 00"); /* 01:00.0 to 02:1f.7 */
    bytes("42 00 03 00 00 18 00 00"); /* 03:00.0 speaks as 00:03.0 */
    bytes("00 00 00 00");
    bytes("48 00 00 d7 00 a0 00 01");  /* an I/O APIC, as 00:14.0 */
    ivhd(0x11, 40 + 4, 0xfed80000, 0); /* the same again */
    bytes("02 10 00 00");
    ivhd(0x40, 40 + 24 + 4, 0xfed88000, 1);
    bytes("f0 00 05 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02 41 42");
    bytes("01 00 00 00");
    read_table("IVRS");
    CHECK_EQ(acpi->dma.kind, DMA_AMDVI);
    CHECK_EQ(acpi->dma.iommu_count, 2);
    CHECK_EQ(acpi->dma.iommu[0].function, 2);
    CHECK_EQ(acpi->dma.iommu[0].capability, 0x40);
    CHECK_EQ(acpi->dma.iommu[0].size, 0x4000);
    CHECK_EQ(scope_of(0x10), 0);
    CHECK_EQ(scope_of(0x100), 0);
    CHECK_EQ(scope_of(0x2ff), 0);
    CHECK_EQ(scope_of(0x300), 0);
    CHECK_EQ(scope_of(0x18), 0);
    CHECK_EQ(scope_of(0xa0), 0);
    CHECK(acpi->dma.ioapic);
    CHECK_EQ(scope_of(0x301), -1);
    CHECK_EQ(scope_of(0x11234), 1);
}

TEST(reserved_memory_and_damage_of_amd)
{
    start();
    ivhd(0x10, 24 + 2, 0xfed80000, 0);
    bytes("02 10"); /* entry cut off */
    bytes("21 0f 20 00 10 00 00 00 00 00 00 00 00 00 00 00");
    number(0xbf000000, 8);
    number(0x2000, 8);
    bytes("20 01 20 00 00 00 00 00 00 00 00 00 00 00 00 00");
    number(0xbe000000, 8);
    number(0x1000, 8);
    bytes("22 01 20 00 20 00 10 00 00 00 00 00 00 00 00 00"); /* ends before it starts */
    number(0xbe000000, 8);
    number(0x1000, 8);
    read_table("IVRS");
    CHECK_EQ(acpi->dma.scope_count, 0);
    CHECK(strstr(world_log, "IVRS damaged at offset 72: entry of length 4"));
    CHECK_EQ(acpi->dma.range_count, 2);
    CHECK_EQ(acpi->dma.range[0].first, 0x10);
    CHECK_EQ(acpi->dma.range[0].last, 0x10);
    CHECK_EQ(acpi->dma.range[1].first, 0);
    CHECK_EQ(acpi->dma.range[1].last, 0xffff);
}
