/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's own page tables: the image (W^X), the window of kernel-owned pages, devices and
 * stacks. */
#ifndef ARCH_KPAGING_H
#define ARCH_KPAGING_H

#include "arch/x86_64/ptab.h"

struct bootinfo;

/* Builds the tables, moves to them, and starts the pool. */
void kpaging_init(const struct bootinfo *info);
/* Host-physical address of something in the image. */
uint64_t kpaging_image_pa(const void *va);
/* Whether ring 0 can read at va; true while the boot tables are in use. */
bool kpaging_mapped(uint64_t va);
/* The boot program, with struct bootinfo, is not mapped any more. */
void kpaging_end_boot(void);
/* Root for a new address space: the upper half is shared. NULL: out of memory. */
uint64_t *kpaging_new_root(void);
/* Loads the kernel's own root (idle, or the address space is about to die). */
void kpaging_load_kernel(void);

extern const struct pt_format user_pt_format; /* ring-3 domains */

#endif
