/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices down to the units' registers: what the kernel has been told to map, and nothing else, is
 * what simulated units let through, whatever they remember. */
#include "tests/unit/fake/iommu_units.h"

#include "tests/unit/fake/world.h"

#define DEVICE   40u
#define MEMORY   41u
#define FUNCTION 0x0118u /* 01:03.0 */
#define MEM_BASE 0x100000000ull
#define QI_REGS  (0x10ull << 8)

/* Fault registers at 0x200, eight of them; both drains; 256 domains. */
#define CAP_COMMON              (2ull | 0x20ull << 24 | 7ull << 40 | 3ull << 54)
#define CAP_WIDTH(bits, levels) ((uint64_t)((bits)-1) << 16 | 1ull << (8 + (levels)-2))
#define CAP_LARGE(n)            ((uint64_t)(n) << 34)

static const struct variant {
    const char *name;
    bool amd, caching;
    uint64_t cap, ecap;
} variants[] = {
    {"queued", false, false, CAP_COMMON | CAP_WIDTH(48, 4) | CAP_LARGE(3),
     ECAP_QI | ECAP_C | QI_REGS},
    {"registers", false, false, CAP_COMMON | CAP_WIDTH(48, 4) | CAP_LARGE(1), ECAP_C | QI_REGS},
    {"caching mode", false, true, CAP_COMMON | CAP_CM | CAP_WIDTH(39, 3) | CAP_LARGE(3),
     ECAP_QI | ECAP_C | ECAP_SC | ECAP_IR | QI_REGS},
    {"does not look into caches", false, false, CAP_COMMON | CAP_RWBF | CAP_WIDTH(48, 4),
     ECAP_QI | ECAP_IR | QI_REGS},
    {"five levels", false, false, CAP_COMMON | CAP_WIDTH(57, 5) | CAP_LARGE(3),
     ECAP_QI | ECAP_C | QI_REGS},
    {"AMD", true, false, 0, 0},
    {"AMD, caches nothings", true, true, 0, 0},
};

static struct acpi_iommu unit_table[2];
static struct acpi_dma_scope scopes[4];
static struct acpi_dma_range ranges[4];
static struct acpi_dma tables;
static bool no_iommu;
static void *leftovers[1024]; /* what the kernel would keep for good */
static uint32_t leftover_count;

volatile void *kmap_mmio(hpa_t pa, uint64_t size)
{
    return pa.v == UNIT_BASE && size <= UNIT_SIZE ? (volatile void *)pa.v : NULL;
}
bool cmdline_has(const char *word)
{
    return no_iommu && !strcmp(word, "noiommu");
}
void apic_msi(uint32_t cpu, uint8_t vector, uint64_t *address, uint32_t *data)
{
    *address = 0xfee00000 | cpu << 12;
    *data = vector;
}
/* AMD: the unit is function 00:00.2, its capability at 0x40, then MSI at 0x54. */
uint32_t pci_config_read(uint32_t function, uint32_t offset)
{
    if (function != 2)
        return UINT32_MAX;
    return offset == 0x34   ? 0x40
           : offset == 0x40 ? 0x0000540f | (sim.caching ? CAPABILITY_NP_CACHE : 0)
           : offset == 0x54 ? 0x00800005
                            : 0;
}
void pci_config_write(uint32_t function, uint32_t offset, uint32_t value)
{
    if (function == 2 && offset == 0x54)
        sim.msi = value >> 16 & 1;
}

static void keep_leftovers(void)
{
    if (firmware.root) /* AMD's entries are no pointers that a leak checker would follow */
        ptab_destroy(&firmware, 1ull << iommu.bits);
    leftovers[leftover_count++] = units;
    leftovers[leftover_count++] = firmware.root;
    leftovers[leftover_count++] = nothing;
    leftovers[leftover_count++] = iommu_routes;
    units = NULL;
    firmware.root = NULL;
    nothing = NULL;
    unit_count = 0;
    iommu = (struct iommu_info){.bits = 48};
    iommu_domains = DOMAINS_MAX;
    vtd_widths = 0xe;
    memset(domains, 0, sizeof(domains));
}

