/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel memory from the host's allocator, so that ASan sees every use after free and overflow of a
 * kernel object. Each page or piece can be made the last one. */
#ifndef TESTS_UNIT_FAKE_MEMORY_H
#define TESTS_UNIT_FAKE_MEMORY_H

#include "tests/unit/fake/machine.h"
#include "kernel/slab.h"

static uint64_t fake_left = UINT64_MAX; /* allocations until there is no memory */
static uint64_t fake_in_use;            /* bytes, as the accounts count them */

static inline bool fake_take(uint64_t bytes)
{
    if (fake_left == 0)
        return false;
    fake_left--;
    fake_in_use += bytes;
    return true;
}

void *kmem_pages(uint32_t order)
{
    size_t size = PAGE_SIZE << order;
    if (!fake_take(size))
        return NULL;
    void *pages = aligned_alloc(size, size);
    memset(pages, 0, size);
    return pages;
}
void kmem_free_pages(void *pages, uint32_t order)
{
    fake_in_use -= PAGE_SIZE << order;
    free(pages);
}
size_t slab_cost(size_t size)
{
    size_t cost = 64;
    while (cost < size)
        cost *= 2;
    return cost;
}
void *slab_alloc(size_t size)
{
    return fake_take(slab_cost(size)) ? calloc(1, size) : NULL;
}
void slab_free(void *p, size_t size)
{
    fake_in_use -= slab_cost(size);
    free(p);
}

#endif
