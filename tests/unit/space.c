/* SPDX-License-Identifier: BSD-2-Clause */
/* The search tree of mappings against a sorted array, and address spaces against an array of pages:
 * what is mapped where, through which capability, and who paid for it. */
#include "tests/unit/fake/kernel.h"

#define SLOTS 256u
#define BASE  0x40000000ull

static struct mapping nodes[SLOTS];
static bool in_tree[SLOTS];
static struct space tree;

static uint64_t place(uint32_t i)
{
    return BASE + i * 16 * PAGE_SIZE;
}

/* Depth, or UINT32_MAX if order or heap are broken. */
static uint32_t depth(const struct mapping *m, uint64_t low, uint64_t high)
{
    if (!m)
        return 0;
    if (m->address < low || m->address >= high || (m->left && m->left->heap_key > m->heap_key) ||
        (m->right && m->right->heap_key > m->heap_key))
        return UINT32_MAX;
    uint32_t l = depth(m->left, low, m->address), r = depth(m->right, m->address + 1, high);
    return l == UINT32_MAX || r == UINT32_MAX ? UINT32_MAX : MAX(l, r) + 1;
}

TEST(the_tree_finds_what_a_sorted_array_finds)
{
    fake_seed = 5;
    uint32_t count = 0;
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t i = (uint32_t)fake_random(SLOTS);
        if (in_tree[i]) {
            mapping_remove(&tree, &nodes[i]);
            count--;
        } else {
            nodes[i] =
                (struct mapping){.address = place(i), .size = (1 + fake_random(16)) * PAGE_SIZE};
            mapping_insert(&tree, &nodes[i]);
            count++;
        }
        in_tree[i] = !in_tree[i];
        CHECK_EQ(tree.mappings, count);
        uint64_t from = BASE + fake_random(SLOTS * 16) * PAGE_SIZE;
        uint64_t size = (1 + fake_random(64)) * PAGE_SIZE;
        struct mapping *first = NULL;
        for (uint32_t j = 0; j < SLOTS && !first; j++)
            if (in_tree[j] && nodes[j].address < from + size &&
                nodes[j].address + nodes[j].size > from)
                first = &nodes[j];
        CHECK(mapping_find(&tree, from, size) == first);
        if (step % 100 == 0)
            CHECK(depth(tree.root, 0, UINT64_MAX) < 40);
    }
}

/* Two memory objects through two capabilities each, one domain. */
#define MEMS   2u
#define PAGES  2048u
#define WINDOW 0x3fe00000ull /* crosses a gigabyte */
static struct pd *pd;
static struct mem mems[MEMS];
static struct cap caps[2 * MEMS];
static struct {
    uint32_t cap; /* 1 + index, 0: nothing */
    uint64_t pa;
    bool writable;
} model[PAGES];
static uint64_t idle_cost;

static void start(void)
{
    fake_kernel_init();
    fake_left = UINT64_MAX;
    memset(model, 0, sizeof(model));
    if (!pd) {
        pd = pd_create_root(64 * MIB);
        idle_cost = pd->kmem_used;
    }
    pd->kmem_limit = 64 * MIB;
    for (uint32_t i = 0; i < MEMS; i++)
        mems[i] = (struct mem){.base = hpa((1 + i) * 4 * GIB + (i ? PAGE_SIZE : 0)),
                               .size = 2 * PAGES * PAGE_SIZE};
    for (uint32_t i = 0; i < 2 * MEMS; i++) {
        caps[i] = (struct cap){.obj = &mems[i / 2].obj};
        list_init(&caps[i].mappings);
    }
    spin_lock(&object_lock);
}

static bool end(void)
{
    fake_left = UINT64_MAX;
    pd->kmem_limit = 64 * MIB;
    space_unmap_all(&pd->space);
    bool balanced = pd->kmem_used == idle_cost && !pd->space.mappings;
    spin_unlock(&object_lock);
    return balanced;
}