/* A machine with such a unit before all functions of buses 0 to 3. */
static void power_on(const struct variant *v)
{
    world_start();
    keep_leftovers();
    memset(&sim, 0, sizeof(sim));
    memset(shadow, 0, sizeof(shadow));
    fake_on_write_back = sim_write_back;
    sim.amd = v->amd;
    sim.caching = v->caching;
    sim.cap = v->cap;
    sim.ecap = v->ecap;
    sim.interrupts = true;
    if (!v->amd) {
        sim_put(VTD_CAP, v->cap);
        sim_put(VTD_ECAP, v->ecap);
        sim.gsts = GCMD_IRE | GCMD_CFI; /* firmware's */
    }
    unit_table[0] = (struct acpi_iommu){
        .base = UNIT_BASE, .size = UNIT_SIZE, .function = 2, .capability = 0x40};
    scopes[0] = (struct acpi_dma_scope){0, 0x3ff, 0};
    tables = (struct acpi_dma){.iommu = unit_table,
                               .scope = scopes,
                               .range = ranges,
                               .ioapic = v->amd && !v->caching,
                               .kind = v->amd ? DMA_AMDVI : DMA_VTD,
                               .iommu_count = 1,
                               .scope_count = 1};
    fake_log[0] = 0;
}

static void start(const struct variant *v)
{
    power_on(v);
    iommu_init(&tables);
    /* Tables of a bus come with its first device and stay. */
    for (uint32_t bus = 0; bus < 4; bus++) {
        CALL(boss, DEVICE_CREATE, DEVICE, SLOT_MACHINE, SLOT_SELF_PD, bus << 8, 1);
        CALL(boss, CAP_DELETE, SLOT_SELF_PD, DEVICE);
    }
    world_bytes = fake_in_use;
    CALL(boss, MEM_DERIVE, MEMORY, SLOT_ROOT_MEM, 0, 64 * MIB, RIGHT_ALL);
}

static int64_t create(uint32_t slot, uint32_t function, uint32_t count)
{
    return CALL(boss, DEVICE_CREATE, slot, SLOT_MACHINE, SLOT_SELF_PD, function, count);
}

static bool stopped(uint32_t function, uint64_t address, bool write)
{
    uint64_t pa;
    return !sim_dma(function, address, write, &pa);
}

static bool reaches(uint32_t function, uint64_t address, bool write, uint64_t want)
{
    uint64_t pa;
    return sim_dma(function, address, write, &pa) && pa == want;
}

static void make_machine_capability(void)
{
    static struct obj *machine;
    int64_t status;
    world_start();
    if (machine)
        return;
    spin_lock(&object_lock);
    machine = obj_create(root, OBJ_MACHINE, sizeof(*machine), &status);
    cap_insert(root, SLOT_MACHINE, machine, RIGHT_ALL, 0, NULL);
    spin_unlock(&object_lock);
    world_kmem = root->kmem_used;
    world_bytes = fake_in_use;
    world_live = world_objects();
}

#define EACH_VARIANT(v)        \
    make_machine_capability(); \
    for (const struct variant *v = variants; v < variants + ARRAY_LEN(variants); v++)

TEST(nothing_gets_through_that_was_not_mapped)
{
    EACH_VARIANT(v)
    {
        start(v);
        CHECK_EQ(iommu.kind, v->amd ? DMA_AMDVI : DMA_VTD);
        for (uint32_t function = 0; function < 0x400; function += 0x11)
            CHECK(stopped(function, MEM_BASE, true) && stopped(function, 0x1000, false));
        CHECK_EQ(create(DEVICE, FUNCTION, 1), OK);
        CHECK(stopped(FUNCTION, MEM_BASE, true) && stopped(FUNCTION, 0, false));
        CHECK(world_end() && !sim.misuse);
    }
}

