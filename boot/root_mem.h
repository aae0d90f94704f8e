/* SPDX-License-Identifier: BSD-2-Clause */
/* What memory the root task gets: the boot map without the kernel's own part, and the gaps as MMIO.
 */
#ifndef BOOT_ROOT_MEM_H
#define BOOT_ROOT_MEM_H

#include "boot/bootinfo.h"

/* Fills mem[] and the other fields of *info. More ranges than fit: the smallest are left out, with
 * a note. */
void root_mem_describe(const struct bootinfo *boot, struct root_info *info);

#endif
