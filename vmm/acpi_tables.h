/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's ACPI tables: in its RAM below 1 MiB when it is booted directly, else by way of its
 * firmware (acpi_files.h). */
#ifndef VMM_ACPI_TABLES_H
#define VMM_ACPI_TABLES_H

#include <stdbool.h>
#include <stdint.h>
#include "vmm/guest_mem.h"

#define ACPI_RSDP_GPA 0xe0000u /* where scanning guests look */
#define ACPI_AREA_GPA 0xe0000u
#define ACPI_AREA_END 0xf0000u

#define ACPI_TABLES    3u /* in RSDT and XSDT: FADT, MADT, MCFG */
#define ACPI_RSDP_SIZE 36u

/* Tables one after the other in a buffer that stands for the guest's memory at `base`. */
struct acpi_area {
    uint8_t *bytes;
    uint32_t size, used;
    uint32_t base;
    uint32_t fadt, rsdt, xsdt; /* their addresses */
    bool overflow;
};

struct acpi_board {
    uint32_t vcpus;
    uint32_t ecam;                                   /* address of the configuration window */
    unsigned (*gsi_of)(unsigned slot, unsigned pin); /* interrupt routing of PCI bus 0 */
};

/* Appends all tables but the RSDP. False: they do not fit. */
bool acpi_tables_lay(struct acpi_area *area, const struct acpi_board *board);
void acpi_rsdp_build(uint8_t rsdp[ACPI_RSDP_SIZE], uint32_t rsdt, uint32_t xsdt);

/* Writes all tables. False: they do not fit, or RAM ends below them. gsi_of(slot, pin) is the
 * interrupt routing of PCI bus 0. */
bool acpi_tables_build(const struct guest_mem *mem, uint32_t vcpus,
                       unsigned (*gsi_of)(unsigned slot, unsigned pin));

#endif