TEST(mappings_rights_and_large_pages)
{
    EACH_VARIANT(v)
    {
        start(v);
        CHECK_EQ(create(DEVICE, FUNCTION, 1), OK);
        CHECK(stopped(FUNCTION, 0x5000, true)); /* to be remembered */
        CHECK_EQ(CALL(boss, MEM_MAP, DEVICE, MEMORY, 0x5000, 0x2000, 0x1000, MAP_READ), OK);
        CHECK_EQ(
            CALL(boss, MEM_MAP, DEVICE, MEMORY, 4 * MIB, 2 * MIB, 6 * MIB, MAP_READ | MAP_WRITE),
            OK);
        CHECK(reaches(FUNCTION, 0x5678, false, MEM_BASE + 0x2678));
        CHECK(stopped(FUNCTION, 0x5000, true) && stopped(FUNCTION, 0x6000, false));
        for (uint64_t at = 0; at < 6 * MIB; at += 0x33000)
            CHECK(reaches(FUNCTION, 4 * MIB + at, true, MEM_BASE + 2 * MIB + at));
        /* The same address for another device is another matter. */
        CHECK_EQ(create(DEVICE + 2, FUNCTION + 1, 1), OK);
        CHECK(stopped(FUNCTION + 1, 4 * MIB, true) && stopped(FUNCTION + 2, 4 * MIB, true));
        CHECK_EQ(CALL(boss, MEM_MAP, DEVICE + 2, MEMORY, 4 * MIB, 0, 0x1000, MAP_READ), OK);
        CHECK(reaches(FUNCTION + 1, 4 * MIB, false, MEM_BASE));
        /* A hole in a large page. */
        CHECK_EQ(CALL(boss, MEM_UNMAP, DEVICE, 4 * MIB + 0x33000, 0x1000), OK);
        CHECK(stopped(FUNCTION, 4 * MIB + 0x33000, true));
        CHECK(reaches(FUNCTION, 4 * MIB + 0x34000, true, MEM_BASE + 2 * MIB + 0x34000));
        CHECK(world_end() && !sim.misuse);
        CHECK(stopped(FUNCTION, 4 * MIB, true) && stopped(FUNCTION, 0x5678, false));
    }
}

TEST(the_last_way_to_the_memory_takes_the_mapping_along)
{
    EACH_VARIANT(v)
    {
        start(v);
        CHECK_EQ(create(DEVICE, FUNCTION, 4), OK);
        CHECK_EQ(CALL(boss, CAP_COPY, SLOT_SELF_PD, MEMORY + 1, MEMORY, RIGHT_ALL, 0), OK);
        CHECK_EQ(CALL(boss, MEM_MAP, DEVICE, MEMORY + 1, 0x7000, 0, 0x3000, MAP_READ), OK);
        for (uint32_t i = 0; i < 4; i++)
            CHECK(reaches(FUNCTION + i, 0x7004, false, MEM_BASE + 4));
        CHECK_EQ(CALL(boss, CAP_REVOKE, MEMORY), OK);
        for (uint32_t i = 0; i < 4; i++)
            CHECK(stopped(FUNCTION + i, 0x7004, false));
        CHECK_EQ(CALL(boss, MEM_MAP, DEVICE, MEMORY, 0x7000, 0, 0x3000, MAP_READ), OK);
        CHECK(reaches(FUNCTION + 3, 0x7004, false, MEM_BASE + 4));
        CHECK_EQ(CALL(boss, CAP_DELETE, SLOT_SELF_PD, DEVICE), OK);
        for (uint32_t i = 0; i < 4; i++)
            CHECK(stopped(FUNCTION + i, 0x7004, false));
        /* The next device has the tag of the one that went. */
        CHECK_EQ(create(DEVICE, FUNCTION + 2, 1), OK);
        CHECK(stopped(FUNCTION + 2, 0x7004, false));
        CHECK(world_end() && !sim.misuse);
    }
}

