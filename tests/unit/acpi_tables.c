/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "vmm/acpi_tables.c"
#include "vmm/aml.c"
#include "vmm/e820.c"
#include "vmm/guest_mem.c"

#define RAM 0x200000u
static uint8_t ram[RAM];

static unsigned gsi_of(unsigned slot, unsigned pin)
{
    return 16 + (slot + pin) % 8;
}

static struct guest_mem memory(uint64_t size)
{
    struct guest_mem mem = {.low_size = size};
    memset(ram, 0xcc, sizeof(ram));
    guest_mem_add(&mem, 0, size, ram, true);
    return mem;
}

static const struct sdt_header *table(const char *signature)
{
    uint64_t xsdt;
    memcpy(&xsdt, ram + ACPI_RSDP_GPA + 24, 8);
    const struct sdt_header *root = (const void *)(ram + xsdt);
    for (uint32_t i = 0; i < (root->length - 36) / 8; i++) {
        uint64_t at;
        memcpy(&at, (const uint8_t *)(root + 1) + 8 * i, 8);
        if (memcmp(ram + at, signature, 4) == 0)
            return (const void *)(ram + at);
    }
    return NULL;
}

TEST(checksums)
{
    struct guest_mem mem = memory(RAM);
    CHECK(acpi_tables_build(&mem, 4, gsi_of));
    CHECK_EQ(sum(ram + ACPI_RSDP_GPA, 20), 0);
    CHECK_EQ(sum(ram + ACPI_RSDP_GPA, 36), 0);
    static const char *const names[] = {"FACP", "APIC", "MCFG"};
    for (unsigned i = 0; i < 3; i++) {
        const struct sdt_header *header = table(names[i]);
        CHECK(header);
        CHECK_EQ(sum(header, header->length), 0);
    }
}

TEST(madt_counts_cpus)
{
    struct guest_mem mem = memory(RAM);
    CHECK(acpi_tables_build(&mem, 64, gsi_of));
    const struct sdt_header *madt = table("APIC");
    CHECK(madt);
    unsigned lapics = 0;
    for (uint32_t at = 44; at < madt->length; at += ((const uint8_t *)madt)[at + 1])
        lapics += ((const uint8_t *)madt)[at] == 0;
    CHECK_EQ(lapics, 64);
}

TEST(dsdt_is_whole)
{
    struct guest_mem mem = memory(RAM);
    CHECK(acpi_tables_build(&mem, 64, gsi_of));
    const struct fadt *fadt = (const void *)table("FACP");
    CHECK(fadt);
    const struct sdt_header *dsdt = (const void *)(ram + fadt->dsdt);
    CHECK_EQ(sum(dsdt, dsdt->length), 0);
    /* For iasl, by hand or by make check. */
    const char *path = getenv("DSDT_OUT");
    FILE *file = path ? fopen(path, "wb") : NULL;
    if (file) {
        fwrite(dsdt, 1, dsdt->length, file);
        fclose(file);
    }
}

TEST(too_little_ram)
{
    struct guest_mem mem = memory(0xe8000);
    CHECK(!acpi_tables_build(&mem, 1, gsi_of));
}

TEST(aml_overflow)
{
    uint8_t small[16];
    struct aml aml;
    aml_init(&aml, small, sizeof(small));
    aml_scope(&aml, "\\_SB_");
    aml_string(&aml, "longer than the buffer is");
    aml_end(&aml);
    CHECK(aml.overflow);
    for (unsigned i = 0; i < 20; i++)
        aml_package(&aml, 1);
    CHECK(aml.used <= sizeof(small));
}

TEST(e820_has_no_overlap)
{
    struct guest_mem mem = {.low_size = 0xc0000000, .high_size = 0x40000000};
    struct e820_entry entry[E820_MAX];
    uint32_t count = e820_build(&mem, entry);
    uint64_t usable = 0;
    for (uint32_t i = 0; i < count; i++) {
        CHECK(i == 0 || entry[i].base >= entry[i - 1].base + entry[i - 1].size);
        usable += entry[i].type == E820_RAM ? entry[i].size : 0;
    }
    CHECK_EQ(usable, 0x100000000ull - 0x100000 + E820_LOW_END);
}
