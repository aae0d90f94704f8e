/* SPDX-License-Identifier: BSD-2-Clause */
/* What the EFI system table still tells after ExitBootServices. */
#ifndef BOOT_EFI_TABLES_H
#define BOOT_EFI_TABLES_H

#include <stdint.h>

/* Host-physical address of the RSDP in the configuration table; 0: none, or the tables are damaged.
 * GRUB passes a copy of the RSDP only, and on UEFI there is no place where it could be searched. */
uint64_t efi_find_rsdp(uint64_t system_table);

#endif
