/* SPDX-License-Identifier: BSD-2-Clause */
/* The root task's memory map: holes, the kernel's own ranges, interrupt controllers, memory above
 * 4 GiB, and maps with more pieces than fit. */
#include "tests/unit/fake/machine.h"
#include "boot/memory.c"
#include "boot/root_mem.c"

static struct bootinfo boot;
static struct root_info info;
static struct acpi_ioapic ioapics[2];
static struct acpi_mem_domain nodes[2];

void boot_note(const char *format, ...)
{
    (void)format;
}

static void start(void)
{
    memset(&boot, 0, sizeof(boot));
    memset(&info, 0, sizeof(info));
    boot.features.phys_bits = 40;
    dropped = 0;
}

static void range(uint64_t base, uint64_t end, uint32_t type)
{
    boot.mem[boot.mem_count++] = (struct bootinfo_mem){base, end - base, type, 0};
}

/* Kind of the range that holds the page; -1: none, -2: several. */
static int kind_at(uint64_t address)
{
    int kind = -1;
    for (uint32_t i = 0; i < info.mem_count; i++)
        if (address >= info.mem[i].base && address - info.mem[i].base < info.mem[i].size)
            kind = kind == -1 ? (int)info.mem[i].kind : -2;
    return kind;
}

static bool disjoint(void)
{
    for (uint32_t i = 0; i < info.mem_count; i++) {
        const struct root_mem *a = &info.mem[i];
        if (!a->size || (a->base | a->size) & PAGE_MASK)
            return false;
        for (uint32_t j = 0; j < i; j++) {
            const struct root_mem *b = &info.mem[j];
            if (a->base < b->base + b->size && b->base < a->base + a->size)
                return false;
        }
    }
    return true;
}

TEST(an_ordinary_machine)
{
    start();
    boot.acpi.lapic_base = 0xfee00000;
    boot.acpi.ioapic = ioapics;
    boot.acpi.ioapic_count = 2;
    ioapics[0].address = 0xfec00000;
    ioapics[1].address = 0xfec01000;
    boot.acpi.mcfg_base = 0xe0000000;
    boot.acpi.mem_domain = nodes;
    boot.acpi.mem_domain_count = 2;
    nodes[0] = (struct acpi_mem_domain){0, 4 * GIB, 0};
    nodes[1] = (struct acpi_mem_domain){4 * GIB, 4 * GIB, 1};
    range(0, 0x9f000, BOOTINFO_MEM_RAM);
    range(0x9f000, 0xa0000, BOOTINFO_MEM_RESERVED);
    range(0x100000, 0x1000000, BOOTINFO_MEM_RAM);
    range(0x1000000, 0x1400000, BOOTINFO_MEM_KERNEL);
    range(0x1400000, 0x1500000, BOOTINFO_MEM_RAM);
    range(0x1500000, 0x1600000, BOOTINFO_MEM_PACKAGE);
    range(0x1600000, 0x7ff00000, BOOTINFO_MEM_RAM);
    range(0x7ff00000, 0x7ff10000, BOOTINFO_MEM_ACPI_RECLAIM);
    range(0x7ff10000, 0x7ff20000, BOOTINFO_MEM_ACPI_NVS);
    range(0x7ff20000, 0x7ff30000, BOOTINFO_MEM_BAD);
    range(0xe0000000, 0xf0000000, BOOTINFO_MEM_RESERVED);
    range(4 * GIB, 6 * GIB, BOOTINFO_MEM_RAM);
    CHECK_EQ(boot_take(&boot, 0x10000, 0x4000000, 2 * MIB, BOOTINFO_MEM_KERNEL), 0x7be00000);
    uint64_t own = boot_take(&boot, 0, 0x30000, PAGE_SIZE, BOOTINFO_MEM_ROOT);
    CHECK_EQ(own, 0x7fed0000); /* the end of the highest RAM below 4 GiB */
    CHECK_EQ(boot_take(&boot, 0, 3 * GIB, PAGE_SIZE, BOOTINFO_MEM_ROOT), 0);
    root_mem_describe(&boot, &info);
    CHECK(disjoint());
    CHECK_EQ(info.numa_nodes, 2);
    CHECK_EQ(kind_at(0), -1); /* low memory is kept */
    CHECK_EQ(kind_at(0x9f000), ROOT_MEM_FIRMWARE);
    CHECK_EQ(kind_at(0xb8000), ROOT_MEM_MMIO);
    CHECK_EQ(kind_at(0x100000), ROOT_MEM_RAM);
    CHECK_EQ(kind_at(0x1000000), -1);
    CHECK_EQ(kind_at(0x1500000), ROOT_MEM_PACKAGE);
    CHECK_EQ(kind_at(0x7bdef000), ROOT_MEM_RAM);
    CHECK_EQ(kind_at(0x7bdf0000), -1);
    CHECK_EQ(kind_at(0x7fdff000), -1);
    CHECK_EQ(kind_at(0x7fe00000), ROOT_MEM_RAM);
    CHECK_EQ(kind_at(own), ROOT_MEM_SELF);
    CHECK_EQ(kind_at(0x7ff00000), ROOT_MEM_RECLAIM);
    CHECK_EQ(kind_at(0x7ff10000), ROOT_MEM_FIRMWARE);
    CHECK_EQ(kind_at(0x7ff20000), -1);
    CHECK_EQ(kind_at(0xe0000000), ROOT_MEM_MMIO);
    CHECK_EQ(kind_at(0xfebff000), ROOT_MEM_MMIO);
    CHECK_EQ(kind_at(0xfec00000), -1);
    CHECK_EQ(kind_at(0xfec01000), -1);
    CHECK_EQ(kind_at(0xfec02000), ROOT_MEM_MMIO);
    CHECK_EQ(kind_at(0xfee00000), -1);
    CHECK_EQ(kind_at(0xfee01000), ROOT_MEM_MMIO);
    CHECK_EQ(kind_at(4 * GIB), ROOT_MEM_RAM);
    CHECK_EQ(kind_at(6 * GIB), ROOT_MEM_MMIO);
    CHECK_EQ(kind_at((1ull << 40) - PAGE_SIZE), ROOT_MEM_MMIO);
    CHECK_EQ(kind_at(1ull << 40), -1);
    for (uint32_t i = 0; i < info.mem_count; i++)
        CHECK_EQ(info.mem[i].node, info.mem[i].base >= 4 * GIB && info.mem[i].base < 8 * GIB);
}

