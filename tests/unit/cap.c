/* SPDX-License-Identifier: BSD-2-Clause */
/* Capabilities, domains and accounts: scripts, then random system calls of random threads on four
 * CPUs. After each call the derivation tree, the counts and the run queues are checked; at the end
 * every byte must be back. */
#include "tests/unit/fake/world.h"

enum { PD = 32, PD2 = 33, NOTIF = 34, THREAD = 40 };
#define QUOTA (1 * MIB)

static struct pd_info *info(uint64_t slot)
{
    CALL(boss, PD_INFO, slot);
    return (struct pd_info *)boss->utcb->mr;
}

TEST(rights_only_shrink)
{
    world_start();
    CHECK_EQ(CALL(boss, NOTIF_CREATE, NOTIF), OK);
    CHECK_EQ(CALL(boss, NOTIF_CREATE, NOTIF), ERR_EXISTS);
    CHECK_EQ(CALL(boss, CAP_COPY, SLOT_SELF_PD, 50, NOTIF, RIGHT_COPY | RIGHT_READ), OK);
    CHECK_EQ(CALL(boss, CAP_COPY, SLOT_SELF_PD, 51, 50, RIGHT_ALL), OK);
    CHECK_EQ(cap_lookup(root, 51)->rights, RIGHT_COPY | RIGHT_READ);
    CHECK_EQ(CALL(boss, NOTIF_SIGNAL, 51, 1), ERR_RIGHTS);
    CHECK_EQ(CALL(boss, CAP_COPY, SLOT_SELF_PD, 52, 51, RIGHT_READ), OK);
    CHECK_EQ(CALL(boss, CAP_COPY, SLOT_SELF_PD, 53, 52, RIGHT_READ), ERR_RIGHTS);
    CHECK_EQ(CALL(boss, CAP_COPY, SLOT_SELF_PD, 0, NOTIF, RIGHT_ALL), ERR_ARG);
    CHECK_EQ(CALL(boss, CAP_COPY, SLOT_SELF_PD, CAP_SLOTS, NOTIF, RIGHT_ALL), ERR_ARG);
    CHECK_EQ(CALL(boss, CAP_COPY, SLOT_SELF_PD, 53, 1ull << 40, RIGHT_ALL), ERR_CAP);
    CHECK_EQ(CALL(boss, CAP_COPY, NOTIF, 53, NOTIF, RIGHT_ALL), ERR_CAP);
    CHECK(world_end());
}

TEST(deleting_the_middle_keeps_the_line)
{
    world_start();
    CALL(boss, NOTIF_CREATE, NOTIF);
    CALL(boss, CAP_COPY, SLOT_SELF_PD, 50, NOTIF, RIGHT_ALL);
    CALL(boss, CAP_COPY, SLOT_SELF_PD, 51, 50, RIGHT_ALL);
    CALL(boss, CAP_COPY, SLOT_SELF_PD, 52, 51, RIGHT_ALL);
    CALL(boss, CAP_DELETE, SLOT_SELF_PD, 51);
    CHECK(!world_check_pd(root));
    CHECK(cap_lookup(root, 52)->parent == cap_lookup(root, 50));
    CALL(boss, CAP_REVOKE, NOTIF);
    CHECK(cap_lookup(root, NOTIF) && !cap_lookup(root, 50) && !cap_lookup(root, 52));
    CHECK(world_end());
}

TEST(revoke_of_many_is_restarted)
{
    world_start();
    CALL(boss, NOTIF_CREATE, NOTIF);
    for (uint64_t slot = 50; slot < 250; slot++)
        CHECK_EQ(CALL(boss, CAP_COPY, SLOT_SELF_PD, slot,
                      slot % 3     ? NOTIF
                      : slot == 51 ? NOTIF
                                   : slot - 1,
                      RIGHT_ALL),
                 OK);
    CHECK_EQ(CALL(boss, CAP_REVOKE, NOTIF), OK);
    for (uint64_t slot = 50; slot < 250; slot++)
        CHECK(!cap_lookup(root, slot));
    CHECK(cap_lookup(root, NOTIF));
    CHECK(world_end());
}

