/* SPDX-License-Identifier: BSD-2-Clause */
/* The mappings of a space, searchable by address: a treap. Under the object lock. */
#ifndef KERNEL_MAPPING_H
#define KERNEL_MAPPING_H

#include "kernel/space.h"

void mapping_insert(struct space *space, struct mapping *mapping);
void mapping_remove(struct space *space, struct mapping *mapping);
/* The first mapping (lowest address) that overlaps [address, address+size); NULL: none. */
struct mapping *mapping_find(struct space *space, uint64_t address, uint64_t size);

#endif
