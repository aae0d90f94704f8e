/* SPDX-License-Identifier: BSD-2-Clause */
/* The script for firmware, run as firmware does: all that it leaves must be whole tables. */
#include "test.h"
#include "vmm/acpi_files.c"
#include "vmm/acpi_tables.c"
#include "vmm/aml.c"
#include "vmm/guest_mem.c"

#define BASE 0x7ff0000u /* where the firmware puts the tables */

static struct acpi_files files;

static unsigned gsi_of(unsigned slot, unsigned pin)
{
    return 16 + (slot + pin) % 4;
}

static bool build(uint32_t vcpus, uint32_t ecam)
{
    const struct acpi_board board = {.vcpus = vcpus, .ecam = ecam, .gsi_of = gsi_of};
    return acpi_files_build(&files, &board);
}

static uint8_t *file_of(const char *name, uint32_t *size)
{
    bool rsdp = !strcmp(name, RSDP);
    if (!rsdp && strcmp(name, TABLES) != 0)
        abort();
    *size = rsdp ? ACPI_RSDP_SIZE : files.tables_size;
    return rsdp ? files.rsdp : files.tables;
}

static void run_entry(const struct entry *entry, unsigned *allocated)
{
    uint32_t size, length = entry->pointer.size;
    uint8_t *bytes;
    switch (entry->command) {
    case COMMAND_ALLOCATE:
        file_of(entry->allocate.file, &size);
        CHECK_EQ(entry->allocate.align & (entry->allocate.align - 1), 0);
        ++*allocated;
        return;
    case COMMAND_ADD_POINTER:
        bytes = file_of(entry->pointer.file, &size);
        CHECK(entry->pointer.offset + length <= size);
        uint64_t value = 0;
        memcpy(&value, bytes + entry->pointer.offset, length);
        CHECK(value < files.tables_size);
        value += BASE;
        memcpy(bytes + entry->pointer.offset, &value, length);
        return;
    case COMMAND_ADD_CHECKSUM:
        bytes = file_of(entry->sum.file, &size);
        CHECK(entry->sum.start + entry->sum.length <= size);
        CHECK_EQ(bytes[entry->sum.checksum], 0);
        bytes[entry->sum.checksum] =
            (uint8_t)(0 - sum(bytes + entry->sum.start, entry->sum.length));
        return;
    default:
        CHECK(!"a command");
    }
}

static void run_script(void)
{
    unsigned allocated = 0;
    for (unsigned i = 0; i < ACPI_SCRIPT_LENGTH; i++) {
        struct entry entry;
        memcpy(&entry, files.script + i * ACPI_SCRIPT_ENTRY, sizeof entry);
        run_entry(&entry, &allocated);
    }
    CHECK_EQ(allocated, 2);
}

static const struct sdt_header *table_at(uint64_t address, const char *signature)
{
    const struct sdt_header *header = (const void *)(files.tables + (address - BASE));
    if (memcmp(header->signature, signature, 4) || sum(header, header->length)) {
        printf("%s is not whole\n", signature);
        abort();
    }
    return header;
}

TEST(what_the_script_leaves_is_whole)
{
    static const char *const names[ACPI_TABLES] = {"FACP", "APIC", "MCFG"};
    CHECK(build(4, 0xb0000000));
    run_script();
    CHECK_EQ(sum(files.rsdp, 20), 0);
    CHECK_EQ(sum(files.rsdp, 36), 0);
    uint64_t xsdt_at, at;
    uint32_t rsdt_at, at32;
    memcpy(&rsdt_at, files.rsdp + 16, 4);
    memcpy(&xsdt_at, files.rsdp + 24, 8);
    const uint8_t *xsdt = (const void *)table_at(xsdt_at, "XSDT");
    const uint8_t *rsdt = (const void *)table_at(rsdt_at, "RSDT");
    for (unsigned i = 0; i < ACPI_TABLES; i++) {
        memcpy(&at, xsdt + 36 + 8 * i, 8);
        memcpy(&at32, rsdt + 36 + 4 * i, 4);
        CHECK_EQ(at, at32);
        table_at(at, names[i]);
    }
    memcpy(&at, xsdt + 36, 8);
    const struct fadt *fadt = (const void *)table_at(at, "FACP");
    CHECK_EQ(fadt->dsdt, fadt->x_dsdt);
    table_at(fadt->dsdt, "DSDT");
    CHECK(!memcmp(files.tables + (fadt->firmware_ctrl - BASE), "FACS", 4));
    memcpy(&at, xsdt + 36 + 16, 8);
    uint64_t ecam;
    memcpy(&ecam, files.tables + (at - BASE) + 44, 8);
    CHECK_EQ(ecam, 0xb0000000);
}

/* The directory told the size before firmware moved the window. */
TEST(sizes_do_not_depend_on_the_window)
{
    static const uint32_t places[] = {0xb0000000, 0xc0000000, 0xd0000000, 0xe0000000, 0xf0000000};
    CHECK(build(64, 0xe0000000));
    uint32_t size = files.tables_size;
    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
        CHECK(build(64, places[i]));
        CHECK_EQ(files.tables_size, size);
    }
}
