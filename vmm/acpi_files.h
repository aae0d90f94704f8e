/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI tables as files for a guest's firmware, which places them: the tables with offsets instead
 * of addresses, and a script of what to do (QEMU's table loader, as SeaBIOS and OVMF run it). */
#ifndef VMM_ACPI_FILES_H
#define VMM_ACPI_FILES_H

#include "vmm/acpi_tables.h"

#define ACPI_FILES_SIZE    0x10000u
#define ACPI_SCRIPT_ENTRY  128u
#define ACPI_SCRIPT_LENGTH (2u + 3 + 2 * ACPI_TABLES + 2 + 5)

struct acpi_files {
    uint8_t tables[ACPI_FILES_SIZE]; /* etc/acpi/tables */
    uint32_t tables_size;
    uint8_t rsdp[ACPI_RSDP_SIZE];                           /* etc/acpi/rsdp */
    uint8_t script[ACPI_SCRIPT_LENGTH * ACPI_SCRIPT_ENTRY]; /* etc/table-loader */
};

/* False: the tables do not fit. Sizes depend on the number of vCPUs only. */
bool acpi_files_build(struct acpi_files *files, const struct acpi_board *board);

#endif
