/* SPDX-License-Identifier: BSD-2-Clause */
/* Small zeroed allocations of kernel memory, by size class; own lock. */
#ifndef KERNEL_SLAB_H
#define KERNEL_SLAB_H

#include "lib/types.h"

void *slab_alloc(size_t size); /* 1..2048 bytes; NULL: out of memory */
void slab_free(void *p, size_t size);
/* What an allocation of that size really takes, for accounts. */
size_t slab_cost(size_t size);

#endif
