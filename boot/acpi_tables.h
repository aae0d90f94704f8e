/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the ACPI reader: a table is bytes of a known length, and every access is checked. */
#ifndef BOOT_ACPI_TABLES_H
#define BOOT_ACPI_TABLES_H

#include "boot/program.h"

#define ACPI_HEADER    36u       /* bytes of the common table header */
#define ACPI_TABLE_MAX (1 * MIB) /* longer is taken for damage */

extern struct acpi_info *acpi; /* what is being filled in */

struct acpi_table {
    const uint8_t *bytes;
    uint32_t length; /* >= ACPI_HEADER, checksum verified */
};

static inline bool acpi_has(const struct acpi_table *t, uint32_t offset, uint32_t size)
{
    return offset <= t->length && size <= t->length - offset;
}
/* Little-endian number of 1 to 8 bytes; 0 where the table ends before. */
static inline uint64_t acpi_read(const struct acpi_table *t, uint32_t offset, uint32_t size)
{
    uint64_t v = 0;
    if (!acpi_has(t, offset, size))
        return 0;
    for (uint32_t i = size; i > 0; i--)
        v = v << 8 | t->bytes[offset + i - 1];
    return v;
}

/* Room for an array of `size` bytes in pages that stay the kernel's; zeroed. NULL: none. */
void *acpi_array(uint64_t size);
void acpi_madt(const struct acpi_table *t);
void acpi_srat(const struct acpi_table *t); /* after the MADT */
void acpi_slit(const struct acpi_table *t);
void acpi_dmar(const struct acpi_table *t);
void acpi_ivrs(const struct acpi_table *t);

#endif
