/* SPDX-License-Identifier: BSD-2-Clause */
/* The root task's memory map: holes, the kernel's own ranges, interrupt controllers, memory above
 * 4 GiB, and maps with more pieces than fit. */
#include "tests/unit/fake/machine.h"
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/kpaging.h"
#include "boot/bootinfo.h"
#include "kernel/root_mem.c"

struct acpi_info acpi;
struct cpu_features features;
struct kmem_range kmem_range[KMEM_RANGES];
uint32_t kmem_range_count;
static struct bootinfo boot;
static struct root_info info;
static struct acpi_ioapic ioapics[2];
static struct acpi_mem_domain nodes[2];

uint64_t kmem_total(void)
{
    return 64 * MIB;
}

static void start(void)
{
    memset(&acpi, 0, sizeof(acpi));
    memset(&boot, 0, sizeof(boot));
    memset(&info, 0, sizeof(info));
    features.phys_bits = 40;
    kmem_range_count = 0;
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
    acpi.lapic_base = 0xfee00000;
    acpi.ioapic = ioapics;
    acpi.ioapic_count = 2;
    ioapics[0].address = 0xfec00000;
    ioapics[1].address = 0xfec01000;
    acpi.mcfg_base = 0xe0000000;
    acpi.mem_domain = nodes;
    acpi.mem_domain_count = 2;
    nodes[0] = (struct acpi_mem_domain){0, 4 * GIB, 0};
    nodes[1] = (struct acpi_mem_domain){4 * GIB, 4 * GIB, 1};
    kmem_range[0] = (struct kmem_range){0x8000000, 0x4000000};
    kmem_range[1] = (struct kmem_range){0x2000000, 0x200000};
    kmem_range_count = 2;
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
    root_mem_describe(&boot, &info);
    CHECK(disjoint());
    CHECK_EQ(kind_at(0), -1); /* low memory is kept */
    CHECK_EQ(kind_at(0x9f000), ROOT_MEM_FIRMWARE);
    CHECK_EQ(kind_at(0xb8000), ROOT_MEM_MMIO);
    CHECK_EQ(kind_at(0x100000), ROOT_MEM_RAM);
    CHECK_EQ(kind_at(0x1000000), -1);
    CHECK_EQ(kind_at(0x1500000), ROOT_MEM_PACKAGE);
    CHECK_EQ(kind_at(0x1fff000), ROOT_MEM_RAM);
    CHECK_EQ(kind_at(0x2000000), -1);
    CHECK_EQ(kind_at(0x21ff000), -1);
    CHECK_EQ(kind_at(0x2200000), ROOT_MEM_RAM);
    CHECK_EQ(kind_at(0x8000000), -1);
    CHECK_EQ(kind_at(0xbfff000), -1);
    CHECK_EQ(kind_at(0xc000000), ROOT_MEM_RAM);
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
    uint64_t own = root_mem_take(&info, 0x30000);
    CHECK_EQ(own, 0x7fed0000); /* the end of the highest RAM below 4 GiB */
    CHECK_EQ(kind_at(own), ROOT_MEM_SELF);
    CHECK(disjoint());
    CHECK_EQ(root_mem_take(&info, 3 * GIB), 0);
}

TEST(kernel_ranges_at_the_edges)
{
    start();
    kmem_range[0] = (struct kmem_range){0x1000000, 0x200000};
    kmem_range[1] = (struct kmem_range){0x1e00000, 0x200000};
    kmem_range[2] = (struct kmem_range){0x1200000, 0x200000};
    kmem_range_count = 3;
    range(0x1000000, 0x2000000, BOOTINFO_MEM_RAM);
    root_mem_describe(&boot, &info);
    CHECK(disjoint());
    for (uint64_t at = 0x1000000; at < 0x2000000; at += 0x100000)
        CHECK_EQ(kind_at(at), at >= 0x1400000 && at < 0x1e00000 ? (int)ROOT_MEM_RAM : -1);
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
    root_mem_describe(&boot, &info);
    CHECK_EQ(info.mem_count, ROOT_MEM_MAX);
    CHECK(disjoint());
    CHECK_EQ(kind_at(0), ROOT_MEM_PACKAGE);
    CHECK(dropped > 0);
    CHECK_EQ(kind_at(at - PAGE_SIZE), ROOT_MEM_RAM);
    CHECK_EQ(kind_at(0x1000), -1);
    /* Its own memory must be in the map, or it cannot be mapped. */
    uint64_t own = root_mem_take(&info, PAGE_SIZE);
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
    CHECK_EQ(root_mem_take(&info, PAGE_SIZE), 0);
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
        kmem_range_count = (uint32_t)fake_random(KMEM_RANGES + 1);
        for (uint32_t i = 0; i < kmem_range_count; i++)
            kmem_range[i] = (struct kmem_range){i * 40 * MIB + fake_random(10) * 2 * MIB, 20 * MIB};
        acpi.lapic_base = fake_random(at / PAGE_SIZE + 1) * PAGE_SIZE;
        root_mem_describe(&boot, &info);
        CHECK(disjoint());
        for (uint32_t i = 0; i < kmem_range_count; i++) {
            int kind = kind_at(kmem_range[i].base);
            CHECK(kind != (int)ROOT_MEM_RAM && kind != -2);
        }
    }
}
