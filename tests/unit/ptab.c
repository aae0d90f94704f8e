/* SPDX-License-Identifier: BSD-2-Clause */
/* Page tables against an array of page frames. The range under test crosses 1 GiB and 2 MiB
 * boundaries; what is mapped where decides the size of the leaves. */
#include "tests/unit/fake/memory.h"
#include "arch/x86_64/ptab.c"

static const struct pt_format format = {.table = 0x7,
                                        .leaf = 0x60,
                                        .large = 0x80,
                                        .present = 0x1,
                                        .read = 0x1,
                                        .write = 0x2,
                                        .exec = 0x4,
                                        .noexec = 1ull << 63,
                                        .dirty = 0x40,
                                        .uncached = 0x18,
                                        .wc = 0x80 | 0x8, /* the PAT bit of a 4 KiB entry */
                                        .wc_large = 0x1000 | 0x8,
                                        .max_level = 3,
                                        .levels = 4};
/* Device tables: Intel's of three and five levels, AMD's, where an entry names the next level. */
static const struct pt_format others[] = {
    {.table = 3, .large = 0x80, .present = 3, .read = 1, .write = 2, .max_level = 3, .levels = 3},
    {.table = 3, .present = 3, .read = 1, .write = 2, .max_level = 1, .levels = 5},
    {.table = 3ull << 61 | 1,
     .leaf = 1,
     .present = 1,
     .read = 1ull << 61,
     .write = 1ull << 62,
     .next_level = 0xe00,
     .max_level = 3,
     .levels = 4},
};
static const struct pt_format *used = &format;
static struct ptab pt;
static int64_t charged, charge_limit;

static bool charge(void *account, int32_t pages)
{
    (void)account;
    if (pages > 0 && charged + pages > charge_limit)
        return false;
    charged += pages;
    return true;
}

static void start(void)
{
    fake_left = UINT64_MAX;
    charged = 0;
    charge_limit = INT64_MAX;
    pt = (struct ptab){.format = used, .root = kmem_pages(0), .charge = charge};
}

static bool end(void)
{
    fake_left = UINT64_MAX;
    ptab_destroy(&pt, 1ull << 47);
    kmem_free_pages(pt.root, 0);
    return charged == 0 && pt.pages == 0 && fake_in_use == 0;
}

static int64_t unmap(uint64_t va, uint64_t size)
{
    void *list = NULL;
    int64_t status = ptab_unmap(&pt, va, size, &list);
    ptab_release(&pt, list);
    return status;
}

/* Leaf size at va, 0: nothing; checks the address. */
static uint64_t at(uint64_t va, uint64_t pa)
{
    hpa_t found;
    uint64_t leaf, size;
    if (!ptab_lookup(&pt, va, &found, &leaf, &size))
        return 0;
    return found.v == pa ? size : 1;
}

TEST(takes_the_largest_leaves_that_fit)
{
    start();
    uint64_t va = 3 * GIB - 2 * MIB - PAGE_SIZE, pa = 7 * GIB - 2 * MIB - PAGE_SIZE;
    uint64_t size = GIB + 4 * MIB + 2 * PAGE_SIZE;
    CHECK_EQ(ptab_map(&pt, va, hpa(pa), size, MAP_READ | MAP_WRITE), OK);
    CHECK_EQ(at(va, pa), PAGE_SIZE);
    CHECK_EQ(at(va + PAGE_SIZE, pa + PAGE_SIZE), 2 * MIB);
    CHECK_EQ(at(3 * GIB + 12345, 7 * GIB + 12345), GIB);
    CHECK_EQ(at(4 * GIB, 8 * GIB), 2 * MIB);
    CHECK_EQ(at(4 * GIB + 2 * MIB, 8 * GIB + 2 * MIB), PAGE_SIZE);
    CHECK_EQ(at(va + size, 0), 0);
    CHECK_EQ(at(va - 1, 0), 0);
    CHECK_EQ(unmap(va, size), OK);
    CHECK_EQ(pt.pages, 0);
    CHECK(end());
}

