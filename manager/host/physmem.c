/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/host/physmem.h"

#include <stdbool.h>
#include <stddef.h>
#include "abi/kinfo.h"
#include "abi/object.h"
#include "abi/status.h"
#include "manager/host/numa.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define MAX_BLOCKS 2048u

struct range {
    uint64_t base, size;
    uint64_t gone; /* bytes of it given away for good */
    uint32_t slot, node;
};

/* A free piece. The list is sorted by address; neighbours of one range are always merged. */
struct extent {
    uint64_t base, size;
    uint32_t range;
    struct extent *next;
};

/* Each block given out leaves at most one more piece than there was, and each block that comes back
 * makes at most one, so the pool can never run dry when memory comes back. */
static struct extent pool[ROOT_MEM_MAX + MAX_BLOCKS + 1];
static struct extent *pool_free;
static uint32_t pool_used;
static struct range ranges[ROOT_MEM_MAX];
static uint32_t range_count, block_count;
static struct extent *extents;

static struct extent *extent_new(uint64_t base, uint64_t size, uint32_t range, struct extent *next)
{
    struct extent *e = pool_free;
    if (e)
        pool_free = e->next;
    else
        e = &pool[pool_used++];
    *e = (struct extent){base, size, range, next};
    return e;
}

static void extent_drop(struct extent **link)
{
    struct extent *e = *link;
    *link = e->next;
    e->next = pool_free;
    pool_free = e;
}

/* Puts a piece into the list and merges it with its neighbours. */
static void extent_insert(uint64_t base, uint64_t size, uint32_t range)
{
    struct extent **link = &extents, *before = NULL;
    while (*link && (*link)->base < base) {
        before = *link;
        link = &before->next;
    }
    struct extent *after = *link;
    bool joins_after = after && after->range == range && base + size == after->base;
    if (before && before->range == range && before->base + before->size == base) {
        before->size += size;
        if (joins_after) {
            before->size += after->size;
            extent_drop(link);
        }
    } else if (joins_after) {
        after->base = base;
        after->size += size;
    } else {
        *link = extent_new(base, size, range, after);
    }
}

int64_t physmem_add(uint32_t slot, uint64_t base, uint64_t size, uint32_t node)
{
    if (range_count == ROOT_MEM_MAX || !size || (base | size) % PHYSMEM_PAGE || base + size < base)
        return ERR_ARG;
    for (uint32_t i = 0; i < range_count; i++) {
        if (base < ranges[i].base + ranges[i].size && ranges[i].base < base + size)
            return ERR_ARG;
    }
    ranges[range_count] = (struct range){base, size, 0, slot, node};
    extent_insert(base, size, range_count++);
    return OK;
}

/* Where `size` aligned bytes begin in a piece; 0 if they do not fit (memory at 0 is never free). */
static uint64_t fit(const struct extent *e, uint64_t size, uint64_t align)
{
    uint64_t base = (e->base + align - 1) & ~(align - 1);
    if (base < e->base || base - e->base > e->size || e->size - (base - e->base) < size)
        return 0;
    return base;
}

/* The smallest piece that fits below `end`, so that large ones stay whole. */
static struct extent **best_fit(uint64_t size, uint64_t align, uint32_t node, uint64_t end)
{
    struct extent **best = NULL;
    for (struct extent **link = &extents; *link; link = &(*link)->next) {
        struct extent *e = *link;
        if (node != PHYSMEM_ANY_NODE && ranges[e->range].node != node)
            continue;
        uint64_t base = fit(e, size, align);
        if (base && base <= end && size <= end - base && (!best || e->size < (*best)->size))
            best = link;
    }
    return best;
}

/* Cuts [base, base + size) out of a piece. */
static void extent_cut(struct extent **link, uint64_t base, uint64_t size)
{
    struct extent *e = *link;
    uint64_t end = e->base + e->size, cut_end = base + size;
    if (base > e->base) {
        e->size = base - e->base;
        if (end > cut_end)
            e->next = extent_new(cut_end, end - cut_end, e->range, e->next);
    } else if (end > cut_end) {
        e->base = cut_end;
        e->size = end - cut_end;
    } else {
        extent_drop(link);
    }
}

static int64_t take(struct mem_block *block, struct extent **link, uint64_t size, uint64_t align)
{
    const struct range *range = &ranges[(*link)->range];
    uint64_t base = fit(*link, size, align);
    uint32_t slot = slot_alloc();
    if (!slot || block_count == MAX_BLOCKS) {
        slot_free(slot);
        return ERR_QUOTA;
    }
    int64_t status = sys_mem_derive(slot, range->slot, base - range->base, size, RIGHT_ALL);
    if (status != OK) {
        slot_free(slot);
        return status;
    }
    extent_cut(link, base, size);
    block_count++;
    *block = (struct mem_block){base, size, slot, range->node};
    return OK;
}

/* On that node only, below `end`. */
static int64_t alloc_on(struct mem_block *block, uint64_t size, uint64_t align, uint32_t node,
                        uint64_t end)
{
    *block = (struct mem_block){0};
    if (!size || size % PHYSMEM_PAGE || align < PHYSMEM_PAGE || (align & (align - 1)))
        return ERR_ARG;
    struct extent **link = best_fit(size, align, node, end);
    return link ? take(block, link, size, align) : ERR_NOMEM;
}

int64_t physmem_alloc(struct mem_block *block, uint64_t size, uint64_t align, uint32_t node)
{
    int64_t status = alloc_on(block, size, align, node, UINT64_MAX);
    if (status == ERR_NOMEM && node != PHYSMEM_ANY_NODE)
        status = alloc_on(block, size, align, PHYSMEM_ANY_NODE, UINT64_MAX);
    return status;
}

