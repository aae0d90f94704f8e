/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/pd.h"

#include "abi/kinfo.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/kpaging.h"
#include "kernel/dispatch.h"
#include "kernel/kinfo.h"
#include "kernel/thread.h"
#include "lib/string.h"

#define IOPM_ORDER 2u /* 8 KiB and one byte */

static struct pd *dying;

static int64_t pd_init(struct pd *pd)
{
    int64_t status = pd_charge(pd, PAGE_SIZE);
    if (status != OK)
        return status;
    uint64_t *root = kpaging_new_root();
    if (!root) {
        pd_credit(pd, PAGE_SIZE);
        return ERR_NOMEM;
    }
    space_init(&pd->space, &user_pt_format, root, USER_TOP, SPACE_PD, pd);
    return ptab_map(&pd->space.ptab, KINFO_VA, kva_to_hpa(kinfo), PAGE_SIZE, MAP_READ);
}

struct pd *pd_create_root(uint64_t quota)
{
    /* Pays for itself; nobody above it. */
    static struct pd root = {.obj = {.type = OBJ_PD, .refs = 1, .size = sizeof(struct pd)}};
    root.obj.payer = &root;
    root.kmem_limit = quota;
    list_init(&root.threads);
    list_init(&root.children);
    list_init(&root.sibling);
    __atomic_add_fetch((uint64_t *)&obj_live[OBJ_PD], 1, __ATOMIC_RELAXED);
    return pd_init(&root) == OK ? &root : NULL;
}

/* The quota is taken from the parent as if it were used: a child can never be refused what it was
 * promised. */
struct pd *pd_create(struct pd *parent, uint64_t quota, int64_t *status)
{
    struct pd *pd = obj_create(parent, OBJ_PD, sizeof(*pd), status);
    if (!pd)
        return NULL;
    pd->parent = parent;
    list_init(&pd->threads);
    list_init(&pd->children);
    list_add_tail(&parent->children, &pd->sibling);
    *status = pd_charge(parent, quota);
    if (*status == OK) {
        pd->kmem_limit = quota;
        *status = pd_init(pd);
    }
    if (*status == OK)
        return pd;
    pd->obj.dead = true;
    obj_unref(&pd->obj);
    return NULL;
}

/* Its threads stop now, its capabilities go step by step in pd_reap(). */
static void pd_end(struct pd *pd)
{
    if (pd->ended)
        return;
    pd->ended = true;
    list_for_each_safe(thread, &pd->threads, struct thread, in_pd) thread_kill(thread);
    obj_ref(&pd->obj); /* until pd_reap is through */
    pd->next_dying = dying;
    dying = pd;
}

void pd_destroy(struct obj *obj)
{
    pd_end((struct pd *)obj);
}

/* Deletes capabilities of one domain; true: its table is empty. */
static bool reap_one(struct pd *pd, uint32_t *budget)
{
    for (uint32_t p = 0; p < ARRAY_LEN(pd->table); p++) {
        struct cap *page = pd->table[p];
        for (uint32_t i = 0; page && pd->cap_count && i < CAP_PAGE_SLOTS; i++) {
            if (!page[i].obj)
                continue;
            if (*budget == 0)
                return false;
            (*budget)--;
            cap_delete(&page[i]);
        }
    }
    return true;
}

bool pd_reap(uint32_t budget)
{
    while (dying) {
        struct pd *pd = dying;
        /* Capabilities deleted here may put further domains on the list: finish the one in hand
         * first. */
        dying = pd->next_dying;
        if (!reap_one(pd, &budget)) {
            pd->next_dying = dying;
            dying = pd;
            return false;
        }
        space_unmap_all(&pd->space);
        /* A domain that holds its own capability would live on without its creator, and keep the
         * creator's quota. */
        list_for_each_safe(child, &pd->children, struct pd, sibling) pd_end(child);
        obj_unref(&pd->obj);
    }
    return true;
}

/* Another domain may come to lie at the same address: it must not find these ports in a TSS. */
static void forget_ports(struct pd *pd)
{
    for (uint32_t i = 0; i < cpu_count; i++) {
        void *owner = pd;
        __atomic_compare_exchange_n(&cpus[i]->iopm_owner, &owner, NULL, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED);
    }
}

/* No thread and no CPU is in it any more. */
void pd_free(struct obj *obj)
{
    struct pd *pd = (struct pd *)obj;
    for (uint32_t p = 0; p < ARRAY_LEN(pd->table); p++)
        if (pd->table[p])
            pd_free_pages(pd, pd->table[p], 0);
    forget_ports(pd);
    if (pd->iopm)
        pd_free_pages(pd, pd->iopm, IOPM_ORDER);
    if (pd->space.ptab.root) {
        ptab_destroy(&pd->space.ptab, 1ull << 47);
        pd_free_pages(pd, pd->space.ptab.root, 0);
    }
    ASSERT(pd->kmem_used == 0);
    list_del(&pd->sibling);
    if (pd->parent)
        pd_credit(pd->parent, pd->kmem_limit);
}

int64_t pd_allow_ports(struct pd *pd, uint32_t base, uint32_t count, bool allow)
{
    if (!pd->iopm) {
        int64_t status;
        uint8_t *map = pd_pages(pd, IOPM_ORDER, &status);
        if (!map)
            return status;
        memset(map, 0xff, PAGE_SIZE << IOPM_ORDER);
        pd->iopm = map;
    }
    for (uint32_t port = base; port < base + count; port++) {
        if (allow)
            pd->iopm[port / 8] &= (uint8_t) ~(1u << (port % 8));
        else
            pd->iopm[port / 8] |= (uint8_t)(1u << (port % 8));
    }
    ports_changed(pd);
    return OK;
}
