/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of a unified image (tools/mkuefi): named sections of the loader's own PE file, as the
 * firmware loaded and, under Secure Boot, verified it. */
#ifndef BOOT_UEFI_SECTIONS_H
#define BOOT_UEFI_SECTIONS_H

#include <stdint.h>

/* Finds section `name` (at most 8 characters) of the loaded image. Returns its memory and its size
 * in bytes, or NULL. */
const void *section_find(const void *image, uint64_t image_size, const char *name, uint64_t *size);

#endif