TEST(a_hole_splits_both_large_sizes)
{
    start();
    CHECK_EQ(ptab_map(&pt, GIB, hpa(5 * GIB), GIB, MAP_READ | MAP_EXEC | MAP_WC), OK);
    hpa_t pa;
    uint64_t bits, small, size;
    CHECK(ptab_lookup(&pt, GIB, &pa, &bits, &size));
    CHECK_EQ(size, GIB);
    CHECK_EQ(bits, 0x60 | 0x80 | 0x1 | 0x4 | 0x1000 | 0x8);
    CHECK_EQ(unmap(GIB + 4 * MIB + PAGE_SIZE, PAGE_SIZE), OK);
    CHECK_EQ(at(GIB, 5 * GIB), 2 * MIB);
    CHECK_EQ(at(GIB + 4 * MIB, 5 * GIB + 4 * MIB), PAGE_SIZE);
    CHECK_EQ(at(GIB + 4 * MIB + PAGE_SIZE, 0), 0);
    CHECK_EQ(at(GIB + 4 * MIB + 2 * PAGE_SIZE, 5 * GIB + 4 * MIB + 2 * PAGE_SIZE), PAGE_SIZE);
    CHECK_EQ(at(GIB + 6 * MIB, 5 * GIB + 6 * MIB), 2 * MIB);
    CHECK(ptab_lookup(&pt, GIB, &pa, &bits, &size));
    CHECK_EQ(bits, 0x60 | 0x80 | 0x1 | 0x4 | 0x1000 | 0x8);
    CHECK(ptab_lookup(&pt, GIB + 4 * MIB, &pa, &small, &size));
    CHECK_EQ(small, 0x60 | 0x1 | 0x4 | 0x80 | 0x8); /* the PAT bit moved, the large bit went */
    CHECK(end());
}

TEST(rights_and_memory_types)
{
    start();
    static const struct {
        uint32_t flags;
        uint64_t bits;
    } cases[] = {
        {MAP_READ, 0x61 | 1ull << 63},
        {MAP_READ | MAP_WRITE, 0x63 | 1ull << 63},
        {MAP_READ | MAP_EXEC, 0x65},
        {MAP_READ | MAP_UNCACHED, 0x79 | 1ull << 63},
        {MAP_READ | MAP_WC, 0xe9 | 1ull << 63},
    };
    for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
        hpa_t pa;
        uint64_t bits, size;
        CHECK_EQ(ptab_map(&pt, i * PAGE_SIZE, hpa(0x1000), PAGE_SIZE, cases[i].flags), OK);
        CHECK(ptab_lookup(&pt, i * PAGE_SIZE, &pa, &bits, &size));
        CHECK_EQ(bits, cases[i].bits);
    }
    ptab_clear(&pt, PAGE_SIZE);
    CHECK_EQ(at(PAGE_SIZE, 0), 0);
    CHECK_EQ(at(0, 0x1000), PAGE_SIZE);
    CHECK(end());
}

/* Whatever allocation fails: nothing is mapped, no table stays. */
TEST(failure_leaves_nothing)
{
    uint64_t va = 5 * GIB - 2 * MIB - PAGE_SIZE, size = 4 * MIB + 2 * PAGE_SIZE;
    for (uint32_t how = 0; how < 2; how++) {
        int64_t status = ERR_NOMEM;
        for (uint64_t left = 0; status != OK; left++) {
            start();
            fake_left = how ? UINT64_MAX : left;
            charge_limit = how ? (int64_t)left : INT64_MAX;
            status = ptab_map(&pt, va, hpa(0x1000), size, MAP_READ);
            CHECK(status == OK || status == (how ? ERR_QUOTA : ERR_NOMEM));
            CHECK(left < 20);
            for (uint64_t i = 0; status != OK && i < size; i += PAGE_SIZE)
                CHECK_EQ(at(va + i, 0), 0);
            CHECK(status == OK || (pt.pages == 0 && charged == 0));
            CHECK(end());
        }
    }
}

TEST(a_split_without_memory_changes_nothing)
{
    for (uint64_t left = 0; left < 4; left++) {
        start();
        CHECK_EQ(ptab_map(&pt, 0, hpa(GIB), GIB, MAP_READ), OK);
        fake_left = left;
        CHECK_EQ(unmap(PAGE_SIZE, 8 * MIB), left < 3 ? ERR_NOMEM : OK);
        for (uint64_t va = 0; left < 3 && va < GIB; va += MIB)
            CHECK(at(va, GIB + va) >= PAGE_SIZE);
        CHECK(end());
    }
}

/* Windows of pages around every kind of boundary; frame numbers, 0: nothing there. */
#define WINDOW 2048u
#define BASE   (2 * GIB - 4 * MIB)
static uint64_t model[WINDOW];

static bool agrees(void)
{
    for (uint32_t i = 0; i < WINDOW; i++)
        if (model[i] ? at(BASE + i * PAGE_SIZE, model[i]) < PAGE_SIZE
                     : at(BASE + i * PAGE_SIZE, 0) != 0)
            return false;
    return true;
}

