/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "user/host_acpi.c"

#define XSDT 0x1000u
#define FADT 0x2000u
#define DSDT 0x3000u
#define SSDT 0x4000u

/* Physical memory; a table is handed out as an allocation of its exact size, so that reading past
 * its end is caught. */
static uint8_t world[0x8000];
static void *kept[64];
static uint32_t kept_count;

static const void *map(uint64_t pa, uint64_t size)
{
    if (pa > sizeof(world) || size > sizeof(world) - pa || kept_count == 64)
        return NULL;
    kept[kept_count] = malloc(size);
    return memcpy(kept[kept_count++], world + pa, size);
}

static void put(uint32_t at, uint64_t value, uint32_t size)
{
    memcpy(world + at, &value, size);
}

static void seal(uint32_t at, const char *signature, uint32_t length)
{
    uint8_t sum = 0;
    memcpy(world + at, signature, 4);
    put(at + 4, length, 4);
    world[at + 9] = 0;
    for (uint32_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + world[at + i]);
    world[at + 9] = (uint8_t)(0 - sum);
}

static void put_s5(uint32_t at, const char *signature, const char *s5, uint32_t length)
{
    memcpy(world + at + 50, s5, length);
    seal(at, signature, 50 + length);
}

static void put_all(void)
{
    memset(world, 0, sizeof(world));
    put(XSDT + 36, SSDT, 8);
    put(XSDT + 44, FADT, 8);
    seal(XSDT, "XSDT", 52);
    put(FADT + 40, DSDT, 4);
    put(FADT + 48, 0xb2, 4);
    world[FADT + 52] = 0xf1;
    put(FADT + 64, 0x604, 4);
    put(FADT + 112, 1u << 10, 4);
    world[FADT + 116] = 1;
    put(FADT + 120, 0xcf9, 8);
    world[FADT + 128] = 0xf;
    seal(FADT, "FACP", 244);
    put_s5(DSDT, "DSDT", "\x08_S5_\x12\x08\x04\x0a\x05\x0a\x06\x00\x00", 13);
}

static struct host_acpi read_all(void)
{
    struct host_acpi acpi;
    host_acpi_read(&acpi, XSDT, map);
    while (kept_count)
        free(kept[--kept_count]);
    return acpi;
}

TEST(fixed_hardware)
{
    put_all();
    struct host_acpi acpi = read_all();
    CHECK_EQ(acpi.pm1a_control, 0x604);
    CHECK_EQ(acpi.pm1b_control, 0);
    CHECK_EQ(acpi.smi_command, 0xb2);
    CHECK_EQ(acpi.acpi_enable, 0xf1);
    CHECK(acpi.reset_valid);
    CHECK_EQ(acpi.reset_address, 0xcf9);
    CHECK_EQ(acpi.reset_value, 0xf);
    CHECK(acpi.s5_valid);
    CHECK_EQ(acpi.s5_type_a, 5);
    CHECK_EQ(acpi.s5_type_b, 6);
}

TEST(extended_addresses)
{
    put_all();
    world[FADT + 172] = 1;
    put(FADT + 176, 0x1804, 8);
    put(FADT + 140, DSDT, 8);
    put(FADT + 40, 0, 4);
    seal(FADT, "FACP", 244);
    CHECK_EQ(read_all().pm1a_control, 0x1804);
    CHECK(read_all().s5_valid);
    put(FADT + 176, 0x10000, 8);
    seal(FADT, "FACP", 244);
    CHECK_EQ(read_all().pm1a_control, 0x604);
    world[FADT + 116] = 3; /* no space that can be written */
    seal(FADT, "FACP", 244);
    CHECK(!read_all().reset_valid);
}

TEST(s5_in_an_ssdt)
{
    put_all();
    put_s5(DSDT, "DSDT", "", 0);
    CHECK(!read_all().s5_valid);
    put_s5(SSDT, "SSDT", "\x08\\_S5_\x12\x06\x02\x00\x01", 11);
    CHECK(read_all().s5_valid);
}

TEST(damaged)
{
    put_all();
    world[DSDT + 60]++;
    CHECK(!read_all().s5_valid);
    CHECK(read_all().reset_valid);
    world[FADT + 200]++;
    CHECK(!read_all().reset_valid);
    put_all();
    put(DSDT + 4, 0x7fffffff, 4);
    CHECK(!read_all().s5_valid);
    put(XSDT + 4, 35, 4);
    CHECK(!read_all().reset_valid);
}

TEST(s5_forms)
{
    put_all();
    put_s5(DSDT, "DSDT", "\x08\\_S5_\x12\x06\x02\x00\x01", 11);
    struct host_acpi acpi = read_all();
    CHECK(acpi.s5_valid);
    CHECK_EQ(acpi.s5_type_a, 0);
    CHECK_EQ(acpi.s5_type_b, 1);
    put_all();
    put_s5(DSDT, "DSDT", "\x08_S5_\x12\x47\x00\x01\x0a\x07", 11);
    acpi = read_all();
    CHECK(acpi.s5_valid);
    CHECK_EQ(acpi.s5_type_b, 7);
}

TEST(s5_cut_or_wrong)
{
    static const char full[] = "\x08_S5_\x12\x08\x04\x0a\x05\x0a\x06";
    for (uint32_t n = 0; n < 10; n++) {
        put_all();
        put_s5(DSDT, "DSDT", full, n);
        CHECK(!read_all().s5_valid);
    }
    put_all();
    put_s5(DSDT, "DSDT", "\x08_S5_\x12\x08\x04\x0a\x09\x0a\x06", 12);
    CHECK(!read_all().s5_valid);
    put_all();
    put_s5(DSDT, "DSDT", "\x10_S5_\x12\x08\x04\x0a\x05\x0a\x06", 12);
    CHECK(!read_all().s5_valid);
}
