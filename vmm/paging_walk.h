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

#endif
