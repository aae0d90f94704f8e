/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "acpi_world.h"

#define RSDP 0x1000u
#define XSDT 0x2000u
#define RSDT 0x3000u
#define MADT 0x4000u
#define SRAT 0x5000u
#define FADT 0x6000u
#define HPET 0x8000u
#define MCFG 0x9000u

static uint32_t madt_end;

static void put_root(void)
{
    static const uint32_t tables[] = {MADT, SRAT, FADT, HPET, MCFG};
    memcpy(world + RSDP, "RSD PTR ", 8);
    world[RSDP + 15] = 2;
    put_le(RSDP + 16, RSDT, 4);
    put_le(RSDP + 20, 36, 4);
    put_le(RSDP + 24, XSDT, 8);
    fix_checksum(RSDP, 20, 8);
    fix_checksum(RSDP, 36, 32);
    for (uint32_t i = 0; i < ARRAY_LEN(tables); i++) {
        put_le(XSDT + 36 + 8 * i, tables[i], 8);
        put_le(RSDT + 36 + 4 * i, tables[i], 4);
    }
    seal_table(XSDT, "XSDT", 36 + 8 * ARRAY_LEN(tables));
    seal_table(RSDT, "RSDT", 36 + 4 * ARRAY_LEN(tables));
}

/* Appends an entry to the MADT. */
static uint32_t madt_entry(uint8_t type, uint8_t length)
{
    uint32_t at = madt_end;
    world[at] = type;
    world[at + 1] = length;
    madt_end += length;
    return at;
}

static void madt_cpu(uint8_t uid, uint8_t id, uint32_t flags)
{
    uint32_t at = madt_entry(0, 8);
    world[at + 2] = uid;
    world[at + 3] = id;
    put_le(at + 4, flags, 4);
}

static void madt_x2apic(uint32_t uid, uint32_t id, uint32_t flags)
{
    uint32_t at = madt_entry(9, 16);
    put_le(at + 4, id, 4);
    put_le(at + 8, flags, 4);
    put_le(at + 12, uid, 4);
}

static void put_madt(void)
{
    madt_end = MADT + 44;
    put_le(MADT + 36, 0xfee00000, 4);
    madt_cpu(0, 0, 1);
    madt_cpu(1, 2, 1);
    madt_cpu(2, 4, 0);
    madt_cpu(3, 0xff, 1); /* no CPU: the id says so */
    madt_x2apic(7, 2, 1); /* a second time */
    madt_x2apic(8, 0x1234, 1);
    uint32_t at = madt_entry(1, 12);
    world[at + 2] = 9;
    put_le(at + 4, 0xfec00000, 4);
    put_le(at + 8, 24, 4);
    at = madt_entry(2, 10);
    world[at + 3] = 9;
    put_le(at + 4, 20, 4);
    put_le(at + 8, 0xf, 2);
    at = madt_entry(2, 10);
    put_le(at + 4, 2, 4);
    at = madt_entry(4, 6);
    world[at + 2] = 0xff;
    world[at + 5] = 1;
    seal_table(MADT, "APIC", madt_end - MADT);
}

static void put_fadt(void)
{
    put_le(FADT + 76, 0x608, 4);
    world[FADT + 91] = 4;
    put_le(FADT + 112, 1u << 8, 4);
    seal_table(FADT, "FACP", 244);
}

static void put_all(void)
{
    world_reset();
    put_root();
    put_madt();
    put_fadt();
    put_le(HPET + 44, 0xfed00000, 8);
    seal_table(HPET, "HPET", 56);
    put_le(MCFG + 44, 0xe0000000, 8);
    put_le(MCFG + 54, 0xff << 8, 2);
    seal_table(MCFG, "MCFG", 60);
    uint32_t at = SRAT + 48;
    world[at] = 0;
    world[at + 1] = 16;
    world[at + 2] = 3;
    world[at + 3] = 2;
    put_le(at + 4, 1, 4);
    at += 16;
    world[at] = 1;
    world[at + 1] = 40;
    put_le(at + 2, 3, 4);
    put_le(at + 8, 1ull << 32, 8);
    put_le(at + 16, 1ull << 30, 8);
    put_le(at + 28, 1, 4);
    at += 40;
    world[at] = 2;
    world[at + 1] = 24;
    put_le(at + 4, 5, 4);
    put_le(at + 8, 0x1234, 4);
    put_le(at + 12, 1, 4);
    seal_table(SRAT, "SRAT", at + 24 - SRAT);
}

