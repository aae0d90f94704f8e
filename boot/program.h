/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the boot program share. It runs once, on one CPU, with nothing below it: what
 * it has to say goes into struct bootinfo, and an error is a sentence. */
#ifndef BOOT_PROGRAM_H
#define BOOT_PROGRAM_H

#include "boot/bootinfo.h"
#include "lib/types.h"

/* Host-physical memory as a pointer, in the page tables of boot/entry.S. Below 4 GiB it is the
 * identity map; above, 2 MiB pages of a window of 1 GiB that is never given back. NULL: the window
 * is full, or the range wraps. */
void *early_map(uint64_t pa, uint64_t size);

/* A line for the kernel's log; what does not fit in bootinfo.log is cut. */
__attribute__((format(printf, 1, 2))) void boot_note(const char *format, ...);
/* The sentence for bootinfo.error; the newest counts. */
__attribute__((format(printf, 1, 2))) const char *boot_error(const char *format, ...);

/* Takes RAM from 16 MiB to 4 GiB, as high as possible, out of the map: `size` bytes at a multiple
 * of `align`, and `below` bytes in front of them; all of pages. It has `type` in the map then.
 * Address of the `size` bytes, 0: there is none. Not cleared. */
uint64_t boot_take(struct bootinfo *info, uint64_t below, uint64_t size, uint64_t align,
                   uint32_t type);

/* The twelve letters in EBX, ECX, EDX of a CPUID leaf. */
bool signature_is(uint32_t leaf, const char *letters);
/* What the CPU is: info->features; what of its speculation must be kept in check:
 * info->mitigations. Both are noted. */
void features_read(struct bootinfo *info);
void mitigations_decide(struct bootinfo *info, const char *choice); /* choice: mitigations= */

/* Reads the tables below info->rsdp_copy into info->acpi. Problems are noted by table name; the
 * rest is still used. */
void acpi_init(struct bootinfo *info);

/* Measures the TSC into info->tsc_khz. NULL or a sentence. */
const char *tsc_calibrate(struct bootinfo *info);

/* Verifies the package's index and the manager, and loads it: info->root. NULL or a sentence. */
const char *root_load(struct bootinfo *info);

#endif