TEST(a_quota_is_taken_from_the_parent_and_comes_back)
{
    world_start();
    uint64_t before = info(SLOT_SELF_PD)->kmem_used;
    CHECK_EQ(CALL(boss, PD_CREATE, PD, QUOTA), OK);
    CHECK(info(SLOT_SELF_PD)->kmem_used >= before + QUOTA);
    CHECK_EQ(CALL(boss, PD_QUOTA, PD, 2 * QUOTA), OK);
    CHECK_EQ(info(PD)->kmem_limit, 2 * QUOTA);
    CHECK_EQ(CALL(boss, PD_QUOTA, PD, 1), ERR_QUOTA);
    CHECK_EQ(CALL(boss, PD_QUOTA, PD, QUOTA / 2), OK);
    CHECK_EQ(CALL(boss, PD_QUOTA, PD, UINT64_MAX - 100), ERR_QUOTA);
    CHECK(world_end());
}

TEST(an_absurd_quota_is_refused)
{
    world_start();
    CHECK_EQ(CALL(boss, PD_CREATE, PD, UINT64_MAX - PAGE_SIZE + 1), ERR_QUOTA);
    CHECK_EQ(CALL(boss, PD_CREATE, PD, UINT64_MAX), ERR_QUOTA);
    CHECK_EQ(CALL(boss, PD_CREATE, PD, 1ull << 40), ERR_QUOTA);
    CHECK_EQ(CALL(boss, PD_CREATE, PD, 0), ERR_QUOTA); /* cannot even pay its page table */
    CHECK(world_end());
}

TEST(every_failed_allocation_is_undone)
{
    world_start();
    for (uint64_t left = 0; left < 24; left++) {
        fake_left = left;
        int64_t status = CALL(boss, PD_CREATE, PD, QUOTA);
        if (status == OK)
            status = CALL(boss, THREAD_CREATE, THREAD, PD, 0x30000000);
        if (status == OK)
            status = CALL(boss, SC_CREATE, THREAD + 1, SLOT_MACHINE, 1, 10);
        if (status == OK)
            status = CALL(boss, CAP_COPY, PD, 2000, SLOT_SELF_PD, RIGHT_ALL);
        if (status == OK)
            status = CALL(boss, MEM_MAP, PD, SLOT_ROOT_MEM, 0x40001000, 0x1000, 8 * MIB, MAP_READ);
        if (status == OK)
            status = CALL(boss, MEM_UNMAP, PD, 0x40300000, 0x5000);
        fake_left = UINT64_MAX;
        CHECK(status == OK || status == ERR_NOMEM);
        CHECK(left > 2 || status == ERR_NOMEM);
        CHECK(world_end());
    }
}

TEST(every_refused_charge_is_undone)
{
    world_start();
    for (uint64_t quota = 0; quota < 20 * PAGE_SIZE; quota += 512) {
        int64_t status = CALL(boss, PD_CREATE, PD, quota);
        if (status == OK)
            status = CALL(boss, THREAD_CREATE, THREAD, PD, 0x30000000);
        if (status == OK)
            status = CALL(boss, CAP_COPY, PD, 2000, SLOT_ROOT_MEM, RIGHT_ALL);
        uint64_t tables = status == OK ? info(PD)->kmem_used : 0;
        if (status == OK)
            status = CALL(boss, MEM_MAP, PD, SLOT_ROOT_MEM, 0x40001000, 0x1000, 8 * MIB, MAP_READ);
        CHECK(status == OK || status == ERR_QUOTA);
        if (status != OK && tables)
            CHECK_EQ(info(PD)->kmem_used, tables); /* no table page stays behind */
        CHECK(world_end());
    }
}