TEST(cpus_from_both_forms)
{
    put_all();
    world_read(RSDP, 36);
    CHECK_EQ(acpi->root, XSDT);
    CHECK_EQ(acpi->cpu_count, 4);
    CHECK_EQ(acpi->cpu[0].apic_id, 0);
    CHECK_EQ(acpi->cpu[1].apic_id, 2);
    CHECK(acpi->cpu[1].enabled);
    CHECK(!acpi->cpu[2].enabled);
    CHECK_EQ(acpi->cpu[3].apic_id, 0x1234);
}

TEST(interrupt_controllers)
{
    put_all();
    world_read(RSDP, 36);
    CHECK_EQ(acpi->lapic_base, 0xfee00000);
    CHECK_EQ(acpi->ioapic_count, 1);
    CHECK_EQ(acpi->ioapic[0].address, 0xfec00000);
    CHECK_EQ(acpi->ioapic[0].gsi_base, 24);
    CHECK_EQ(acpi->isa[9].gsi, 20);
    CHECK_EQ(acpi->isa[9].flags, IRQ_LEVEL | IRQ_ACTIVE_LOW);
    CHECK_EQ(acpi->isa[0].gsi, 2);
    CHECK_EQ(acpi->isa[0].flags, 0);
    CHECK_EQ(acpi->isa[15].gsi, 15);
    CHECK_EQ(acpi->nmi_lint, 1);
}

TEST(fixed_hardware)
{
    put_all();
    world_read(RSDP, 36);
    CHECK_EQ(acpi->pm_timer_port, 0x608);
    CHECK(acpi->pm_timer_32bit);
    CHECK_EQ(acpi->hpet_base, 0xfed00000);
    CHECK_EQ(acpi->mcfg_base, 0xe0000000);
    CHECK_EQ(acpi->mcfg_bus_end, 0xff);
}

TEST(proximity_domains)
{
    put_all();
    world_read(RSDP, 36);
    CHECK_EQ(acpi->cpu[0].domain, 0);
    CHECK_EQ(acpi->cpu[1].domain, 3);
    CHECK_EQ(acpi->cpu[3].domain, 5);
    CHECK_EQ(acpi->mem_domain_count, 1);
    CHECK_EQ(acpi->mem_domain[0].base, 1ull << 32);
    CHECK_EQ(acpi->mem_domain[0].domain, 3);
}

/* In the place of the HPET's table. */
static void put_slit(uint64_t count, uint32_t length)
{
    put_all();
    memset(world + HPET, 0, 56);
    put_le(HPET + 36, count, 8);
    for (uint32_t i = 0; i + 44 < length; i++)
        world[HPET + 44 + i] = (uint8_t)(100 + i);
    seal_table(HPET, "SLIT", length);
    world_read(RSDP, 36);
}

TEST(distances)
{
    put_slit(3, 44 + 9);
    CHECK(acpi->distance[0][0] == 100 && acpi->distance[1][0] == 103);
    CHECK(acpi->distance[2][2] == 108 && !acpi->distance[0][3]);
    put_slit(ROOT_NODES + 1, 44 + (ROOT_NODES + 1) * (ROOT_NODES + 1)); /* the first are taken */
    CHECK_EQ(acpi->distance[1][0], 100 + ROOT_NODES + 1);
    put_slit(4, 44 + 15);
    CHECK(!acpi->distance[0][0] && strstr(world_log, "SLIT of 59 bytes ignored: 4 nodes"));
    put_slit(1ull << 33, 44 + 15);
    CHECK(!acpi->distance[0][0]);
    put_slit(0, 40);
    CHECK(!acpi->distance[0][0]);
}

