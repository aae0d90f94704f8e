/* SPDX-License-Identifier: BSD-2-Clause */
/* Page tables in kernel-owned pages, for any format with x86's geometry: ring-3 domains,
 * nested (NPT), extended (EPT), of devices (VT-d, AMD-Vi), and the
 * kernel's own. */
#ifndef ARCH_PTAB_H
#define ARCH_PTAB_H

#include "arch/x86_64/kmem.h"

struct pt_format {
    uint64_t table;                     /* bits of an entry that points to a table */
    uint64_t leaf;                      /* bits of every leaf */
    uint64_t large;                     /* bit that marks a leaf above the last level */
    uint64_t present;                   /* mask that is non-zero in a present entry */
    uint64_t read, write, exec, noexec; /* set for the right (noexec: set for its absence) */
    uint64_t dirty; /* in a leaf: set by the CPU when it writes through it; 0: it never does */
    uint64_t uncached, wc, writeback; /* memory type bits; 4 KiB layout */
    uint64_t
        wc_large; /* the same for 2 MiB and 1 GiB leaves where the position differs (PAT bit) */
    uint64_t
        next_level; /* AMD-Vi: field with the level of the table an entry points to, 0: a leaf */
    uint32_t max_level; /* largest leaf: 1 = 4 KiB, 2 = 2 MiB, 3 = 1 GiB */
    uint32_t levels;    /* 3 to 5 */
    bool write_back;    /* what walks the tables does not look into the CPUs' caches */
};

/* Charge for `pages` table pages (negative: give back); false refuses. */
typedef bool (*pt_charge)(void *account, int32_t pages);

struct ptab {
    const struct pt_format *format;
    uint64_t *root;
    pt_charge charge;
    void *account;
    uint32_t pages; /* table pages in use, without the root */
};

/* Maps [va, va+size) to pa with MAP_* flags; all 4 KiB aligned; nothing mapped there before. On
 * failure nothing stays mapped; as there is no TLB shoot-down, nobody may use the range yet. OK,
 * ERR_QUOTA or ERR_NOMEM. */
int64_t ptab_map(struct ptab *pt, uint64_t va, hpa_t pa, uint64_t size, uint32_t flags);
/* The same for tables in use: on failure a part may stay mapped, which the caller removes as any
 * other mapping (that cannot fail: no large page reaches out of the range). */
int64_t ptab_map_part(struct ptab *pt, uint64_t va, hpa_t pa, uint64_t size, uint32_t flags);
/* Removes [va, va+size). Splits large pages that reach out of the range (may need memory:
 * ERR_NOMEM, nothing changed). Table pages that become empty are put on *free_list (linked through
 * their first word), to be released with ptab_release after the TLB shoot-down. */
int64_t ptab_unmap(struct ptab *pt, uint64_t va, uint64_t size, void **free_list);
void ptab_release(struct ptab *pt, void *free_list);
/* Clears the leaf of one mapped 4 KiB page and keeps the tables. */
void ptab_clear(struct ptab *pt, uint64_t va);
/* Counts the pages of 4 KiB in [va, va+size) whose leaves are marked as written, and takes the
 * marks away; TLBs are the caller's. `split`: large leaves become tables first, so that pages of 4
 * KiB are told apart. ERR_QUOTA, ERR_NOMEM: no table for that. */
int64_t ptab_dirty(struct ptab *pt, uint64_t va, uint64_t size, bool split);
/* Frees all tables of [0, limit) and, if whole, the root. No TLB may hold it. */
void ptab_destroy(struct ptab *pt, uint64_t limit);
/* Physical address and leaf bits of va; false: not mapped. */
bool ptab_lookup(const struct ptab *pt, uint64_t va, hpa_t *pa, uint64_t *leaf,
                 uint64_t *leaf_size);

#endif