/* Each domain holds the only capability of the next, and all their slots are used. */
TEST(nested_domains_fall_like_dominoes)
{
    world_start();
    uint64_t quota = 40 * QUOTA;
    CHECK_EQ(CALL(boss, PD_CREATE, PD, quota), OK);
    struct pd *pd = world_object(PD);
    CHECK_EQ(CALL(boss, NOTIF_CREATE, NOTIF), OK);
    struct thread *t = world_thread(THREAD, PD, 1, 10);
    for (uint32_t depth = 0; depth < 6; depth++) {
        for (uint64_t slot = 100; slot < 190; slot++)
            CHECK_EQ(CALL(boss, CAP_COPY, PD, slot, NOTIF, RIGHT_ALL), OK);
        quota -= 4 * QUOTA;
        /* The thread of this domain makes the next one; the boss gets hold of it to fill it. */
        CHECK_EQ(CALL(t, PD_CREATE, PD2, quota), OK);
        spin_lock(&object_lock);
        struct cap *inner = cap_lookup(pd, PD2);
        CHECK_EQ(cap_copy(inner, root, 300 + depth, RIGHT_ALL, 0), OK);
        spin_unlock(&object_lock);
        CHECK_EQ(CALL(boss, THREAD_CREATE, 310 + depth, 300 + depth, 0x30000000), OK);
        pd = world_object(300 + depth);
        CALL(boss, CAP_DELETE, SLOT_SELF_PD, THREAD);
        CALL(boss, CAP_DELETE, SLOT_SELF_PD, THREAD + 1);
        if (depth == 0) {
            /* What is in slot PD now is the outermost; from here on work on the inner ones. */
            CALL(boss, CAP_COPY, SLOT_SELF_PD, 299, PD, RIGHT_ALL);
        }
        CALL(boss, CAP_DELETE, SLOT_SELF_PD, PD);
        CHECK_EQ(CALL(boss, CAP_COPY, SLOT_SELF_PD, PD, 300 + depth, RIGHT_ALL), OK);
        t = world_thread(THREAD, PD, 1, 10);
        CHECK(t);
    }
    CHECK(world_end());
}

/* Its creator is gone, it holds the only capability of itself. */
TEST(a_domain_does_not_outlive_its_quota)
{
    world_start();
    CHECK_EQ(CALL(boss, PD_CREATE, PD, 4 * QUOTA), OK);
    struct thread *t = world_thread(THREAD, PD, 1, 10);
    CHECK_EQ(CALL(t, PD_CREATE, 40, QUOTA), OK);
    struct pd *pd = world_object(PD);
    spin_lock(&object_lock);
    struct cap *inner = cap_lookup(pd, 40);
    CHECK_EQ(cap_copy(inner, (struct pd *)inner->obj, 1, RIGHT_ALL, 0), OK);
    spin_unlock(&object_lock);
    CALL(boss, CAP_DELETE, SLOT_SELF_PD, PD);
    CHECK(world_end());
}

TEST(a_resumed_thread_of_a_dead_domain_stays_dead)
{
    world_start();
    CALL(boss, PD_CREATE, PD, QUOTA);
    struct thread *t = world_thread(THREAD, PD, 1, 10);
    CHECK_EQ(fake_where(t), 1);
    fake_call_raw(boss, SYS_THREAD_SUSPEND, ARGS(THREAD));
    fake_ipis[1] = 0; /* late */
    CHECK_EQ(fake_call_raw(boss, SYS_CAP_DELETE, ARGS(SLOT_SELF_PD, PD)), OK);
    fake_settle();
    CHECK_EQ(t->state, THREAD_DEAD);
    CHECK_EQ(CALL(boss, THREAD_RESUME, THREAD), ERR_STATE);
    CHECK_EQ(CALL(boss, THREAD_START, THREAD, 0x1000, 0x1000), ERR_STATE);
    CHECK_EQ(t->state, THREAD_DEAD);
    CHECK(world_end());
}

/* Else a later domain at the same address would run with the old one's ports. */
TEST(no_cpu_remembers_the_ports_of_a_freed_domain)
{
    world_start();
    spin_lock(&object_lock);
    int64_t status;
    struct ports *ports = obj_create(root, OBJ_PORTS, sizeof(*ports), &status);
    ports->count = 0x10000;
    cap_insert(root, 60, &ports->obj, RIGHT_ALL, 0, NULL);
    spin_unlock(&object_lock);
    CHECK_EQ(CALL(boss, PD_CREATE, PD, QUOTA), OK);
    CHECK_EQ(CALL(boss, PORTS_DERIVE, 61, 60, 0x3f8, 8), OK);
    CHECK_EQ(CALL(boss, PORTS_DERIVE, 62, 61, 0x3f8, 9), ERR_ARG);
    /* A sum that wraps is no end inside the range. */
    CHECK_EQ(CALL(boss, PORTS_DERIVE, 62, 61, 0ull - 0x8000, 0x8400), ERR_ARG);
    CHECK_EQ(CALL(boss, PORTS_DERIVE, 62, 61, 0x3f8, 0ull - 0x10), ERR_ARG);
    CHECK_EQ(CALL(boss, PORTS_DERIVE, 62, 61, 0x400, 1), ERR_ARG);
    CHECK_EQ(CALL(boss, PD_PORTS, PD, 61, 1), OK);
    struct thread *t = world_thread(THREAD, PD, 1, 10);
    CHECK_EQ(fake_where(t), 1);
    CHECK_EQ(fake_tss[1].tss.iomap_base, sizeof(struct tss));
    CHECK_EQ(fake_tss[1].iopm[0x3f8 / 8], 0);
    CHECK_EQ(fake_tss[1].iopm[0x3f0 / 8], 0xff);
    CALL(boss, CAP_DELETE, SLOT_SELF_PD, PD);
    CHECK(world_end());
    CHECK(!cpus[1]->iopm_owner);
}