TEST(bad_xsdt_falls_back_to_rsdt)
{
    put_all();
    world[XSDT + 20]++;
    world_read(RSDP, 36);
    CHECK_EQ(acpi->cpu_count, 4);
    CHECK(strstr(world_log, "XSDT at 2000 ignored: wrong checksum"));
}

TEST(table_with_bad_checksum_is_left_out)
{
    put_all();
    world[MADT + 50]++;
    world_read(RSDP, 36);
    CHECK_EQ(acpi->cpu_count, 0);
    CHECK(strstr(world_log, "APIC at 4000 ignored: wrong checksum"));
    CHECK_EQ(acpi->pm_timer_port, 0x608);
}

TEST(hostile_table_lengths)
{
    static const uint32_t lengths[] = {0, 35, 0xffffffff, 0x7fffffff, ACPI_TABLE_MAX + 1};
    for (uint32_t i = 0; i < ARRAY_LEN(lengths); i++) {
        put_all();
        put_le(MADT + 4, lengths[i], 4);
        world_read(RSDP, 36);
        CHECK_EQ(acpi->cpu_count, 0);
        CHECK(strstr(world_log, "APIC at 4000 ignored: length"));
    }
}

TEST(madt_entry_of_length_zero)
{
    put_all();
    world[MADT + 44 + 8 + 1] = 0;
    seal_table(MADT, "APIC", madt_end - MADT);
    world_read(RSDP, 36);
    CHECK_EQ(acpi->cpu_count, 1);
    CHECK(strstr(world_log, "MADT damaged at offset 52: entry of length 0"));
}

TEST(madt_entry_of_length_one)
{
    put_all();
    world[MADT + 44 + 8 + 1] = 1;
    seal_table(MADT, "APIC", madt_end - MADT);
    world_read(RSDP, 36);
    CHECK_EQ(acpi->cpu_count, 1);
    CHECK(strstr(world_log, "MADT damaged at offset 52: entry of length 1"));
}

TEST(madt_entry_beyond_the_table)
{
    put_all();
    seal_table(MADT, "APIC", 44 + 8 + 5);
    world_read(RSDP, 36);
    CHECK_EQ(acpi->cpu_count, 1);
    CHECK(strstr(world_log, "MADT damaged at offset 52: entry of length 8"));
}

TEST(madt_shorter_than_its_header)
{
    put_all();
    seal_table(MADT, "APIC", 38);
    world_read(RSDP, 36);
    CHECK_EQ(acpi->cpu_count, 0);
    CHECK_EQ(acpi->lapic_base, 0);
}

TEST(entry_shorter_than_its_type)
{
    put_all();
    madt_end = MADT + 44;
    madt_entry(0, 4);
    madt_cpu(1, 6, 1);
    seal_table(MADT, "APIC", madt_end - MADT);
    world_read(RSDP, 36);
    CHECK_EQ(acpi->cpu_count, 1);
    CHECK_EQ(acpi->cpu[0].apic_id, 6);
}

TEST(rsdp_damaged_cut_or_absent)
{
    static const uint32_t lengths[] = {0, 19, 20, 35};
    for (uint32_t i = 0; i < ARRAY_LEN(lengths); i++) {
        put_all();
        world_read(RSDP, lengths[i]);
        CHECK_EQ(acpi->cpu_count, 0);
        CHECK_EQ(acpi->root, 0);
        CHECK(strstr(world_log, "no tables"));
    }
    put_all();
    world[RSDP + 30]++;
    world_read(RSDP, 36);
    CHECK_EQ(acpi->cpu_count, 0);
}

TEST(version_1_rsdp)
{
    put_all();
    world[RSDP + 15] = 0;
    put_le(RSDP + 20, 0, 8);
    fix_checksum(RSDP, 20, 8);
    world_read(RSDP, 36);
    CHECK_EQ(acpi->cpu_count, 4);
}
