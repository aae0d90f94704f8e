/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/obj.h"

#include "arch/x86_64/klog.h"
#include "kernel/device.h"
#include "kernel/irq.h"
#include "kernel/notif.h"
#include "kernel/pd.h"
#include "kernel/portal.h"
#include "kernel/quiesce.h"
#include "kernel/slab.h"

spinlock_t object_lock;
_Atomic uint64_t obj_live[OBJ_TYPES];

static const struct obj_ops ops[OBJ_TYPES] = {
    [OBJ_PD] = {pd_destroy, pd_free},
    [OBJ_THREAD] = {thread_destroy, thread_free},
    [OBJ_SC] = {sc_object_destroy, sc_object_free},
    [OBJ_PORTAL] = {portal_destroy, NULL},
    [OBJ_NOTIF] = {notif_destroy, NULL},
    [OBJ_IRQ] = {irq_destroy, NULL},
    [OBJ_DEVICE] = {device_destroy, NULL},
    [OBJ_GUEST] = {guest_destroy, guest_free},
    [OBJ_VCPU] = {vcpu_destroy, vcpu_free},
};

/* Objects without references, to be freed when no CPU can still look at them. */
static spinlock_t grave_lock;
static struct obj *grave;

/* Never above the limit, not even for a moment, and bytes may be any number that ring 3 made up. */
int64_t pd_charge(struct pd *pd, uint64_t bytes)
{
    uint64_t used = __atomic_load_n((uint64_t *)&pd->kmem_used, __ATOMIC_RELAXED);
    do {
        if (used > pd->kmem_limit || bytes > pd->kmem_limit - used)
            return ERR_QUOTA;
    } while (!__atomic_compare_exchange_n((uint64_t *)&pd->kmem_used, &used, used + bytes, true,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return OK;
}

void pd_credit(struct pd *pd, uint64_t bytes)
{
    __atomic_sub_fetch((uint64_t *)&pd->kmem_used, bytes, __ATOMIC_RELAXED);
}

void *pd_pages(struct pd *pd, uint32_t order, int64_t *status)
{
    *status = pd_charge(pd, PAGE_SIZE << order);
    if (*status != OK)
        return NULL;
    void *pages = kmem_pages(order);
    if (!pages) {
        pd_credit(pd, PAGE_SIZE << order);
        *status = ERR_NOMEM;
    }
    return pages;
}

void pd_free_pages(struct pd *pd, void *pages, uint32_t order)
{
    kmem_free_pages(pages, order);
    pd_credit(pd, PAGE_SIZE << order);
}

bool pd_charge_ptab(void *account, int32_t pages)
{
    int64_t bytes = (int64_t)pages * (int64_t)PAGE_SIZE;
    if (bytes < 0) {
        pd_credit(account, (uint64_t)-bytes);
        return true;
    }
    return pd_charge(account, (uint64_t)bytes) == OK;
}

/* Objects above a slab's largest piece take pages. */
static void *object_memory(size_t size)
{
    return size <= 2048 ? slab_alloc(size) : kmem_pages(0);
}

static size_t object_cost(size_t size)
{
    return size <= 2048 ? slab_cost(size) : PAGE_SIZE;
}

void *obj_create(struct pd *payer, enum obj_type type, size_t size, int64_t *status)
{
    ASSERT(size <= PAGE_SIZE);
    *status = pd_charge(payer, object_cost(size));
    if (*status != OK)
        return NULL;
    struct obj *obj = object_memory(size);
    if (!obj) {
        pd_credit(payer, object_cost(size));
        *status = ERR_NOMEM;
        return NULL;
    }
    obj->type = (uint8_t)type;
    obj->size = (uint32_t)size;
    obj->refs = 1;
    obj->payer = payer;
    obj_ref(&payer->obj);
    __atomic_add_fetch((uint64_t *)&obj_live[type], 1, __ATOMIC_RELAXED);
    return obj;
}

void obj_ref(struct obj *obj)
{
    __atomic_add_fetch((uint32_t *)&obj->refs, 1, __ATOMIC_RELAXED);
}

void obj_unref(struct obj *obj)
{
    if (__atomic_sub_fetch((uint32_t *)&obj->refs, 1, __ATOMIC_ACQ_REL))
        return;
    spin_lock(&grave_lock);
    obj->next_dead = grave;
    grave = obj;
    spin_unlock(&grave_lock);
}

void obj_destroy(struct obj *obj)
{
    ASSERT(spin_held(&object_lock) && !obj->dead);
    obj->dead = true;
    if (ops[obj->type].destroy)
        ops[obj->type].destroy(obj);
    obj_unref(obj);
}

static void free_one(struct obj *obj)
{
    struct pd *payer = obj->payer;
    size_t size = obj->size;
    __atomic_sub_fetch((uint64_t *)&obj_live[obj->type], 1, __ATOMIC_RELAXED);
    if (ops[obj->type].free)
        ops[obj->type].free(obj);
    if (size <= 2048)
        slab_free(obj, size);
    else
        kmem_free_pages(obj, 0);
    pd_credit(payer, object_cost(size));
    obj_unref(&payer->obj);
}

void obj_bury(void)
{
    ASSERT(spin_held(&object_lock));
    while (__atomic_load_n(&grave, __ATOMIC_RELAXED)) {
        spin_lock(&grave_lock);
        struct obj *list = grave;
        grave = NULL;
        spin_unlock(&grave_lock);
        quiesce();
        while (list) {
            struct obj *next = list->next_dead;
            free_one(list);
            list = next;
        }
    }
}
