/* SPDX-License-Identifier: BSD-2-Clause */
/* A root task with its first thread, as root_start() makes them, and what is true of the kernel's
 * structures at any time that no CPU is inside it. */
#ifndef TESTS_UNIT_FAKE_WORLD_H
#define TESTS_UNIT_FAKE_WORLD_H

#include "tests/unit/fake/kernel.h"

#define WORLD_SLOTS 512u /* slots of the root task that tests use */

#define WORLD_MAP      0x50000000ull /* where tests map memory into the root task */
#define WORLD_MAP_SIZE 0x10000000ull

static struct pd *root;
static struct thread *boss; /* of the root task; highest priority of CPU 0 */
static uint64_t world_kmem, world_bytes, world_live;

static inline uint64_t world_objects(void)
{
    uint64_t live = 0;
    for (uint32_t i = 0; i < OBJ_TYPES; i++)
        live += obj_live[i];
    return live;
}

static inline void world_create(void)
{
    int64_t status;
    fake_kernel_init();
    root = pd_create_root(64 * MIB);
    spin_lock(&object_lock);
    boss = thread_new(root, root, 0x10000000, &status);
    struct sc_object *sc = sc_new(root, 0, 50, 0, 0, &status);
    cap_insert(root, SLOT_SELF_PD, &root->obj, RIGHT_ALL, 0, NULL);
    cap_insert(root, SLOT_SELF_THREAD, &boss->obj, RIGHT_ALL, 0, NULL);
    cap_insert(root, SLOT_SELF_SC, &sc->obj, RIGHT_ALL, 0, NULL);
    struct obj *machine = obj_create(root, OBJ_MACHINE, sizeof(*machine), &status);
    cap_insert(root, SLOT_MACHINE, machine, RIGHT_ALL, 0, NULL);
    struct mem *mem = obj_create(root, OBJ_MEM, sizeof(*mem), &status);
    mem->base = hpa(0x100000000);
    mem->size = 1024 * MIB;
    cap_insert(root, SLOT_ROOT_MEM, &mem->obj, RIGHT_ALL, 0, NULL);
    for (uint32_t slot = 32; slot < WORLD_SLOTS; slot += CAP_PAGE_SLOTS)
        cap_reserve(root, slot);
    thread_set_entry(boss, 0x1000, 0, 0);
    boss->state = THREAD_READY;
    sc_bind(sc, boss);
    spin_unlock(&object_lock);
    fake_settle();
    world_kmem = root->kmem_used;
    world_bytes = fake_in_use;
    world_live = world_objects();
}

static inline bool world_end(void);

/* The world is made once a program; each test starts with what world_end() left. */
static inline void world_start(void)
{
    if (!root)
        world_create();
    else if (world_objects() != world_live)
        world_end(); /* a test before failed */
    fake_spins = 0;
}

/* Everything gone that the test made: true if every account is where it was. */
static inline bool world_end(void)
{
    for (uint32_t slot = SLOT_ROOT_MEM + 1; slot < WORLD_SLOTS; slot++)
        if (cap_lookup(root, slot)) {
            CALL(boss, CAP_REVOKE, slot);
            CALL(boss, CAP_DELETE, SLOT_SELF_PD, slot);
        }
    CALL(boss, CAP_REVOKE, SLOT_ROOT_MEM);
    CALL(boss, MEM_UNMAP, SLOT_SELF_PD, WORLD_MAP, WORLD_MAP_SIZE);
    for (uint32_t i = 0; i < 4; i++) /* objects that were on a CPU are buried by a later call */
        CALL(boss, CAP_DELETE, SLOT_SELF_PD, WORLD_SLOTS - 1);
    if (root->kmem_used == world_kmem && fake_in_use == world_bytes &&
        world_objects() == world_live)
        return true;
    printf("kmem %#llx, was %#llx; bytes %#llx, were %#llx; objects %llu, were %llu\n",
           (unsigned long long)root->kmem_used, (unsigned long long)world_kmem,
           (unsigned long long)fake_in_use, (unsigned long long)world_bytes,
           (unsigned long long)world_objects(), (unsigned long long)world_live);
    for (uint32_t i = 0; i < OBJ_TYPES; i++)
        printf("  type %u: %llu\n", i, (unsigned long long)obj_live[i]);
    return false;
}

