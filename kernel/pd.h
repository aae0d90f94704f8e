/* SPDX-License-Identifier: BSD-2-Clause */
/* Protection domain: address space, capability table, port permissions, kernel memory account. */
#ifndef KERNEL_PD_H
#define KERNEL_PD_H

#include "abi/thread.h"
#include "kernel/space.h"

#define CAP_PAGE_SLOTS 32u /* slots per table page */

struct pd { /* OBJ_PD */
    struct obj obj;
    struct space space;
    struct cap
        *_Atomic table[CAP_SLOTS / CAP_PAGE_SLOTS]; /* pages of capabilities, made on demand */
    struct list threads;                            /* struct thread.in_pd */
    uint8_t *iopm;                                  /* 8 KiB + 1 port bitmap, NULL: no ports */
    struct pd *next_dying;                          /* dead, capabilities not yet deleted */
    struct pd *parent;                              /* where the quota returns to */
    struct list children, sibling;                  /* domains whose quota is part of this one's */
    bool ended;                                     /* takes nothing in any more */
    _Atomic uint64_t kmem_used;
    _Atomic uint64_t kmem_limit;
    _Atomic uint64_t cap_count;
    _Atomic uint64_t faults;
    struct thread_info fault; /* of the first; whole before `faults` is 1 */
};

/* The first domain; its quota is the whole pool. */
struct pd *pd_create_root(uint64_t quota);
struct pd *pd_create(struct pd *parent, uint64_t quota, int64_t *status);
/* Deletes up to `budget` capabilities of dead domains; true: nothing is left. Iterative, because
 * domains may hold the last capabilities of domains. */
bool pd_reap(uint32_t budget);

/* Opens or closes ports in the domain's bitmap. OK, ERR_QUOTA, ERR_NOMEM. */
int64_t pd_allow_ports(struct pd *pd, uint32_t base, uint32_t count, bool allow);
/* Called by obj.c. */
void pd_destroy(struct obj *obj);
void pd_free(struct obj *obj);

#endif
