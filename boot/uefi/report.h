/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of the UEFI loader: all on the firmware's console, failures on COM1, too. (Firmware
 * often shows its console on COM1 itself, so that progress would stand there twice.) */
#ifndef BOOT_UEFI_REPORT_H
#define BOOT_UEFI_REPORT_H

#include <efi.h>

void report_start(EFI_SYSTEM_TABLE *table);
void report(const char *text);

/* "Mullion cannot start: WHAT: NAME (EFI status N)"; name and status may be NULL and 0. Returns an
 * error status for efi_main, so that the firmware goes on to its next boot entry. */
EFI_STATUS report_failure(const char *what, const char *name, EFI_STATUS status);

#endif