static inline void *world_object(uint64_t slot)
{
    struct cap *cap = cap_lookup(root, slot);
    return cap ? cap->obj : NULL;
}

/* A thread in `slot` with its context in slot + 1, running in the domain of `pd_slot`. */
static inline struct thread *world_thread(uint64_t slot, uint64_t pd_slot, uint32_t cpu,
                                          uint32_t priority)
{
    if (CALL(boss, THREAD_CREATE, slot, pd_slot, 0x20000000 + slot * PAGE_SIZE) != OK)
        return NULL;
    CALL(boss, SC_CREATE, slot + 1, SLOT_MACHINE, cpu, priority);
    CALL(boss, SC_BIND, slot + 1, slot);
    CALL(boss, THREAD_START, slot, 0x1000, 0x2000, 0);
    return world_object(slot);
}

/* Takes the context away: the thread now runs only on those of its callers. */
static inline void world_make_passive(uint64_t slot)
{
    CALL(boss, CAP_DELETE, SLOT_SELF_PD, slot + 1);
}

static inline bool world_queue_ok(struct list *queue, uint32_t cpu, uint32_t priority)
{
    list_for_each_safe(sc, queue, struct sc, ready)
    {
        if (sc->cpu != cpu || sc->is.priority != priority || !sc->queued || sc->exhausted)
            return false;
    }
    return true;
}

/* One line a broken rule; NULL: all hold. */
static inline const char *world_check_sched(void)
{
    for (uint32_t i = 0; i < FAKE_CPUS; i++) {
        const struct runq *rq = cpus[i]->runq;
        const struct sc *current = rq->current;
        if (!current && rq->bitmap && !cpus[i]->resched && !fake_ipis[i])
            return "a CPU idles beside a ready context";
        for (uint32_t j = 0; current && j < i; j++)
            if (cpus[j]->runq->current == current)
                return "two CPUs run one context";
        if (current && (current->queued || current->exhausted))
            return "a running context is queued or exhausted";
        for (uint32_t p = 0; p < SC_PRIORITIES; p++) {
            if (list_empty(&rq->ready[p]) == ((rq->bitmap >> p & 1) != 0))
                return "the bitmap contradicts the queues";
            if (!world_queue_ok(&cpus[i]->runq->ready[p], i, p))
                return "a context is in the wrong queue";
        }
        const struct thread *thread = cpus[i]->current;
        for (uint32_t j = 0; thread && j < i; j++)
            if (cpus[j]->current == thread)
                return "two CPUs run one thread";
        if (thread && (!thread->on_cpu || thread->cpu != i))
            return "a running thread does not know its CPU";
    }
    return NULL;
}

static inline const char *world_check_pd(struct pd *pd)
{
    uint64_t count = 0;
    for (uint32_t s = 0; s < CAP_SLOTS; s++) {
        struct cap *cap = cap_lookup(pd, s);
        if (!cap)
            continue;
        count++;
        if (cap->pd != pd || cap->slot != s)
            return "a capability does not know its place";
        if (cap->obj->dead || !cap->obj->caps || !cap->obj->refs)
            return "a capability to a dead object";
        if (cap->parent && (!cap->parent->obj || (cap->rights & ~cap->parent->rights)))
            return "a child has more than its parent";
        list_for_each_safe(child, &cap->children, struct cap, sibling)
        {
            if (child->parent != cap || !child->obj)
                return "a child does not know its parent";
        }
    }
    if (count != pd->cap_count)
        return "the number of capabilities is wrong";
    if (pd->kmem_used > pd->kmem_limit)
        return "a domain uses more than its quota";
    return NULL;
}

#endif
