/* SPDX-License-Identifier: BSD-2-Clause */
/* Physical memory that the kernel reads during boot only. */
#ifndef ARCH_BOOTMAP_H
#define ARCH_BOOTMAP_H

#include "lib/types.h"

/* Maps [pa, pa+size) read-only until the end of boot, when all of it goes away. NULL: no memory. */
void *boot_map(hpa_t pa, uint64_t size);
/* The same, writable: for what the root task starts with. */
void *boot_map_write(hpa_t pa, uint64_t size);

#endif