TEST(nobody_maps_what_the_kernel_was_given)
{
    enum { MACHINE = 60, GIVEN, BESIDE, AGAIN };
    world_start();
    spin_lock(&object_lock);
    int64_t status;
    struct obj *machine = obj_create(root, OBJ_MACHINE, sizeof(*machine), &status);
    cap_insert(root, MACHINE, machine, RIGHT_ALL, 0, NULL);
    spin_unlock(&object_lock);
    fake_kmem_add = true;
    CALL(boss, MEM_DERIVE, GIVEN, SLOT_ROOT_MEM, 0, 4 * MIB, RIGHT_ALL);
    CALL(boss, MEM_DERIVE, BESIDE, SLOT_ROOT_MEM, 2 * MIB, 4 * MIB, RIGHT_ALL);
    CALL(boss, MEM_DERIVE, AGAIN, SLOT_ROOT_MEM, 0, 2 * MIB, RIGHT_ALL);
    CHECK_EQ(CALL(boss, MEM_MAP, SLOT_SELF_PD, BESIDE, WORLD_MAP, 0, PAGE_SIZE, MAP_READ), OK);
    CHECK_EQ(CALL(boss, MACHINE_DONATE, MACHINE, GIVEN), ERR_STATE);
    CALL(boss, MEM_UNMAP, SLOT_SELF_PD, WORLD_MAP, PAGE_SIZE);
    CHECK_EQ(CALL(boss, MEM_MAP, SLOT_SELF_PD, BESIDE, WORLD_MAP, 2 * MIB, PAGE_SIZE, MAP_READ),
             OK);
    CHECK_EQ(CALL(boss, MACHINE_DONATE, MACHINE, GIVEN), OK);
    uint64_t there = WORLD_MAP + 4 * MIB;
    CHECK_EQ(CALL(boss, MEM_MAP, SLOT_SELF_PD, BESIDE, there, 2 * MIB - PAGE_SIZE, 2 * PAGE_SIZE,
                  MAP_READ),
             ERR_STATE);
    CHECK_EQ(CALL(boss, MEM_MAP, SLOT_SELF_PD, BESIDE, there, 2 * MIB, PAGE_SIZE, MAP_READ), OK);
    CHECK_EQ(CALL(boss, MEM_MAP, SLOT_SELF_PD, SLOT_ROOT_MEM, there + MIB, 0, PAGE_SIZE, MAP_READ),
             ERR_STATE);
    CHECK_EQ(CALL(boss, MACHINE_DONATE, MACHINE, AGAIN), ERR_STATE);
    fake_kmem_add = false;
    obj_unref(&donated->obj);
    donated = NULL;
    root->kmem_limit -= 4 * MIB;
    CHECK(world_end());
}

static uint64_t a_slot(void)
{
    return 32 + fake_random(40);
}

/* Mostly one that holds such an object. */
static uint64_t a_slot_of(const struct thread *t, enum obj_type type)
{
    uint64_t slot = a_slot();
    for (uint32_t i = 0; i < 40 && fake_random(16); i++) {
        const struct cap *cap = cap_lookup(t->pd, slot);
        if (cap && cap->obj->type == type)
            return slot;
        slot = 32 + (slot - 31) % 40;
    }
    return slot;
}

/* A domain that holds itself, or two that hold each other, stay until someone revokes: not what is
 * to be found here. */