/* Takes at the start, at the end and all of a range; never below 16 MiB nor above 4 GiB. */
TEST(taking_memory)
{
    start();
    range(0x100000, 0x1400000, BOOTINFO_MEM_RAM);
    range(0x1500000, 0x1502000, BOOTINFO_MEM_RAM);
    range(4 * GIB - 0x3000, 4 * GIB + 0x5000, BOOTINFO_MEM_RAM);
    CHECK_EQ(boot_take(&boot, 0, 0x2000, PAGE_SIZE, BOOTINFO_MEM_ROOT), 4 * GIB - 0x2000);
    CHECK_EQ(boot.mem_count, 5);
    CHECK_EQ(boot_take(&boot, 0, 0x2000, PAGE_SIZE, BOOTINFO_MEM_KERNEL), 0x1500000);
    CHECK_EQ(boot.mem_count, 5);
    CHECK_EQ(boot_take(&boot, 0x1000, 0x200000, 2 * MIB, BOOTINFO_MEM_KERNEL), 0x1200000);
    CHECK_EQ(boot.mem_count, 6);
    CHECK_EQ(boot_take(&boot, 0, 0x200000, 2 * MIB, BOOTINFO_MEM_KERNEL), 0);
    CHECK_EQ(boot_take(&boot, 0, 0x1ff000, PAGE_SIZE, BOOTINFO_MEM_KERNEL), 0x1000000);
    root_mem_describe(&boot, &info);
    CHECK(disjoint());
    CHECK_EQ(kind_at(0x200000), ROOT_MEM_RAM);
    CHECK_EQ(kind_at(0x1000000), -1);
    CHECK_EQ(kind_at(0x1500000), -1);
    CHECK_EQ(kind_at(4 * GIB - 0x3000), ROOT_MEM_RAM);
    CHECK_EQ(kind_at(4 * GIB - 0x2000), ROOT_MEM_SELF);
    CHECK_EQ(kind_at(4 * GIB), ROOT_MEM_RAM);
}