static bool agrees(void)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        hpa_t pa;
        uint32_t flags;
        bool mapped = space_translate(&pd->space, WINDOW + i * PAGE_SIZE, &pa, &flags);
        if (mapped != (model[i].cap != 0))
            return false;
        if (mapped && (pa.v != model[i].pa || ((flags & MAP_WRITE) != 0) != model[i].writable))
            return false;
        struct mapping *m = mapping_find(&pd->space, WINDOW + i * PAGE_SIZE, PAGE_SIZE);
        if (mapped != (m != NULL) || (m && m->cap != &caps[model[i].cap - 1]))
            return false;
        uint64_t inside = WINDOW + i * PAGE_SIZE - (m ? m->address : 0);
        if (m && ((const struct mem *)m->cap->obj)->base.v + m->offset + inside != model[i].pa)
            return false;
    }
    return depth(pd->space.root, 0, UINT64_MAX) != UINT32_MAX;
}

static void random_map(uint64_t first, uint64_t count)
{
    uint32_t c = (uint32_t)fake_random(2 * MEMS);
    uint64_t offset = (fake_random(2) ? first : fake_random(PAGES)) * PAGE_SIZE;
    bool writable = fake_random(2);
    bool taken = false;
    for (uint64_t i = 0; i < count; i++)
        taken = taken || model[first + i].cap;
    int64_t status = space_map(&pd->space, &caps[c], WINDOW + first * PAGE_SIZE, offset,
                               count * PAGE_SIZE, MAP_READ | (writable ? MAP_WRITE : 0));
    if ((status == ERR_EXISTS) != taken)
        model[first].pa ^= 1; /* makes agrees() fail */
    for (uint64_t i = 0; status == OK && i < count; i++) {
        model[first + i].cap = 1 + c;
        model[first + i].pa = ((const struct mem *)caps[c].obj)->base.v + offset + i * PAGE_SIZE;
        model[first + i].writable = writable;
    }
}

static void random_unmap(uint64_t first, uint64_t count)
{
    if (space_unmap(&pd->space, WINDOW + first * PAGE_SIZE, count * PAGE_SIZE) == OK)
        memset(&model[first], 0, count * sizeof(model[0]));
}

TEST(random_maps_like_an_array)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        fake_seed = seed;
        start();
        for (uint32_t step = 0; step < 300; step++) {
            uint64_t unit = fake_random(2) ? 1 : 512, first = fake_random(PAGES / unit) * unit;
            uint64_t want = (1 + fake_random(4)) * unit, count = MIN(want, PAGES - first);
            fake_left = fake_random(4) ? UINT64_MAX : fake_random(3);
            pd->kmem_limit = fake_random(4) ? 64 * MIB : pd->kmem_used + fake_random(9000);
            uint64_t what = fake_random(20);
            if (what == 0) {
                uint32_t c = (uint32_t)fake_random(2 * MEMS);
                space_unmap_cap(&caps[c]);
                for (uint32_t i = 0; i < PAGES; i++)
                    if (model[i].cap == c + 1)
                        memset(&model[i], 0, sizeof(model[i]));
            } else if (what < 10) {
                random_map(first, count);
            } else {
                random_unmap(first, count);
            }
            CHECK(agrees());
        }
        CHECK(end());
    }
}

