/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/ptab.h"

#include "abi/status.h"
#include "abi/thread.h"
#include "arch/x86_64/insn.h"

#define PT_ADDRESS 0x000ffffffffff000ull
#define PT_ENTRIES 512u

static uint64_t level_size(uint32_t level)
{
    return PAGE_SIZE << (9 * (level - 1) &
                         63); /* level is at least 1, which clang-tidy cannot see */
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
    return level == 1 || (entry & f->large) || (f->next_level && !(entry & f->next_level));
}

static uint64_t table_bits(const struct pt_format *f, uint32_t level)
{
    return f->table | (level - 1) * (f->next_level & -f->next_level);
}

static void store(const struct pt_format *f, uint64_t *entry, uint64_t value)
{
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
    if (f->write_back)
        cache_write_back(entry, sizeof(*entry));
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
    if (pt->format->write_back)
        cache_write_back(table, PAGE_SIZE);
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
    for (uint32_t l = pt->format->levels;; l--) {
        uint64_t *entry = &table[index_at(va, l)];
        if (l == *level && (l == 1 || !present(pt->format, *entry)))
            return entry;
        if (l == *level)
            (*level)--;
        if (!present(pt->format, *entry)) {
            uint64_t *next = new_table(pt, status);
            if (!next)
                return NULL;
            store(pt->format, entry, kva_to_hpa(next).v | table_bits(pt->format, l));
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
        store(pt->format, entry, value);
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
        store(f, &table[i], (base + i * step) | bits);
    store(f, entry, kva_to_hpa(table).v | table_bits(f, level));
    return OK;
}

/* The leaf over va, or NULL; *level: its own, or where there is none. */
static uint64_t *leaf_at(const struct ptab *pt, uint64_t va, uint32_t *level)
{
    uint64_t *table = pt->root;
    for (*level = pt->format->levels;; (*level)--) {
        uint64_t *entry = &table[index_at(va, *level)];
        if (!present(pt->format, *entry))
            return NULL;
        if (is_leaf(pt->format, *entry, *level))
            return entry;
        table = table_of(*entry);
    }
}

/* Makes sure that no large leaf reaches across `edge`. */
static int64_t split_at(struct ptab *pt, uint64_t edge)
{
    for (;;) {
        uint32_t level;
        uint64_t *leaf = leaf_at(pt, edge, &level);
        if (!leaf || aligned(edge, level_size(level)))
            return OK;
        int64_t status = split_leaf(pt, leaf, level);
        if (status != OK)
            return status;
    }
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
                store(pt->format, entry, 0);
            } else {
                uint64_t *below = table_of(*entry);
                clear_range(pt, below, level - 1, va, next, free_list);
                if (table_empty(pt->format, below)) {
                    store(pt->format, entry, 0);
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
        clear_range(pt, pt->root, pt->format->levels, va, va + size, free_list);
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
    uint64_t unit = level_size(level);
    uint32_t entries = level == pt->format->levels
                           ? (uint32_t)MIN(PT_ENTRIES, (limit + unit - 1) / unit)
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
    destroy_level(pt, pt->root, pt->format->levels, limit);
}

void ptab_clear(struct ptab *pt, uint64_t va)
{
    uint32_t level;
    store(pt->format, leaf_at(pt, va, &level), 0);
}

int64_t ptab_dirty(struct ptab *pt, uint64_t va, uint64_t size, bool split)
{
    uint64_t end = va + size, dirty = pt->format->dirty;
    int64_t pages = 0;
    while (va < end) {
        uint32_t level;
        uint64_t *leaf = leaf_at(pt, va, &level);
        if (leaf && split && level > 1) {
            int64_t status = split_leaf(pt, leaf, level);
            if (status != OK)
                return status;
            continue;
        }
        uint64_t next = MIN((va | (level_size(level) - 1)) + 1, end);
        /* The CPU may set it meanwhile. */
        if (leaf && (__atomic_load_n(leaf, __ATOMIC_RELAXED) & dirty) &&
            (__atomic_fetch_and(leaf, ~dirty, __ATOMIC_RELAXED) & dirty))
            pages += (int64_t)((next - va) >> PAGE_SHIFT);
        va = next;
    }
    return pages;
}

bool ptab_lookup(const struct ptab *pt, uint64_t va, hpa_t *pa, uint64_t *leaf, uint64_t *leaf_size)
{
    uint32_t level;
    const uint64_t *entry = leaf_at(pt, va, &level);
    if (!entry)
        return false;
    uint64_t unit = level_size(level);
    *pa = hpa((*entry & PT_ADDRESS & ~(unit - 1)) | (va & (unit - 1)));
    *leaf = *entry & ~(PT_ADDRESS & ~(unit - 1));
    *leaf_size = unit;
    return true;
}
