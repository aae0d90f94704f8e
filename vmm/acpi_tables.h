/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACPI tables of a directly booted guest, in its RAM below 1 MiB. */
#ifndef VMM_ACPI_TABLES_H
#define VMM_ACPI_TABLES_H

#include <stdbool.h>
#include <stdint.h>
#include "vmm/guest_mem.h"

#define ACPI_RSDP_GPA 0xe0000u /* where scanning guests look */
#define ACPI_AREA_GPA 0xe0000u
#define ACPI_AREA_END 0xf0000u

/* Writes all tables. False: they do not fit, or RAM ends below them. gsi_of(slot, pin) is the
 * interrupt routing of PCI bus 0. */
bool acpi_tables_build(const struct guest_mem *mem, uint32_t vcpus,
                       unsigned (*gsi_of)(unsigned slot, unsigned pin));

#endif
