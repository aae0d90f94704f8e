/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of the UEFI loader, on the firmware's console and on COM1. */
#ifndef BOOT_UEFI_REPORT_H
#define BOOT_UEFI_REPORT_H

#include <efi.h>

void report_start(EFI_SYSTEM_TABLE *table);
void report(const char *text);
void report_number(UINT64 value, unsigned base);

/* "Mullion cannot start: WHAT: NAME (EFI status N)"; name and status may be NULL and 0. Returns an
 * error status for efi_main, so that the firmware goes on to its next boot entry. */
EFI_STATUS report_failure(const char *what, const char *name, EFI_STATUS status);

#endif
