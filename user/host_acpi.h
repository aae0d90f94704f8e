/* SPDX-License-Identifier: BSD-2-Clause */
/* What power-off and reset need of the host's ACPI tables. */
#ifndef USER_HOST_ACPI_H
#define USER_HOST_ACPI_H

#include <stdbool.h>
#include <stdint.h>

#define GAS_MEMORY     0u
#define GAS_IO         1u
#define GAS_PCI_CONFIG 2u

struct host_acpi {
    uint16_t pm1a_control, pm1b_control, smi_command; /* ports, 0: none */
    uint8_t acpi_enable;                              /* written to smi_command */
    bool s5_valid;                                    /* \_S5 was found */
    uint8_t s5_type_a, s5_type_b;
    bool reset_valid;
    uint8_t reset_space, reset_value; /* GAS_* */
    uint64_t reset_address;
};

/* Shows `size` bytes of physical memory, for as long as the caller of host_acpi_read() needs them;
 * NULL: cannot. */
typedef const void *(*host_acpi_map)(uint64_t pa, uint64_t size);

/* Reads FADT, DSDT and SSDTs below the XSDT or RSDT at `root`. Damaged tables count as absent. */
void host_acpi_read(struct host_acpi *acpi, uint64_t root, host_acpi_map map);

#endif