int64_t physmem_alloc_below(struct mem_block *block, uint64_t size, uint64_t align, uint64_t end)
{
    return alloc_on(block, size, align, PHYSMEM_ANY_NODE, end);
}

/* The largest 2 MiB aligned piece that is free, at most `limit` bytes. */
static uint64_t largest_piece(uint64_t limit, uint32_t node)
{
    uint64_t largest = 0;
    for (const struct extent *e = extents; e; e = e->next) {
        uint64_t base = fit(e, PHYSMEM_LARGE, PHYSMEM_LARGE);
        if (!base || (node != PHYSMEM_ANY_NODE && ranges[e->range].node != node))
            continue;
        uint64_t size = (e->base + e->size - base) & ~(PHYSMEM_LARGE - 1);
        if (size > largest)
            largest = size;
    }
    return largest < limit ? largest : limit;
}

/* 1 GiB pages need it aligned to 1 GiB: takes it so if there is such a piece. */
static int64_t alloc_large(struct mem_block *block, uint64_t size, uint32_t node)
{
    if (!size)
        return ERR_NOMEM;
    if (size >= PHYSMEM_HUGE && alloc_on(block, size, PHYSMEM_HUGE, node, UINT64_MAX) == OK)
        return OK;
    return alloc_on(block, size, PHYSMEM_LARGE, node, UINT64_MAX);
}

/* The nearest node that has a large piece; PHYSMEM_ANY_NODE: none has. */
static uint32_t nearest(uint32_t node, uint64_t size)
{
    uint32_t best = PHYSMEM_ANY_NODE;
    for (uint32_t i = 0; i < range_count; i++) {
        uint32_t other = ranges[i].node;
        if (largest_piece(size, other) &&
            (best == PHYSMEM_ANY_NODE || numa_distance(node, other) < numa_distance(node, best)))
            best = other;
    }
    return best;
}

static int64_t alloc_piece(struct mem_block *block, uint64_t remaining, uint32_t node)
{
    uint64_t size = remaining & ~(PHYSMEM_LARGE - 1);
    if (!size)
        return physmem_alloc(block, remaining, PHYSMEM_PAGE, node);
    if (node != PHYSMEM_ANY_NODE)
        node = nearest(node, size);
    return alloc_large(block, largest_piece(size, node), node);
}

/* On the node of the set that has the most to give. */
static int64_t alloc_piece_of(struct mem_block *block, uint64_t remaining, uint64_t nodes)
{
    uint64_t size = remaining & ~(PHYSMEM_LARGE - 1), most = 0;
    uint32_t best = 0;
    int64_t status = ERR_NOMEM;
    for (uint64_t left = nodes; left; left &= left - 1) {
        uint32_t node = (uint32_t)__builtin_ctzll(left);
        if (!size && status != OK)
            status = alloc_on(block, remaining, PHYSMEM_PAGE, node, UINT64_MAX);
        uint64_t piece = largest_piece(size, node);
        if (piece > most) {
            most = piece;
            best = node;
        }
    }
    return size ? alloc_large(block, most, best) : status;
}

int64_t physmem_alloc_pieces(struct mem_block *blocks, uint32_t max, uint64_t size, uint32_t node,
                             uint64_t nodes, uint32_t *count)
{
    int64_t status = OK;
    uint32_t n = 0;
    for (uint64_t remaining = size; remaining && status == OK;) {
        if (n == max)
            status = ERR_NOMEM;
        else if (nodes)
            status = alloc_piece_of(&blocks[n], remaining, nodes);
        else
            status = alloc_piece(&blocks[n], remaining, node);
        if (status == OK)
            remaining -= blocks[n++].size;
    }
    if (status != OK) {
        while (n)
            physmem_free(&blocks[--n]);
    }
    *count = n;
    return status;
}

void physmem_free(struct mem_block *block)
{
    if (!block->slot)
        return;
    for (uint32_t i = 0; i < range_count; i++) {
        const struct range *r = &ranges[i];
        if (block->base < r->base || block->base - r->base >= r->size)
            continue;
        sys_cap_revoke(block->slot);
        slot_free(block->slot);
        extent_insert(block->base, block->size, i);
        block_count--;
        break;
    }
    *block = (struct mem_block){0};
}

void physmem_forget(struct mem_block *block)
{
    for (uint32_t i = 0; i < range_count && block->slot; i++) {
        struct range *r = &ranges[i];
        if (block->base < r->base || block->base - r->base >= r->size)
            continue;
        slot_free(block->slot);
        r->gone += block->size;
        block_count--;
        break;
    }
    *block = (struct mem_block){0};
}

struct physmem_node physmem_stats(uint32_t node)
{
    struct physmem_node stats = {0};
    for (uint32_t i = 0; i < range_count; i++) {
        if (ranges[i].node == node || node == PHYSMEM_ANY_NODE)
            stats.total += ranges[i].size - ranges[i].gone;
    }
    for (const struct extent *e = extents; e; e = e->next) {
        if (ranges[e->range].node != node && node != PHYSMEM_ANY_NODE)
            continue;
        stats.free += e->size;
        if (e->size > stats.largest)
            stats.largest = e->size;
    }
    return stats;
}

uint64_t physmem_free_bytes(void)
{
    return physmem_stats(PHYSMEM_ANY_NODE).free;
}

uint32_t physmem_blocks(void)
{
    return block_count;
}
