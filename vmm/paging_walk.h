/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's own page tables, walked in software over its mapped RAM. */
#ifndef VMM_PAGING_WALK_H
#define VMM_PAGING_WALK_H

#include <stdbool.h>
#include <stdint.h>
#include "vmm/guest_mem.h"

#define WALK_WRITE 0x1u
#define WALK_FETCH 0x2u
#define WALK_USER  0x4u /* CPL 3 */
#define WALK_IMPLICIT \
    0x8u /* supervisor access whatever the CPL (descriptor tables): SMAP ignores AC */
#define WALK_PEEK 0x10u /* look only: no permission checks, accessed and dirty bits stay */

struct paging {
    uint64_t cr0, cr3, cr4, efer, rflags;
    uint32_t phys_bits; /* MAXPHYADDR shown to the guest */
};

/* Guest-linear to guest-physical. On failure *error is the #PF error code. Sets accessed and dirty
 * bits as the CPU does. */
bool paging_walk(const struct guest_mem *mem, const struct paging *paging, uint64_t linear,
                 uint32_t access, uint64_t *gpa, uint32_t *error);

/* The way of a walk through four levels: what would have to change for another to end elsewhere. */
struct walk_trail {
    uint64_t cr0, cr3, cr4, efer;
    const uint64_t *at[4]; /* entries; those that a large page spares stand for the last */
    uint64_t entry[4];
};

/* As paging_walk(), and keeps the way. False: it cannot be told so simply; nothing was done. */
bool paging_trail(const struct guest_mem *mem, const struct paging *paging, uint64_t linear,
                  uint32_t access, uint64_t *gpa, struct walk_trail *trail);

/* The same walk, now: does it go the same way? */
static inline bool paging_unchanged(const struct walk_trail *trail, const struct paging *paging)
{
    uint64_t changed = (trail->cr0 ^ paging->cr0) | (trail->cr3 ^ paging->cr3) |
                       (trail->cr4 ^ paging->cr4) | (trail->efer ^ paging->efer);
    const uint64_t *const *at = trail->at, *was = trail->entry;
    changed |= was[0] ^ __atomic_load_n(at[0], __ATOMIC_RELAXED);
    changed |= was[1] ^ __atomic_load_n(at[1], __ATOMIC_RELAXED);
    changed |= was[2] ^ __atomic_load_n(at[2], __ATOMIC_RELAXED);
    changed |= was[3] ^ __atomic_load_n(at[3], __ATOMIC_RELAXED);
    return changed == 0;
}

#endif