static bool is_pd(const struct thread *t, uint64_t slot)
{
    const struct cap *cap = cap_lookup(t->pd, slot);
    return cap && cap->obj->type == OBJ_PD;
}

static uint64_t a_pd(void)
{
    return fake_random(3) ? SLOT_SELF_PD : a_slot();
}

struct random_args {
    uint64_t x, y, n;           /* any slots, any number */
    uint64_t thread, notif, sc; /* slots of such objects, mostly */
};

static void random_object_call(struct thread *t, const struct random_args *a)
{
    uint64_t cpu = 1 + a->n % 3, priority = a->n % 40, budget = a->n & 1 ? 200 : 0;
    switch (fake_random(13)) {
    case 0:
        fake_call_raw(t, SYS_THREAD_CREATE,
                      ARGS(a->x, a_pd(), 0x40000000 + (a->n & 15) * PAGE_SIZE));
        break;
    case 1:
        fake_call_raw(t, SYS_SC_CREATE, ARGS(a->x, SLOT_MACHINE, cpu, priority, budget, 1000));
        break;
    case 2:
        fake_call_raw(t, SYS_SC_BIND, ARGS(a->sc, a->thread));
        break;
    case 3:
        fake_call_raw(t, SYS_THREAD_START, ARGS(a->thread, 0x1000, 0x1000));
        break;
    case 4:
        fake_call_raw(t, SYS_THREAD_SUSPEND, ARGS(a->thread));
        break;
    case 5:
        fake_call_raw(t, SYS_THREAD_RESUME, ARGS(a->thread));
        break;
    case 6:
        fake_call_raw(t, SYS_SC_CONFIG, ARGS(a->sc, cpu, priority, budget, 1000));
        break;
    case 7:
        fake_call_raw(t, SYS_THREAD_BIND, ARGS(a->thread, a->notif));
        break;
    case 8:
        fake_call_raw(t, SYS_THREAD_ON_FAULT, ARGS(a->thread, a->notif, a->n));
        break;
    case 9:
        fake_call_raw(t, SYS_NOTIF_SIGNAL, ARGS(a->notif, a->n));
        break;
    case 10:
        fake_call_raw(t, SYS_NOTIF_TIMER, ARGS(a->notif, fake_tsc + a->n, a->n));
        break;
    case 11:
        fake_call_raw(t, SYS_NOTIF_POLL, ARGS(a->notif));
        break;
    default:
        fake_call_raw(t, SYS_THREAD_YIELD, ARGS(0));
    }
}

static void random_cap_call(struct thread *t, const struct random_args *a)
{
    uint64_t source = fake_random(6) ? a->y : SLOT_ROOT_MEM;
    switch (fake_random(15)) {
    case 0:
        fake_call_raw(t, SYS_PD_CREATE, ARGS(a->x, fake_random(4) * QUOTA / 2));
        break;
    case 1:
        fake_call_raw(t, SYS_PD_QUOTA, ARGS(a->x, fake_random(4) * QUOTA / 2));
        break;
    case 2:
        fake_call_raw(t, SYS_CAP_REVOKE, ARGS(a->x));
        break;
    case 3:
        fake_call_raw(t, SYS_NOTIF_CREATE, ARGS(a->x));
        break;
    case 4:
        fake_call_raw(t, SYS_PORTAL_CREATE, ARGS(a->x));
        break;
    case 5:
        fake_call_raw(
            t, SYS_MEM_DERIVE,
            ARGS(a->x, source, (a->n & 7) * PAGE_SIZE, (a->n >> 4 & 7) * PAGE_SIZE, RIGHT_ALL));
        break;
    case 6:
    case 7:
        fake_call_raw(t, SYS_MEM_MAP,
                      ARGS(a_pd(), source, WORLD_MAP + (a->n & 63) * 0x80000,
                           (a->n & 3) * PAGE_SIZE, (1 + (a->n >> 6 & 3)) * 0x80000,
                           a->n >> 12 & 7));
        break;
    case 8:
        fake_call_raw(t, SYS_MEM_UNMAP, ARGS(a_pd(), WORLD_MAP + (a->n & 255) * 0x20000, 0x30000));
        break;
    case 9:
    case 10:
    case 11:
        fake_call_raw(t, SYS_CAP_DELETE, ARGS(a_pd(), a->x));
        break;
    default:
        fake_call_raw(
            t, SYS_CAP_COPY,
            ARGS(is_pd(t, source) ? SLOT_SELF_PD : a_pd(), a->x, source, a->n & RIGHT_ALL, 0));
    }
}