TEST(ranges_are_checked)
{
    start();
    struct space *space = &pd->space;
    uint64_t size = mems[0].size;
    CHECK_EQ(space_map(space, caps, 0x1001, 0, 0x1000, MAP_READ), ERR_ARG);
    CHECK_EQ(space_map(space, caps, 0x1000, 0x10, 0x1000, MAP_READ), ERR_ARG);
    CHECK_EQ(space_map(space, caps, 0x1000, 0, 0, MAP_READ), ERR_ARG);
    CHECK_EQ(space_map(space, caps, 0x1000, 0, size + PAGE_SIZE, MAP_READ), ERR_ARG);
    CHECK_EQ(space_map(space, caps, 0x1000, size, PAGE_SIZE, MAP_READ), ERR_ARG);
    CHECK_EQ(space_map(space, caps, 0x1000, -PAGE_SIZE, 2 * PAGE_SIZE, MAP_READ), ERR_ARG);
    CHECK_EQ(space_map(space, caps, -PAGE_SIZE, 0, 2 * PAGE_SIZE, MAP_READ), ERR_ARG);
    CHECK_EQ(space_map(space, caps, USER_TOP - PAGE_SIZE, 0, 2 * PAGE_SIZE, MAP_READ), ERR_ARG);
    CHECK_EQ(space_map(space, caps, USER_TOP - PAGE_SIZE, 0, PAGE_SIZE, MAP_READ), OK);
    CHECK_EQ(space_unmap(space, USER_TOP - PAGE_SIZE, 2 * PAGE_SIZE), ERR_ARG);
    CHECK_EQ(space_unmap(space, KINFO_VA, PAGE_SIZE), ERR_ARG);
    CHECK_EQ(space_unmap(space, 0x1000, 0), ERR_ARG);
    CHECK_EQ(space_unmap(space, 0x7000, 0x1000), OK); /* nothing there */
    CHECK(end());
}

TEST(kernel_pages_stay)
{
    start();
    void *page = kmem_pages(0);
    CHECK_EQ(space_map_kernel(&pd->space, 0x5000, kva_to_hpa(page), PAGE_SIZE), OK);
    CHECK_EQ(space_map_kernel(&pd->space, 0x5000, kva_to_hpa(page), PAGE_SIZE), ERR_EXISTS);
    CHECK_EQ(space_map(&pd->space, caps, 0x4000, 0, 0x1000, MAP_READ), OK);
    CHECK_EQ(space_unmap(&pd->space, 0x4000, 0x2000), ERR_ARG);
    CHECK_EQ(space_unmap(&pd->space, 0x4000, 0x1000), OK);
    space_unmap_kernel(&pd->space, 0x4000); /* not one */
    space_unmap_kernel(&pd->space, 0x5000);
    hpa_t pa;
    uint32_t flags;
    CHECK(!space_translate(&pd->space, 0x5000, &pa, &flags));
    kmem_free_pages(page, 0);
    CHECK(end());
}

/* A domain without a byte left can still give memory back, but not cut holes. */
TEST(unmapping_needs_no_quota)
{
    start();
    CHECK_EQ(space_map(&pd->space, caps, 0x10000, 0, 0x10000, MAP_READ), OK);
    pd->kmem_limit = pd->kmem_used;
    CHECK_EQ(space_unmap(&pd->space, 0x14000, 0x1000), ERR_QUOTA);
    CHECK_EQ(space_unmap(&pd->space, 0x1e000, 0x2000), OK);
    CHECK_EQ(space_unmap(&pd->space, 0x10000, 0x1000), OK);
    CHECK_EQ(pd->space.mappings, 1);
    CHECK_EQ(space_unmap(&pd->space, 0x10000, 0x10000), OK);
    CHECK_EQ(pd->space.mappings, 0);
    CHECK(end());
}

/* No CPU keeps a translation of what was removed, also of a mapping that failed half way. */
TEST(removing_flushes_the_cpus_that_use_the_space)
{
    start();
    cpus[0]->active = &pd->space;
    CHECK_EQ(space_map(&pd->space, caps, 0x10000, 0, 0x1000, MAP_READ), OK);
    uint32_t before = fake_cr3_loads[0];
    CHECK_EQ(space_unmap(&pd->space, 0x10000, 0x1000), OK);
    CHECK(fake_cr3_loads[0] > before);
    before = fake_cr3_loads[0];
    pd->kmem_limit = pd->kmem_used + 4 * PAGE_SIZE + 128;
    CHECK_EQ(space_map(&pd->space, caps, 0x1ff000, 0, 0x400000, MAP_READ), ERR_QUOTA);
    CHECK(fake_cr3_loads[0] > before);
    CHECK_EQ(pd->kmem_used, idle_cost);
    cpus[0]->active = NULL;
    CHECK(end());
}
