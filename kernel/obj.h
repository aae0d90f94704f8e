/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel objects. An object dies (its destroy function runs) when its last capability goes; its
 * memory is freed when, beyond that, the last reference goes. */
#ifndef KERNEL_OBJ_H
#define KERNEL_OBJ_H

#include "abi/object.h"
#include "abi/status.h"
#include "arch/x86_64/spinlock.h"

struct pd;

struct obj {
    uint8_t type;          /* enum obj_type */
    bool dead;             /* destroy has run; under the object lock, read anywhere */
    uint32_t caps;         /* capabilities; under the object lock */
    _Atomic uint32_t refs; /* references from other objects, plus 1 while caps > 0 */
    uint32_t size;         /* bytes, for the account */
    struct pd *payer;      /* whose quota it is charged to; holds a reference */
    struct obj *next_dead; /* waiting to be freed */
};

/* What each type defines; a table by type is in obj.c. destroy: undo every link to others (under
 * the object lock). free: release memory beyond the object itself. Either may be NULL. */
struct obj_ops {
    void (*destroy)(struct obj *obj);
    void (*free)(struct obj *obj);
};
/* Upward events: defined in virt/. */
void guest_destroy(struct obj *obj);
void guest_free(struct obj *obj);
void vcpu_destroy(struct obj *obj);
void vcpu_free(struct obj *obj);

/* New object of `size` bytes, zeroed, charged to payer, one reference, no capability yet. NULL and
 * *status. */
void *obj_create(struct pd *payer, enum obj_type type, size_t size, int64_t *status);
void obj_ref(struct obj *obj);
void obj_unref(struct obj *obj);
/* Called by cap.c when the last capability went. */
void obj_destroy(struct obj *obj);
/* Frees what has no references left; at the end of structural calls, object lock held. */
void obj_bury(void);
/* Live objects by type, for machine_info. */
extern _Atomic uint64_t obj_live[OBJ_TYPES];

/* The object lock: held by structural system calls. Fast ones never take it. */
extern spinlock_t object_lock;

/* Kernel memory of an account: charge before kmem_pages, credit after kmem_free_pages. */
int64_t pd_charge(struct pd *pd, uint64_t bytes); /* OK or ERR_QUOTA */
void pd_credit(struct pd *pd, uint64_t bytes);
/* Pages charged to pd; NULL and *status on failure. */
void *pd_pages(struct pd *pd, uint32_t order, int64_t *status);
void pd_free_pages(struct pd *pd, void *pages, uint32_t order);
/* ptab's charge function with a struct pd as the account. */
bool pd_charge_ptab(void *account, int32_t pages);

#endif
