/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ARCH_ACPI_POWER_H
#define ARCH_ACPI_POWER_H

#include "lib/types.h"

/* During acpi_init, when the FADT is read: maps what power-off and reset need later. */
void acpi_power_init(uint32_t smi_command, uint8_t acpi_enable);

#endif