#define PAGES  1536u
#define WINDOW (GIB - 2 * MIB)
static uint64_t model[PAGES]; /* physical address | 1 if writable, 0: nothing */

static bool agrees(void)
{
    for (uint32_t i = 0; i < PAGES; i += 1 + (uint32_t)fake_random(7)) {
        uint64_t at = WINDOW + i * PAGE_SIZE, pa = model[i] & ~1ull;
        if (pa ? !reaches(FUNCTION, at, false, pa) : !stopped(FUNCTION, at, false))
            return false;
        if (model[i] & 1 ? !reaches(FUNCTION, at, true, pa) : !stopped(FUNCTION, at, true))
            return false;
    }
    return true;
}

TEST(random_mappings_like_an_array)
{
    EACH_VARIANT(v)
    {
        start(v);
        sim.interrupts = false;
        fake_seed = 77;
        memset(model, 0, sizeof(model));
        CHECK_EQ(create(DEVICE, FUNCTION, 1), OK);
        for (uint32_t step = 0; step < 150; step++) {
            uint64_t unit = fake_random(2) ? 1 : 512, first = fake_random(PAGES / unit) * unit;
            uint64_t want = (1 + fake_random(2)) * unit, count = MIN(want, PAGES - first);
            uint64_t offset = fake_random(2) ? first : fake_random(PAGES);
            uint32_t flags = MAP_READ | (fake_random(2) ? MAP_WRITE : 0);
            uint64_t at = WINDOW + first * PAGE_SIZE, size = count * PAGE_SIZE;
            bool map = fake_random(2);
            int64_t status =
                map ? CALL(boss, MEM_MAP, DEVICE, MEMORY, at, offset * PAGE_SIZE, size, flags)
                    : CALL(boss, MEM_UNMAP, DEVICE, at, size);
            for (uint64_t i = 0; i < count && status == OK; i++)
                model[first + i] =
                    map ? (MEM_BASE + (offset + i) * PAGE_SIZE) | ((flags & MAP_WRITE) != 0) : 0;
            CHECK(status == OK || (map && status == ERR_EXISTS));
            CHECK(agrees());
        }
        CHECK(world_end() && !sim.misuse);
    }
}

TEST(what_was_stopped_is_printed_a_few_times)
{
    EACH_VARIANT(v)
    {
        start(v);
        fake_tsc += 10ull * FAKE_KHZ * 1000;
        fake_log[0] = 0;
        CHECK_EQ(create(DEVICE, FUNCTION, 1), OK);
        CHECK(stopped(FUNCTION, 0x12345000, true) && stopped(FUNCTION, 0x23456000, false));
        CHECK(strstr(fake_log, "device 0000:01:03.0: write to 12345000 stopped: not mapped"));
        CHECK(strstr(fake_log, "device 0000:01:03.0: read of 23456000 stopped: not mapped"));
        for (uint32_t i = 0; i < 1000; i++)
            CHECK(stopped(FUNCTION, 0x34567000, true));
        uint32_t lines = 0;
        for (const char *at = fake_log; (at = strstr(at, "stopped")); at++)
            lines++;
        CHECK_EQ(lines, FAULT_LINES);
        fake_tsc += 2ull * FAKE_KHZ * 1000;
        CHECK(stopped(FUNCTION, 0x45678000, true));
        CHECK(strstr(fake_log, "iommu: 994 more faults\n"));
        CHECK(strstr(fake_log, "write to 45678000"));
        CHECK(world_end() && !sim.misuse);
    }
}

