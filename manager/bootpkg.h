/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of the boot package. Each is verified before anything else looks at it. */
#ifndef MANAGER_BOOTPKG_H
#define MANAGER_BOOTPKG_H

#include <stdbool.h>
#include <stdint.h>
#include "abi/kinfo.h"
#include "lib/package.h"

#define BOOTPKG_SET "set/" /* the VM set's files are below it */

/* Maps the package and verifies every file. NULL, or what is wrong, with the file's name. */
const char *bootpkg_open(const struct root_info *info);
/* NULL if there is no such file. */
const struct package_file *bootpkg_find(const char *name);
/* The i-th file in the order of names; NULL at the end. */
const struct package_file *bootpkg_at(uint32_t i);
const void *bootpkg_data(const struct package_file *file);
/* Derives a memory capability for [offset, offset + size) of a file, both page aligned but for the
 * file's end. Returns its slot (give back with bootpkg_release), or 0. */
uint32_t bootpkg_derive(const struct package_file *file, uint64_t offset, uint64_t size,
                        uint32_t rights);
void bootpkg_release(uint32_t slot);

#endif
