/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/cap.h"

#include "arch/x86_64/klog.h"
#include "kernel/pd.h"

_Static_assert(sizeof(struct cap) * CAP_PAGE_SLOTS <= PAGE_SIZE, "a table page holds its slots");

static inline struct cap *find(struct pd *pd, uint64_t slot)
{
    if (slot == 0 || slot >= CAP_SLOTS)
        return NULL;
    struct cap *page =
        __atomic_load_n((struct cap **)&pd->table[slot / CAP_PAGE_SLOTS], __ATOMIC_ACQUIRE);
    if (!page)
        return NULL;
    return &page[slot % CAP_PAGE_SLOTS];
}

struct cap *cap_lookup(struct pd *pd, uint64_t slot)
{
    struct cap *cap = find(pd, slot);
    return cap && __atomic_load_n(&cap->obj, __ATOMIC_ACQUIRE) ? cap : NULL;
}

/* The slot may be emptied and filled again at any time, by another thread of the domain: object,
 * rights and badge must be of one capability, or a badge could be shed by emptying the slot at the
 * right moment. */
static inline void *take(struct pd *pd, uint64_t slot, enum obj_type type, uint32_t rights,
                         uint64_t *badge, int64_t *status)
{
    *status = ERR_CAP;
    struct cap *cap = find(pd, slot);
    if (!cap)
        return NULL;
    /* Partner: cap_delete() counts up between taking one object out and the next going in. */
    uint64_t version = __atomic_load_n((uint64_t *)&cap->version, __ATOMIC_ACQUIRE);
    struct obj *obj = __atomic_load_n(&cap->obj, __ATOMIC_ACQUIRE);
    uint32_t has = __atomic_load_n(&cap->rights, __ATOMIC_ACQUIRE);
    *badge = __atomic_load_n(&cap->badge, __ATOMIC_ACQUIRE);
    if (!obj || obj->type != type ||
        __atomic_load_n((uint64_t *)&cap->version, __ATOMIC_ACQUIRE) != version)
        return NULL;
    if ((has & rights) != rights) {
        *status = ERR_RIGHTS;
        return NULL;
    }
    *status = OK;
    return obj;
}

void *cap_object_badge(struct pd *pd, uint64_t slot, enum obj_type type, uint32_t rights,
                       uint64_t *badge, int64_t *status)
{
    return take(pd, slot, type, rights, badge, status);
}

void *cap_object(struct pd *pd, uint64_t slot, enum obj_type type, uint32_t rights, int64_t *status)
{
    uint64_t badge;
    return take(pd, slot, type, rights, &badge, status);
}

int64_t cap_reserve(struct pd *pd, uint64_t slot)
{
    ASSERT(spin_held(&object_lock));
    if (slot == 0 || slot >= CAP_SLOTS)
        return ERR_ARG;
    if (pd->ended)
        return ERR_GONE;
    if (cap_lookup(pd, slot))
        return ERR_EXISTS;
    if (pd->table[slot / CAP_PAGE_SLOTS])
        return OK;
    int64_t status;
    struct cap *page = pd_pages(pd, 0, &status);
    if (!page)
        return status;
    __atomic_store_n((struct cap **)&pd->table[slot / CAP_PAGE_SLOTS], page, __ATOMIC_RELEASE);
    return OK;
}

int64_t cap_insert(struct pd *pd, uint64_t slot, struct obj *obj, uint32_t rights, uint64_t badge,
                   struct cap *parent)
{
    int64_t status = cap_reserve(pd, slot);
    if (status != OK)
        return status;
    struct cap *cap = &pd->table[slot / CAP_PAGE_SLOTS][slot % CAP_PAGE_SLOTS];
    cap->slot = (uint32_t)slot;
    __atomic_store_n(&cap->badge, badge, __ATOMIC_RELAXED);
    cap->pd = pd;
    cap->parent = parent;
    list_init(&cap->children);
    list_init(&cap->sibling);
    list_init(&cap->mappings);
    if (parent)
        list_add_tail(&parent->children, &cap->sibling);
    pd->cap_count++;
    obj->caps++;
    __atomic_store_n(&cap->rights, rights, __ATOMIC_RELEASE);
    __atomic_store_n(&cap->obj, obj, __ATOMIC_RELEASE);
    return OK;
}

int64_t cap_copy(struct cap *src, struct pd *dst_pd, uint64_t dst, uint32_t rights, uint64_t badge)
{
    if (!(src->rights & RIGHT_COPY))
        return ERR_RIGHTS;
    if (badge && src->badge)
        return ERR_ARG;
    if (badge && src->obj->type != OBJ_PORTAL && src->obj->type != OBJ_NOTIF)
        return ERR_ARG;
    return cap_insert(dst_pd, dst, src->obj, src->rights & rights, badge ? badge : src->badge, src);
}

void cap_delete(struct cap *cap)
{
    ASSERT(spin_held(&object_lock));
    struct obj *obj = cap->obj;
    if (obj->type == OBJ_MEM)
        space_unmap_cap(cap);
    list_for_each_safe(child, &cap->children, struct cap, sibling)
    {
        list_del(&child->sibling);
        child->parent = cap->parent;
        if (cap->parent)
            list_add_tail(&cap->parent->children, &child->sibling);
    }
    list_del(&cap->sibling);
    __atomic_store_n(&cap->obj, NULL, __ATOMIC_RELEASE);
    /* Partner: cap_object_badge(). seq_cst: before anything that a later insertion stores. */
    __atomic_fetch_add((uint64_t *)&cap->version, 1, __ATOMIC_SEQ_CST);
    cap->rights = 0;
    cap->pd->cap_count--;
    if (--obj->caps == 0)
        obj_destroy(obj);
}

bool cap_revoke(struct cap *cap, uint32_t *budget)
{
    while (!list_empty(&cap->children)) {
        if (*budget == 0)
            return false;
        (*budget)--;
        struct cap *leaf = list_first(&cap->children, struct cap, sibling);
        while (!list_empty(&leaf->children))
            leaf = list_first(&leaf->children, struct cap, sibling);
        cap_delete(leaf);
    }
    return true;
}