TEST(a_full_map_is_not_cut)
{
    start();
    for (uint64_t i = 0; i < BOOTINFO_MEM_MAX; i++)
        range(16 * MIB + i * MIB, 17 * MIB + i * MIB - PAGE_SIZE, BOOTINFO_MEM_RAM);
    CHECK_EQ(boot_take(&boot, 0, PAGE_SIZE, PAGE_SIZE, BOOTINFO_MEM_ROOT), 0);
    CHECK_EQ(boot.mem_count, BOOTINFO_MEM_MAX);
}

TEST(too_many_ranges_lose_the_smallest)
{
    start();
    range(0, 0x1000, BOOTINFO_MEM_PACKAGE); /* smaller than all, and first */
    uint64_t at = 0x1000;
    for (uint32_t i = 0; i < 300; i++) {
        uint64_t size = (2 + i) * PAGE_SIZE;
        range(at, at + size, i % 2 ? BOOTINFO_MEM_RAM : BOOTINFO_MEM_RESERVED);
        at += size;
    }
    uint64_t own = boot_take(&boot, 0, PAGE_SIZE, PAGE_SIZE, BOOTINFO_MEM_ROOT);
    root_mem_describe(&boot, &info);
    CHECK_EQ(info.mem_count, ROOT_MEM_MAX);
    CHECK(disjoint());
    CHECK_EQ(kind_at(0), ROOT_MEM_PACKAGE);
    CHECK(dropped > 0);
    CHECK_EQ(kind_at(at - 2 * PAGE_SIZE), ROOT_MEM_RAM);
    CHECK_EQ(kind_at(0x1000), -1);
    /* Its own memory must be in the map, or it cannot be mapped. */
    CHECK(own);
    CHECK_EQ(kind_at(own), ROOT_MEM_SELF);
    CHECK_EQ(kind_at(0), ROOT_MEM_PACKAGE);
    CHECK(disjoint());
}

TEST(no_memory_at_all)
{
    start();
    root_mem_describe(&boot, &info);
    CHECK_EQ(info.mem_count, 1);
    CHECK_EQ(kind_at(0x100000), ROOT_MEM_MMIO);
    CHECK_EQ(boot_take(&boot, 0, PAGE_SIZE, PAGE_SIZE, BOOTINFO_MEM_ROOT), 0);
}

TEST(random_maps_are_disjoint)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        fake_seed = seed;
        start();
        uint64_t at = 0;
        uint32_t count = (uint32_t)fake_random(400);
        for (uint32_t i = 0; i < count; i++) {
            at += fake_random(3) * PAGE_SIZE * fake_random(100);
            uint64_t size = (1 + fake_random(2000)) * PAGE_SIZE;
            range(at, at + size, 1 + (uint32_t)fake_random(BOOTINFO_MEM_TYPES - 1));
            at += size;
        }
        uint64_t pool = boot_take(&boot, PAGE_SIZE, 4 * MIB, 2 * MIB, BOOTINFO_MEM_KERNEL);
        boot.acpi.lapic_base = fake_random(at / PAGE_SIZE + 1) * PAGE_SIZE;
        root_mem_describe(&boot, &info);
        CHECK(disjoint());
        CHECK(!pool || (kind_at(pool - PAGE_SIZE) == -1 && kind_at(pool + 4 * MIB - 1) == -1));
    }
}

/* Also where the firmware's map has an edge inside its registers. */
TEST(registers_of_iommus_are_withheld)
{
    static struct acpi_iommu units[2];
    start();
    units[0] = (struct acpi_iommu){.base = 0xfed80000, .size = 0x4000};
    units[1] = (struct acpi_iommu){.base = 0xfed90000, .size = 0x1000};
    boot.acpi.dma.iommu = units;
    boot.acpi.dma.iommu_count = 2;
    boot.acpi.lapic_base = 0xfee00000;
    range(0, GIB, BOOTINFO_MEM_RAM);
    range(0xfed82000, 0xfeda0000, BOOTINFO_MEM_MMIO);
    root_mem_describe(&boot, &info);
    CHECK(disjoint());
    CHECK_EQ(kind_at(0xfed7f000), ROOT_MEM_MMIO);
    for (uint64_t at = 0xfed80000; at < 0xfed84000; at += 0x1000)
        CHECK_EQ(kind_at(at), -1);
    CHECK_EQ(kind_at(0xfed84000), ROOT_MEM_MMIO);
    CHECK_EQ(kind_at(0xfed90000), -1);
    CHECK_EQ(kind_at(0xfed91000), ROOT_MEM_MMIO);
    CHECK_EQ(kind_at(0xfee00000), -1);
}
