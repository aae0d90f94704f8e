/* SPDX-License-Identifier: BSD-2-Clause */
/* Capabilities: slots of a domain's table, linked into a derivation tree for revocation. */
#ifndef KERNEL_CAP_H
#define KERNEL_CAP_H

#include "kernel/obj.h"
#include "lib/list.h"

struct cap {
    struct obj *obj; /* NULL: empty. Read without lock by fast calls (see quiesce.h), written under
                        the object lock */
    uint32_t rights;
    uint32_t slot;            /* own index */
    _Atomic uint64_t version; /* grows whenever the slot is emptied; see cap_object_badge() */
    uint64_t badge;
    struct pd *pd;      /* table it lies in */
    struct cap *parent; /* derivation tree, under the object lock */
    struct list children;
    struct list sibling;
    struct list mappings; /* struct mapping made through this capability (memory) */
};

/* Object of `type` in a slot with all of `rights`, or NULL and *status. Safe in fast sections. */
void *cap_object(struct pd *pd, uint64_t slot, enum obj_type type, uint32_t rights,
                 int64_t *status);
/* The same, with the badge that this very capability has. */
void *cap_object_badge(struct pd *pd, uint64_t slot, enum obj_type type, uint32_t rights,
                       uint64_t *badge, int64_t *status);
/* The capability itself; NULL: empty or out of range. */
struct cap *cap_lookup(struct pd *pd, uint64_t slot);
/* Puts a new capability into an empty slot. OK, ERR_ARG, ERR_EXISTS, ERR_QUOTA, ERR_NOMEM. parent
 * may be NULL. */
int64_t cap_insert(struct pd *pd, uint64_t slot, struct obj *obj, uint32_t rights, uint64_t badge,
                   struct cap *parent);
/* Checks that a slot can take a capability and makes its table page. After OK, cap_insert cannot
 * fail. */
int64_t cap_reserve(struct pd *pd, uint64_t slot);
/* Copies with reduced rights. */
int64_t cap_copy(struct cap *src, struct pd *dst_pd, uint64_t dst, uint32_t rights, uint64_t badge);
/* Empties; children go to the parent; destroys the object with its last capability. */
void cap_delete(struct cap *cap);
/* Deletes up to *budget descendants, leaves first; true: none are left. */
bool cap_revoke(struct cap *cap, uint32_t *budget);

#endif
