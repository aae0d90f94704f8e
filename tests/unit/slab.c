/* SPDX-License-Identifier: BSD-2-Clause */
/* Size classes over pages of the host's allocator, which sees a write beyond a page. */
#include "tests/unit/fake/machine.h"
#include "kernel/slab.c"

#define HELD 500u

static uint64_t pages, page_limit = UINT64_MAX;
static struct {
    unsigned char *p;
    size_t size;
} held[HELD];

void shootdown_poll(void)
{
}
void *kmem_pages(uint32_t order)
{
    if (order || pages >= page_limit)
        return NULL;
    pages++;
    void *page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
    memset(page, 0, PAGE_SIZE);
    return page;
}
void kmem_free_pages(void *page, uint32_t order)
{
    (void)order;
    pages--;
    free(page);
}

/* No byte of another piece shows through, and its own are still there. */
static bool all_same(const unsigned char *p, size_t size, unsigned char value)
{
    for (size_t i = 0; i < size; i++)
        if (p[i] != value)
            return false;
    return true;
}

static unsigned char mark(uint32_t i)
{
    return (unsigned char)(i % 255 + 1);
}

static bool take(uint32_t i, size_t size)
{
    held[i].p = slab_alloc(size);
    held[i].size = size;
    if (!held[i].p)
        return true;
    bool zero = all_same(held[i].p, slab_cost(size), 0);
    memset(held[i].p, mark(i), slab_cost(size));
    return zero;
}

static bool give(uint32_t i)
{
    if (!held[i].p)
        return true;
    bool own = all_same(held[i].p, slab_cost(held[i].size), mark(i));
    slab_free(held[i].p, held[i].size);
    held[i].p = NULL;
    return own;
}

TEST(costs_are_the_classes)
{
    static const size_t cases[][2] = {{1, 64},      {64, 64},     {65, 128},
                                      {128, 128},   {129, 256},   {1000, 1024},
                                      {1024, 1024}, {1025, 2048}, {2048, 2048}};
    for (uint32_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_EQ(slab_cost(cases[i][0]), cases[i][1]);
}

TEST(every_class_fills_a_page_and_gives_it_back)
{
    for (size_t size = 64; size <= 2048; size *= 2) {
        uint32_t fit = (uint32_t)(PAGE_SIZE / size) - 1; /* the first piece keeps the books */
        for (uint32_t i = 0; i <= fit; i++)
            CHECK(take(i, size) && held[i].p);
        CHECK_EQ(pages, 2);
        for (uint32_t i = 0; i <= fit; i++)
            CHECK(give(i));
        CHECK_EQ(pages, 0);
    }
}

TEST(a_full_page_with_a_hole_is_used_again)
{
    for (uint32_t i = 0; i < 15; i++)
        CHECK(take(i, 256) && held[i].p);
    CHECK_EQ(pages, 1);
    CHECK(give(7));
    CHECK(take(7, 256) && held[7].p);
    CHECK_EQ(pages, 1);
    for (uint32_t i = 0; i < 15; i++)
        CHECK(give(i));
    CHECK_EQ(pages, 0);
}

TEST(no_memory_is_null)
{
    page_limit = 0;
    CHECK(!slab_alloc(100));
    page_limit = 1;
    CHECK(take(0, 2048) && held[0].p);
    CHECK(!slab_alloc(2048));
    CHECK(!slab_alloc(64));
    CHECK(give(0));
    page_limit = UINT64_MAX;
    CHECK_EQ(pages, 0);
}

TEST(random_pieces_never_overlap)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        fake_seed = seed;
        for (uint32_t step = 0; step < 10000; step++) {
            uint32_t i = (uint32_t)fake_random(HELD);
            page_limit = fake_random(4) ? UINT64_MAX : pages;
            if (held[i].p)
                CHECK(give(i));
            else
                CHECK(take(i, 1 + fake_random(fake_random(2) ? 2048 : 200)));
        }
        for (uint32_t i = 0; i < HELD; i++)
            CHECK(give(i));
        CHECK_EQ(pages, 0);
    }
}
