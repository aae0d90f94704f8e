/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "boot/memmap.c"

static struct memmap map;
static struct bootinfo info;

static void start(void)
{
    memset(&map, 0, sizeof(map));
    memset(&info, 0, sizeof(info));
}

static int range_is(uint32_t i, uint64_t base, uint64_t end, uint32_t type)
{
    const struct bootinfo_mem *m = &info.mem[i];
    return i < info.mem_count && m->base == base && m->base + m->size == end && m->type == type;
}

TEST(sorts_joins_and_rounds)
{
    start();
    memmap_add(&map, 0x200000, 0x100800, BOOTINFO_MEM_RAM);
    memmap_add(&map, 0x1800, 0x2000, BOOTINFO_MEM_RAM);
    memmap_add(&map, 0x5800, 0x10, BOOTINFO_MEM_ACPI_NVS);
    memmap_add(&map, 0x100000, 0x80000, BOOTINFO_MEM_RAM);
    memmap_add(&map, 0x180000, 0x80000, BOOTINFO_MEM_RAM);
    memmap_add(&map, 0x7001, 0xffe, BOOTINFO_MEM_RAM);
    memmap_add(&map, 0x8000, 0, BOOTINFO_MEM_RAM);
    CHECK(memmap_finish(&map, &info) == NULL);
    CHECK_EQ(info.mem_count, 3);
    CHECK(range_is(0, 0x2000, 0x3000, BOOTINFO_MEM_RAM));
    CHECK(range_is(1, 0x5000, 0x6000, BOOTINFO_MEM_ACPI_NVS));
    CHECK(range_is(2, 0x100000, 0x300000, BOOTINFO_MEM_RAM));
}

TEST(reserved_wins)
{
    start();
    memmap_add(&map, 0x3800, 0x100, BOOTINFO_MEM_RESERVED);
    memmap_add(&map, 0, 0x10000, BOOTINFO_MEM_RAM);
    memmap_add(&map, 0x3000, 0x3000, BOOTINFO_MEM_ACPI_RECLAIM);
    memmap_add(&map, 0x8000, 0x1000, BOOTINFO_MEM_PACKAGE);
    memmap_add(&map, 0xf000, 0x9000, 99);
    CHECK(memmap_finish(&map, &info) == NULL);
    CHECK_EQ(info.mem_count, 7);
    CHECK(range_is(0, 0, 0x3000, BOOTINFO_MEM_RAM));
    CHECK(range_is(1, 0x3000, 0x4000, BOOTINFO_MEM_RESERVED));
    CHECK(range_is(2, 0x4000, 0x6000, BOOTINFO_MEM_ACPI_RECLAIM));
    CHECK(range_is(3, 0x6000, 0x8000, BOOTINFO_MEM_RAM));
    CHECK(range_is(4, 0x8000, 0x9000, BOOTINFO_MEM_PACKAGE));
    CHECK(range_is(5, 0x9000, 0xf000, BOOTINFO_MEM_RAM));
    CHECK(range_is(6, 0xf000, 0x18000, BOOTINFO_MEM_RESERVED));
}

TEST(wild_addresses)
{
    start();
    memmap_add(&map, 0x1000, 0x1000, BOOTINFO_MEM_RAM);
    memmap_add(&map, ~0ull - 10, 100, BOOTINFO_MEM_RESERVED);
    memmap_add(&map, (1ull << 52) - 0x1000, ~0ull, BOOTINFO_MEM_RESERVED);
    memmap_add(&map, 0x10000, ~0ull, BOOTINFO_MEM_MMIO);
    CHECK(memmap_finish(&map, &info) == NULL);
    CHECK_EQ(info.mem_count, 3);
    CHECK(range_is(1, 0x10000, (1ull << 52) - 0x1000, BOOTINFO_MEM_MMIO));
    CHECK(range_is(2, (1ull << 52) - 0x1000, 1ull << 52, BOOTINFO_MEM_RESERVED));
}

TEST(no_ram)
{
    start();
    CHECK(memmap_finish(&map, &info) != NULL);
    start();
    memmap_add(&map, 0x1000, 0x1000, BOOTINFO_MEM_RESERVED);
    CHECK(memmap_finish(&map, &info) != NULL);
}

