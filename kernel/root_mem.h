/* SPDX-License-Identifier: BSD-2-Clause */
/* What memory the root task gets: the boot map without the kernel's own part, and the gaps as MMIO.
 */
#ifndef KERNEL_ROOT_MEM_H
#define KERNEL_ROOT_MEM_H

#include "abi/kinfo.h"
#include "lib/types.h"

struct bootinfo;

/* Fills mem[] and the other fields of *info. More ranges than fit: the smallest are left out, with
 * a log line. */
void root_mem_describe(const struct bootinfo *boot, struct root_info *info);
/* Takes `size` bytes (pages) from the end of a RAM range as ROOT_MEM_SELF; host-physical base, 0:
 * none. */
uint64_t root_mem_take(struct root_info *info, uint64_t size);

#endif