TEST(a_device_that_is_stopped_all_the_time_does_not_take_a_cpu)
{
    EACH_VARIANT(v)
    {
        start(v);
        fake_tsc += 10ull * FAKE_KHZ * 1000;
        for (uint32_t i = 0; i < STORM + 3000; i++)
            CHECK(stopped(FUNCTION, 0x1000, true));
        CHECK(strstr(fake_log, "not reported any more"));
        fake_tsc += 2ull * FAKE_KHZ * 1000;
        fake_log[0] = 0;
        CHECK(stopped(FUNCTION, 0x1000, true));
        CHECK_EQ(fake_log[0], 0);
        CHECK_EQ(create(DEVICE, FUNCTION, 1), OK);
        fake_tsc += 2ull * FAKE_KHZ * 1000;
        CHECK(stopped(FUNCTION, 0x5674000, true));
        CHECK(strstr(fake_log, "write to 5674000 stopped: not mapped"));
        CHECK(world_end() && !sim.misuse);
    }
}

/* Interrupts were off for long: registers or log are full, and work again afterwards. */
TEST(more_faults_than_the_unit_can_keep)
{
    EACH_VARIANT(v)
    {
        start(v);
        sim.interrupts = false;
        for (uint32_t i = 0; i < 600; i++)
            CHECK(stopped(FUNCTION, 0x1000, true));
        iommu_interrupt();
        sim.interrupts = true;
        fake_tsc += 2ull * FAKE_KHZ * 1000;
        CHECK(stopped(FUNCTION, 0x7654000, true));
        CHECK(strstr(fake_log, "7654000") || (!v->amd && strstr(fake_log, "nothing is mapped")));
        CHECK(world_end() && !sim.misuse);
    }
}

TEST(memory_that_firmware_keeps)
{
    EACH_VARIANT(v)
    {
        power_on(v);
        ranges[0] = (struct acpi_dma_range){0xbf000000, 0x4000, FUNCTION, FUNCTION};
        ranges[1] = (struct acpi_dma_range){0xbf000000, 0x4000, FUNCTION + 1, FUNCTION + 2};
        tables.range_count = 2;
        iommu_init(&tables);
        CHECK(reaches(FUNCTION, 0xbf003000, true, 0xbf003000));
        CHECK(reaches(FUNCTION + 2, 0xbf000000, true, 0xbf000000));
        CHECK(stopped(FUNCTION, 0xbf004000, true) && stopped(FUNCTION, MEM_BASE, true));
        CHECK(stopped(FUNCTION + 3, 0xbf000000, true));
        world_bytes = fake_in_use;
        CHECK_EQ(create(DEVICE, FUNCTION, 1), OK);
        CHECK_EQ(CALL(boss, MEM_DERIVE, MEMORY, SLOT_ROOT_MEM, 0, 64 * MIB, RIGHT_ALL), OK);
        CHECK_EQ(CALL(boss, MEM_MAP, DEVICE, MEMORY, 0xbf003000, 0, 0x1000, MAP_READ), ERR_EXISTS);
        CHECK_EQ(CALL(boss, MEM_UNMAP, DEVICE, 0xbf000000, 0x4000), ERR_ARG);
        CHECK(reaches(FUNCTION, 0xbf003000, true, 0xbf003000));
        CHECK_EQ(CALL(boss, CAP_DELETE, SLOT_SELF_PD, DEVICE), OK);
        CHECK(stopped(FUNCTION, 0xbf003000, true));
        CHECK(world_end() && !sim.misuse);
    }
}

/* Allocation by allocation. */
TEST(a_device_that_cannot_be_made_leaves_nothing)
{
    EACH_VARIANT(v)
    {
        start(v);
        int64_t status = ERR_NOMEM;
        for (uint64_t left = 0; status != OK; left++) {
            fake_left = left;
            status = create(DEVICE, FUNCTION, 2);
            fake_left = UINT64_MAX;
            CHECK(left < 10 && (status == OK || status == ERR_NOMEM));
            CHECK(stopped(FUNCTION, 0x1000, true));
        }
        CHECK_EQ(create(DEVICE + 2, FUNCTION, 1), ERR_EXISTS);
        CHECK_EQ(create(DEVICE + 2, FUNCTION - 1, 2), ERR_EXISTS);
        CHECK_EQ(create(DEVICE + 2, FUNCTION, 0), ERR_ARG);
        CHECK_EQ(create(DEVICE + 2, FUNCTION, 0x100), ERR_ARG);
        CHECK(world_end() && !sim.misuse);
    }
}

