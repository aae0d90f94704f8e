/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/acpi_files.h"

#include <string.h>

#define TABLES "etc/acpi/tables"
#define RSDP   "etc/acpi/rsdp"

#define COMMAND_ALLOCATE     1u
#define COMMAND_ADD_POINTER  2u
#define COMMAND_ADD_CHECKSUM 3u
#define ZONE_HIGH            1u /* anywhere */
#define ZONE_FSEG            2u /* where the RSDP is looked for */

#define SDT_HEADER         36u
#define SDT_LENGTH         4u
#define SDT_CHECKSUM       9u
#define FADT_FIRMWARE_CTRL 36u
#define FADT_DSDT          40u
#define FADT_X_DSDT        140u
#define RSDP_CHECKSUM      8u
#define RSDP_FIRST_PART    20u
#define RSDP_RSDT          16u
#define RSDP_XSDT          24u
#define RSDP_CHECKSUM_ALL  32u

#define NAME_SIZE 56u

/* One entry of the script; what follows the command depends on it. */
struct entry {
    uint32_t command;
    union {
        struct {
            char file[NAME_SIZE];
            uint32_t align;
            uint8_t zone;
        } __attribute__((packed)) allocate;
        struct {
            char file[NAME_SIZE], target[NAME_SIZE];
            uint32_t offset; /* in file, of an address */
            uint8_t size;    /* of that address */
        } __attribute__((packed)) pointer;
        struct {
            char file[NAME_SIZE];
            uint32_t checksum, start, length;
        } __attribute__((packed)) sum;
        uint8_t bytes[ACPI_SCRIPT_ENTRY - 4];
    };
};
_Static_assert(sizeof(struct entry) == ACPI_SCRIPT_ENTRY, "QEMU: bios-linker-loader");

struct script {
    struct acpi_files *files;
    uint32_t used;
};

static void append(struct script *script, const struct entry *entry)
{
    memcpy(script->files->script + script->used, entry, sizeof(*entry));
    script->used += (uint32_t)sizeof(*entry);
}

static void allocate(struct script *script, const char *file, uint32_t align, uint8_t zone)
{
    struct entry entry = {.command = COMMAND_ALLOCATE};
    memcpy(entry.allocate.file, file, strlen(file));
    entry.allocate.align = align;
    entry.allocate.zone = zone;
    append(script, &entry);
}

/* The address at `offset` of the file points into the tables. */
static void add_pointer(struct script *script, const char *file, uint32_t offset, uint8_t size)
{
    struct entry entry = {.command = COMMAND_ADD_POINTER};
    memcpy(entry.pointer.file, file, strlen(file));
    memcpy(entry.pointer.target, TABLES, strlen(TABLES));
    entry.pointer.offset = offset;
    entry.pointer.size = size;
    append(script, &entry);
}

static void add_sum(struct script *script, const char *file, uint32_t checksum, uint32_t start,
                    uint32_t length)
{
    struct entry entry = {.command = COMMAND_ADD_CHECKSUM};
    memcpy(entry.sum.file, file, strlen(file));
    entry.sum.checksum = checksum;
    entry.sum.start = start;
    entry.sum.length = length;
    append(script, &entry);
}

/* The sum is made with the checksum itself at 0. */
static void add_table_sum(struct script *script, uint32_t table)
{
    uint8_t *bytes = script->files->tables + table;
    uint32_t length;
    memcpy(&length, bytes + SDT_LENGTH, sizeof(length));
    bytes[SDT_CHECKSUM] = 0;
    add_sum(script, TABLES, table + SDT_CHECKSUM, table, length);
}

/* Pointers before sums: firmware goes through it from top to bottom. */
static void write_script(struct acpi_files *files, const struct acpi_area *area)
{
    struct script script = {.files = files};
    allocate(&script, RSDP, 16, ZONE_FSEG);
    allocate(&script, TABLES, 64, ZONE_HIGH);
    add_pointer(&script, TABLES, area->fadt + FADT_FIRMWARE_CTRL, 4);
    add_pointer(&script, TABLES, area->fadt + FADT_DSDT, 4);
    add_pointer(&script, TABLES, area->fadt + FADT_X_DSDT, 8);
    for (uint32_t i = 0; i < ACPI_TABLES; i++) {
        add_pointer(&script, TABLES, area->rsdt + SDT_HEADER + 4 * i, 4);
        add_pointer(&script, TABLES, area->xsdt + SDT_HEADER + 8 * i, 8);
    }
    add_pointer(&script, RSDP, RSDP_RSDT, 4);
    add_pointer(&script, RSDP, RSDP_XSDT, 8);
    add_table_sum(&script, area->fadt);
    add_table_sum(&script, area->rsdt);
    add_table_sum(&script, area->xsdt);
    files->rsdp[RSDP_CHECKSUM] = files->rsdp[RSDP_CHECKSUM_ALL] = 0;
    add_sum(&script, RSDP, RSDP_CHECKSUM, 0, RSDP_FIRST_PART);
    add_sum(&script, RSDP, RSDP_CHECKSUM_ALL, 0, ACPI_RSDP_SIZE);
}

bool acpi_files_build(struct acpi_files *files, const struct acpi_board *board)
{
    struct acpi_area area = {.bytes = files->tables, .size = ACPI_FILES_SIZE};
    memset(files, 0, sizeof(*files));
    if (!acpi_tables_lay(&area, board))
        return false;
    files->tables_size = area.used;
    acpi_rsdp_build(files->rsdp, area.rsdt, area.xsdt);
    write_script(files, &area);
    return true;
}
