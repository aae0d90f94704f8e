/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/ptab.h"

#include "abi/status.h"
#include "abi/thread.h"

#define PT_ADDRESS 0x000ffffffffff000ull
#define PT_ENTRIES 512u

static uint64_t level_size(uint32_t level)
{
    return PAGE_SIZE << (9 * (level - 1));
}

static uint32_t index_at(uint64_t va, uint32_t level)
{
    return (uint32_t)(va >> (PAGE_SHIFT + 9 * (level - 1))) & (PT_ENTRIES - 1);
}

static bool present(const struct pt_format *f, uint64_t entry)
{
    return (entry & f->present) != 0;
}

static bool is_leaf(const struct pt_format *f, uint64_t entry, uint32_t level)
{
    return level == 1 || (entry & f->large);
}

static uint64_t *table_of(uint64_t entry)
{
    return hpa_to_kva(hpa(entry & PT_ADDRESS));
}

static uint64_t leaf_bits(const struct pt_format *f, uint32_t flags, uint32_t level)
{
    uint64_t bits = f->leaf | (level > 1 ? f->large : 0);
    bits |= (flags & MAP_READ) ? f->read : 0;
    bits |= (flags & MAP_WRITE) ? f->write : 0;
    bits |= (flags & MAP_EXEC) ? f->exec : f->noexec;
    if (flags & MAP_UNCACHED)
        return bits | f->uncached;
    if (flags & MAP_WC)
        return bits | (level > 1 ? f->wc_large : f->wc);
    return bits | f->writeback;
}

static uint64_t *new_table(struct ptab *pt, int64_t *status)
{
    if (pt->charge && !pt->charge(pt->account, 1)) {
        *status = ERR_QUOTA;
        return NULL;
    }
    uint64_t *table = kmem_pages(0);
    if (!table) {
        if (pt->charge)
            pt->charge(pt->account, -1);
        *status = ERR_NOMEM;
        return NULL;
    }
    pt->pages++;
    return table;
}

static void free_table(struct ptab *pt, uint64_t *table)
{
    kmem_free_pages(table, 0);
    if (pt->charge)
        pt->charge(pt->account, -1);
    pt->pages--;
}

/* The largest leaf that fits at va, pa, size. */
static uint32_t best_level(const struct ptab *pt, uint64_t va, uint64_t pa, uint64_t size)
{
    for (uint32_t level = pt->format->max_level; level > 1; level--) {
        uint64_t unit = level_size(level);
        if (aligned(va | pa, unit) && size >= unit)
            return level;
    }
    return 1;
}

/* Entry for va at `level`, making tables on the way; NULL and *status on failure. A table left over
 * from what was unmapped may stand where a large leaf would go: then the caller gets the next lower
 * level. */
static uint64_t *walk_make(struct ptab *pt, uint64_t va, uint32_t *level, int64_t *status)
{
    uint64_t *table = pt->root;
    for (uint32_t l = 4;; l--) {
        uint64_t *entry = &table[index_at(va, l)];
        if (l == *level && (l == 1 || !present(pt->format, *entry)))
            return entry;
        if (l == *level)
            (*level)--;
        if (!present(pt->format, *entry)) {
            uint64_t *next = new_table(pt, status);
            if (!next)
                return NULL;
            __atomic_store_n(entry, kva_to_hpa(next).v | pt->format->table, __ATOMIC_RELEASE);
        }
        table = table_of(*entry);
    }
}

int64_t ptab_map_part(struct ptab *pt, uint64_t va, hpa_t pa, uint64_t size, uint32_t flags)
{
    uint64_t done = 0;
    while (done < size) {
        uint32_t level = best_level(pt, va + done, pa.v + done, size - done);
        int64_t status = OK;
        uint64_t *entry = walk_make(pt, va + done, &level, &status);
        if (!entry)
            return status;
        uint64_t value = (pa.v + done) | leaf_bits(pt->format, flags, level);
        __atomic_store_n(entry, value, __ATOMIC_RELEASE);
        done += level_size(level);
    }
    return OK;
}

int64_t ptab_map(struct ptab *pt, uint64_t va, hpa_t pa, uint64_t size, uint32_t flags)
{
    int64_t status = ptab_map_part(pt, va, pa, size, flags);
    if (status != OK) {
        /* The whole range, to find the tables too that were made for the entry that failed. */
        void *free_list = NULL;
        ptab_unmap(pt, va, size, &free_list);
        ptab_release(pt, free_list); /* never used: nothing in a TLB */
    }
    return status;
}