TEST(as_many_devices_as_the_unit_can_tell_apart)
{
    make_machine_capability();
    struct variant few = variants[0];
    few.cap &= ~7ull; /* 16 domains */
    start(&few);
    for (uint32_t i = 0; i < 14; i++)
        CHECK_EQ(create(DEVICE + 10 + i, FUNCTION + i, 1), OK);
    CHECK_EQ(create(DEVICE, 0, 1), ERR_NOMEM);
    CHECK_EQ(CALL(boss, CAP_DELETE, SLOT_SELF_PD, DEVICE + 12), OK);
    CHECK_EQ(create(DEVICE, 0, 1), OK);
    CHECK(world_end() && !sim.misuse);
}

/* Nothing before some function, a unit that cannot be used, noiommu: addresses are physical. */
TEST(without_a_unit_addresses_are_physical)
{
    make_machine_capability();
    for (uint32_t how = 0; how < 3; how++) {
        struct variant odd = variants[0];
        if (how == 1)
            odd.cap &= ~(0x1full << 8); /* no width that we know */
        no_iommu = how == 2;
        start(&odd);
        no_iommu = false;
        CHECK_EQ(iommu.kind, how ? DMA_OPEN : DMA_VTD);
        CHECK((strstr(fake_log, "DMA reaches all memory") != NULL) == (how != 0));
        CHECK_EQ(create(DEVICE, 0x1000, 1), OK);
        CHECK_EQ(boss->regs.rdi, DMA_OPEN);
        CHECK_EQ(CALL(boss, MEM_MAP, DEVICE, MEMORY, 0x1000, 0, 0x1000, MAP_READ), ERR_ARG);
        CHECK_EQ(CALL(boss, MEM_MAP, DEVICE, MEMORY, MEM_BASE + 0x3000, 0x3000, 0x1000, MAP_READ),
                 OK);
        CHECK_EQ(CALL(boss, MEM_UNMAP, DEVICE, MEM_BASE, MIB), OK);
        CHECK(world_end());
    }
}

/* Only a vector that was given out, only for the CPU that it was given out for. */
TEST(interrupts_that_were_not_given_out)
{
    EACH_VARIANT(v)
    {
        start(v);
        bool remaps = v->amd ? !v->caching : (v->ecap & ECAP_IR) != 0;
        uint32_t vector, cpu;
        uint64_t handle = 0xfee00010;
        CHECK_EQ(iommu.handles, remaps && !v->amd);
        CHECK_EQ(strstr(fake_log, "interrupts not remapped") == NULL, remaps);
        cpus[2]->apic_id = 6;
        for (uint32_t data = 0; data < 0x800 && remaps; data++) {
            CHECK(!sim_interrupt(FUNCTION, 0xfee00000, data, &vector, &cpu));
            CHECK(!sim_interrupt(FUNCTION, handle | data << 5, 0, &vector, &cpu));
        }
        iommu_route(0x55, 2, false);
        iommu_route(0x56, 1, true);
        for (uint32_t data = 0; data < 0x800 && remaps; data++) {
            uint64_t address = v->amd ? 0xfee00000 : handle | data << 5;
            CHECK_EQ(sim_interrupt(FUNCTION, address, v->amd ? data : 0, &vector, &cpu),
                     data == 0x55 || data == 0x56);
            CHECK(data != 0x55 || (vector == 0x55 && cpu == 6));
        }
        iommu_unroute(0x55);
        CHECK_EQ(
            sim_interrupt(FUNCTION, v->amd ? 0xfee00000 : handle | 0x55 << 5, 0x55, &vector, &cpu),
            !remaps);
        iommu_unroute(0x56);
        CHECK(world_end() && !sim.misuse);
    }
}