/* As many separate ranges as are promised, in a bad order; one more is an error, not a loss. */
TEST(many)
{
    for (uint32_t count = BOOTINFO_RAW_MAX; count <= BOOTINFO_RAW_MAX + 1; count++) {
        start();
        for (uint32_t i = 0; i < count; i++)
            memmap_add(&map, (i * 997ull % count) * 0x4000, 0x2000, BOOTINFO_MEM_RAM);
        const char *error = memmap_finish(&map, &info);
        CHECK((error != NULL) == (count > BOOTINFO_RAW_MAX));
    }
    start();
    for (uint32_t i = 0; i < BOOTINFO_RAW_MAX - 1; i++)
        memmap_add(&map, (i * 997ull % (BOOTINFO_RAW_MAX - 1)) * 0x4000 + 0x1000, 0x2000,
                   BOOTINFO_MEM_RESERVED);
    memmap_add(&map, 0, 1ull << 40, BOOTINFO_MEM_RAM);
    CHECK(memmap_finish(&map, &info) == NULL);
    CHECK_EQ(info.mem_count, 2 * (BOOTINFO_RAW_MAX - 1) + 1);
}

/* Against the obvious way: a type for each page. */
TEST(random_against_model)
{
    enum { PAGES = 64 };
    srand(1);
    for (int round = 0; round < 2000; round++) {
        uint32_t model[PAGES] = {0};
        start();
        for (int i = rand() % 20; i >= 0; i--) {
            uint64_t base = (uint64_t)(rand() % (PAGES * 4096));
            uint64_t size = (uint64_t)(rand() % (PAGES * 4096 - (int)base) / (1 + rand() % 8));
            uint32_t type = 1 + (uint32_t)rand() % BOOTINFO_MEM_KERNEL;
            memmap_add(&map, base, size, type);
            for (uint64_t p = 0; p < PAGES; p++) {
                uint64_t from = p * 4096, to = from + 4096;
                int inside = type == BOOTINFO_MEM_RAM ? base <= from && to <= base + size
                                                      : size && base < to && from < base + size;
                if (inside && type > model[p])
                    model[p] = type;
            }
        }
        memmap_finish(&map, &info);
        uint32_t range = 0;
        for (uint64_t p = 0; p < PAGES; p++) {
            while (range < info.mem_count &&
                   info.mem[range].base + info.mem[range].size <= p * 4096)
                range++;
            int covered = range < info.mem_count && info.mem[range].base <= p * 4096;
            CHECK_EQ(covered ? info.mem[range].type : 0, model[p]);
        }
        for (uint32_t i = 1; i < info.mem_count; i++) {
            uint64_t end = info.mem[i - 1].base + info.mem[i - 1].size;
            CHECK(end < info.mem[i].base ||
                  (end == info.mem[i].base && info.mem[i - 1].type != info.mem[i].type));
        }
    }
}

TEST(efi)
{
    struct {
        uint32_t type, pad;
        uint64_t physical, virtual, pages, attribute, more;
    } d[] = {{7, 0, 0x1000, 0, 16, 15, 0},        {4, 0, 0x11000, 0, 1, 15, 0},
             {6, 0, 0x12000, 0, 1, 15, 0},        {9, 0, 0x13000, 0, 1, 15, 0},
             {11, 0, 0xfec00000, 0, 1, 15, 0},    {7, 0, 1ull << 33, 0, ~0ull, 15, 0},
             {0x80000001, 0, 0x20000, 0, 1, 0, 0}};
    start();
    /* The last descriptor is cut: it does not count. */
    CHECK(memmap_add_efi(&map, d, sizeof(d) - 1, sizeof(d[0])) == NULL);
    CHECK(memmap_finish(&map, &info) == NULL);
    CHECK_EQ(info.mem_count, 5);
    CHECK(range_is(0, 0x1000, 0x12000, BOOTINFO_MEM_RAM));
    CHECK(range_is(1, 0x12000, 0x13000, BOOTINFO_MEM_RESERVED));
    CHECK(range_is(2, 0x13000, 0x14000, BOOTINFO_MEM_ACPI_RECLAIM));
    CHECK(range_is(3, 0xfec00000, 0xfec01000, BOOTINFO_MEM_MMIO));
    CHECK(range_is(4, 1ull << 33, 1ull << 52, BOOTINFO_MEM_RAM));
    CHECK(memmap_add_efi(&map, d, sizeof(d), 39) != NULL);
    CHECK(memmap_add_efi(&map, d, sizeof(d), 0) != NULL);
}