/* What never blocks: the boss does only this. */
static void random_call(struct thread *t)
{
    struct random_args a = {a_slot(),
                            a_slot(),
                            fake_random(1 << 20),
                            a_slot_of(t, OBJ_THREAD),
                            a_slot_of(t, OBJ_NOTIF),
                            a_slot_of(t, OBJ_SC)};
    if (fake_random(2))
        random_object_call(t, &a);
    else
        random_cap_call(t, &a);
}

static void random_wait(struct thread *t)
{
    uint64_t x = a_slot_of(t, OBJ_PORTAL), caps = fake_random(4) ? 0 : fake_random(3);
    uint64_t notif = a_slot_of(t, OBJ_NOTIF);
    for (uint32_t i = 0; i < caps; i++) {
        uint64_t slot = a_slot();
        t->utcb->send[i] =
            (struct utcb_cap){is_pd(t, slot) ? 0 : (uint32_t)slot, (uint32_t)fake_random(32)};
    }
    t->utcb->recv_slot = (uint32_t)a_slot();
    switch (fake_random(5)) {
    case 0:
        fake_call_raw(t, SYS_PORTAL_CALL, ARGS(x, fake_random(8), caps));
        break;
    case 1:
        fake_call_raw(t, SYS_PORTAL_WAIT, ARGS(x));
        break;
    case 2:
        fake_call_raw(t, SYS_PORTAL_REPLY_WAIT, ARGS(x, fake_random(8), caps));
        break;
    case 3:
        fake_call_raw(t, SYS_NOTIF_WAIT, ARGS(notif, fake_tsc + fake_random(100000)));
        break;
    default:
        fake_call_raw(t, SYS_NOTIF_WAIT, ARGS(notif, 0));
    }
}

/* A thread with everything it needs, so that the others get company. */
static void random_thread(void)
{
    uint64_t slot = a_slot();
    if (!world_object(slot) && !world_object(slot + 1))
        world_thread(slot, a_pd(), 1 + (uint32_t)fake_random(3), (uint32_t)fake_random(40));
    /* Now and then one that waits for calls without a context of its own. */
    for (uint32_t i = 1; i < FAKE_CPUS; i++) {
        struct thread *t = cpus[i]->current;
        if (t && t->pd == root && t->own_sc && fake_random(4) == 0) {
            CALL(t, PORTAL_WAIT, a_slot_of(t, OBJ_PORTAL));
            for (uint64_t s = 32; t->state == THREAD_BLOCKED && s < 80; s++)
                if (world_object(s) == (void *)container_of(t->own_sc, struct sc_object, sc))
                    CALL(boss, CAP_DELETE, SLOT_SELF_PD, s);
            return;
        }
    }
}

static const char *random_step(void)
{
    uint32_t cpu = (uint32_t)fake_random(FAKE_CPUS);
    struct thread *t = cpus[cpu]->current;
    uint64_t what = fake_random(20);
    if (what == 0)
        random_thread();
    else if (what < 4)
        fake_deliver(cpu);
    else if (what == 4)
        fake_tsc += fake_random(300000);
    else if (what == 5 && t && t != boss)
        fake_interrupt(cpu, 7 + fake_random(2) * 7);
    else if (what < 12 && t && t != boss)
        random_wait(t);
    else if (t)
        random_call(t);
    fake_spins = 0;
    if (cpus[0]->current != boss) {
        fake_settle();
        if (cpus[0]->current != boss)
            return "the boss does not run";
    }
    const char *wrong = world_check_sched();
    return wrong ? wrong : world_check_pd(root);
}

TEST(random_calls_keep_the_books)
{
    world_start();
    for (uint64_t seed = 1; seed <= 60; seed++) {
        fake_seed = seed * 0x9e3779b97f4a7c15ull;
        for (uint32_t step = 0; step < 1500; step++) {
            const char *wrong = random_step();
            if (wrong)
                printf("seed %llu, step %u: %s\n", (unsigned long long)seed, step, wrong);
            CHECK(!wrong);
        }
        fake_settle();
        CHECK(world_end());
    }
}