/* Replaces a large leaf by a table of next smaller leaves with the same rights. */
static int64_t split_leaf(struct ptab *pt, uint64_t *entry, uint32_t level)
{
    int64_t status = OK;
    uint64_t *table = new_table(pt, &status);
    if (!table)
        return status;
    const struct pt_format *f = pt->format;
    uint64_t old = *entry;
    uint64_t step = level_size(level - 1);
    uint64_t base = old & PT_ADDRESS & ~(level_size(level) - 1);
    uint64_t bits = old & ~(PT_ADDRESS & ~(level_size(level) - 1));
    if (level - 1 == 1) {
        bits &= ~f->large;
        if (f->wc_large != f->wc && (old & f->wc_large) == f->wc_large && f->wc_large)
            bits = (bits & ~f->wc_large) | f->wc;
    }
    for (uint32_t i = 0; i < PT_ENTRIES; i++)
        table[i] = (base + i * step) | bits;
    __atomic_store_n(entry, kva_to_hpa(table).v | f->table, __ATOMIC_RELEASE);
    return OK;
}

/* Makes sure that no large leaf reaches across `edge`. */
static int64_t split_at(struct ptab *pt, uint64_t edge)
{
    uint64_t *table = pt->root;
    for (uint32_t level = 4; level > 1; level--) {
        uint64_t *entry = &table[index_at(edge, level)];
        if (!present(pt->format, *entry) || aligned(edge, level_size(level)))
            return OK;
        if (is_leaf(pt->format, *entry, level)) {
            int64_t status = split_leaf(pt, entry, level);
            if (status != OK)
                return status;
        }
        table = table_of(*entry);
    }
    return OK;
}

static bool table_empty(const struct pt_format *f, const uint64_t *table)
{
    for (uint32_t i = 0; i < PT_ENTRIES; i++)
        if (present(f, table[i]))
            return false;
    return true;
}

static void defer_free(uint64_t *table, void **free_list)
{
    *(void **)table = *free_list;
    *free_list = table;
}

static void clear_range(struct ptab *pt, uint64_t *table, uint32_t level, uint64_t va, uint64_t end,
                        void **free_list)
{
    uint64_t unit = level_size(level);
    while (va < end) {
        uint64_t next = MIN(va | (unit - 1), end - 1) + 1; /* in the top slot too */
        uint64_t *entry = &table[index_at(va, level)];
        if (present(pt->format, *entry)) {
            if (is_leaf(pt->format, *entry, level)) {
                __atomic_store_n(entry, 0, __ATOMIC_RELEASE);
            } else {
                uint64_t *below = table_of(*entry);
                clear_range(pt, below, level - 1, va, next, free_list);
                if (table_empty(pt->format, below)) {
                    __atomic_store_n(entry, 0, __ATOMIC_RELEASE);
                    defer_free(below, free_list);
                }
            }
        }
        va = next;
    }
}

int64_t ptab_unmap(struct ptab *pt, uint64_t va, uint64_t size, void **free_list)
{
    int64_t status = split_at(pt, va);
    if (status == OK)
        status = split_at(pt, va + size);
    if (status == OK)
        clear_range(pt, pt->root, 4, va, va + size, free_list);
    return status;
}

void ptab_release(struct ptab *pt, void *free_list)
{
    while (free_list) {
        void *next = *(void **)free_list;
        *(void **)free_list = NULL;
        free_table(pt, free_list);
        free_list = next;
    }
}

static void destroy_level(struct ptab *pt, uint64_t *table, uint32_t level, uint64_t limit)
{
    uint32_t entries = level == 4
                           ? (uint32_t)MIN(PT_ENTRIES, (limit + level_size(4) - 1) / level_size(4))
                           : PT_ENTRIES;
    for (uint32_t i = 0; i < entries; i++) {
        if (!present(pt->format, table[i]) || is_leaf(pt->format, table[i], level))
            continue;
        destroy_level(pt, table_of(table[i]), level - 1, limit);
        free_table(pt, table_of(table[i]));
        table[i] = 0;
    }
}

void ptab_destroy(struct ptab *pt, uint64_t limit)
{
    destroy_level(pt, pt->root, 4, limit);
}

void ptab_clear(struct ptab *pt, uint64_t va)
{
    uint64_t *table = pt->root;
    for (uint32_t level = 4; level > 1; level--)
        table = table_of(table[index_at(va, level)]);
    __atomic_store_n(&table[index_at(va, 1)], 0, __ATOMIC_RELEASE);
}

bool ptab_lookup(const struct ptab *pt, uint64_t va, hpa_t *pa, uint64_t *leaf, uint64_t *leaf_size)
{
    uint64_t *table = pt->root;
    for (uint32_t level = 4; level; level--) {
        uint64_t entry = table[index_at(va, level)];
        if (!present(pt->format, entry))
            return false;
        if (is_leaf(pt->format, entry, level)) {
            uint64_t unit = level_size(level);
            *pa = hpa((entry & PT_ADDRESS & ~(unit - 1)) | (va & (unit - 1)));
            *leaf = entry & ~(PT_ADDRESS & ~(unit - 1));
            *leaf_size = unit;
            return true;
        }
        table = table_of(entry);
    }
    return false;
}