static void random_operations(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        fake_seed = seed;
        start();
        memset(model, 0, sizeof(model));
        for (uint32_t step = 0; step < 400; step++) {
            uint64_t unit = fake_random(2) ? 1 : 512, first = fake_random(WINDOW / unit) * unit;
            uint64_t want = (1 + fake_random(3)) * unit;
            uint64_t count = MIN(want, WINDOW - first), pa = 0;
            bool map = fake_random(2), empty = true;
            for (uint64_t i = 0; i < count; i++)
                empty = empty && !model[first + i];
            fake_left = fake_random(4) ? UINT64_MAX : fake_random(3);
            if (map && empty) {
                pa = GIB + (fake_random(2) ? first : fake_random(4096)) * PAGE_SIZE;
                if (ptab_map(&pt, BASE + first * PAGE_SIZE, hpa(pa), count * PAGE_SIZE,
                             MAP_READ | MAP_WRITE) != OK)
                    map = false, pa = 0;
            } else if (!map && unmap(BASE + first * PAGE_SIZE, count * PAGE_SIZE) != OK) {
                map = empty = true; /* nothing changed */
                pa = 0;
            }
            for (uint64_t i = 0; i < count && (!map || pa); i++)
                model[first + i] = pa ? pa + i * PAGE_SIZE : 0;
            CHECK(agrees());
            CHECK_EQ(charged, pt.pages);
        }
        fake_left = UINT64_MAX;
        CHECK(end());
    }
}

TEST(random_operations_like_an_array)
{
    random_operations();
    for (uint32_t i = 0; i < ARRAY_LEN(others) && !unit_failed_now; i++) {
        used = &others[i];
        random_operations();
    }
    used = &format;
}

/* Beside what stays mapped: the end of the slot is the end of 64 bits. */
TEST(top_slot)
{
    uint64_t top = 0xffffffff81000000ull;
    start();
    CHECK_EQ(ptab_map(&pt, top, hpa(GIB), 4 * PAGE_SIZE, MAP_READ | MAP_WRITE), OK);
    CHECK_EQ(unmap(top, 2 * PAGE_SIZE), OK);
    hpa_t pa;
    uint64_t leaf, size;
    CHECK(!ptab_lookup(&pt, top + PAGE_SIZE, &pa, &leaf, &size));
    CHECK(ptab_lookup(&pt, top + 2 * PAGE_SIZE, &pa, &leaf, &size));
    CHECK_EQ(pa.v, GIB + 2 * PAGE_SIZE);
    CHECK_EQ(unmap(top, 4 * PAGE_SIZE), OK);
    CHECK(end());
}

/* As a CPU marks what it writes. */
static void write_through(uint64_t va)
{
    uint32_t level;
    *leaf_at(&pt, va, &level) |= format.dirty;
}

TEST(written_pages_are_counted_once)
{
    uint64_t base = 4 * GIB, size = 4ull << 20;
    start();
    CHECK_EQ(ptab_map(&pt, base, hpa(GIB), size, MAP_READ | MAP_WRITE), OK);
    CHECK_EQ(ptab_dirty(&pt, base, size, false), 1024); /* as it was mapped */
    CHECK_EQ(ptab_dirty(&pt, base, size, false), 0);
    write_through(base + PAGE_SIZE);
    CHECK_EQ(ptab_dirty(&pt, base, size, false), 512); /* a large page */
    CHECK_EQ(ptab_dirty(&pt, base, size, true), 0);
    CHECK_EQ(charged, 4);
    write_through(base + PAGE_SIZE);
    write_through(base + size - PAGE_SIZE);
    CHECK_EQ(ptab_dirty(&pt, base, size - PAGE_SIZE, true), 1);
    CHECK_EQ(ptab_dirty(&pt, base - GIB, GIB + size + GIB, true), 1);
    CHECK_EQ(ptab_dirty(&pt, 0, 1ull << 30, true), 0);
    hpa_t pa;
    uint64_t leaf, unit;
    CHECK(ptab_lookup(&pt, base + 5 * PAGE_SIZE, &pa, &leaf, &unit));
    CHECK_EQ(pa.v, GIB + 5 * PAGE_SIZE);
    CHECK_EQ(unit, PAGE_SIZE);
    CHECK_EQ(unmap(base, size), OK);
    CHECK(end());
}

TEST(no_table_to_tell_pages_apart)
{
    start();
    CHECK_EQ(ptab_map(&pt, 4 * GIB, hpa(GIB), GIB, MAP_READ | MAP_WRITE), OK);
    charge_limit = charged + 1;
    CHECK_EQ(ptab_dirty(&pt, 4 * GIB, GIB, true), ERR_QUOTA);
    CHECK_EQ(unmap(4 * GIB, GIB), OK);
    CHECK(end());
}
