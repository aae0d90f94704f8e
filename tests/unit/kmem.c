/* SPDX-License-Identifier: BSD-2-Clause */
/* The buddy allocator against a map of which page belongs to whom. */
#include "tests/unit/fake/machine.h"
#include "arch/x86_64/kmem.c"

#define CHUNKS 3u
#define PAGES  (CHUNKS * CHUNK_PAGES)
#define HELD   400u

void shootdown_poll(void)
{
}

static char *chunk[CHUNKS];
static bool owned[PAGES];
static struct {
    void *pages;
    uint32_t order;
} held[HELD];

static void start(void)
{
    fake_machine_init();
    if (chunk[0])
        return;
    for (uint32_t i = 0; i < CHUNKS; i++) {
        chunk[i] = aligned_alloc(CHUNK_SIZE, CHUNK_SIZE);
        memset(chunk[i], 0xa5, CHUNK_SIZE);
        kmem_add_mapped(chunk[i]);
    }
}

/* Index in owned[]; PAGES: not in a chunk. */
static uint32_t place(void *pages)
{
    for (uint32_t i = 0; i < CHUNKS; i++)
        if ((char *)pages >= chunk[i] && (char *)pages < chunk[i] + CHUNK_SIZE)
            return i * CHUNK_PAGES + (uint32_t)(((char *)pages - chunk[i]) >> PAGE_SHIFT);
    return PAGES;
}

static bool take_pages(uint32_t slot, uint32_t order)
{
    char *p = kmem_pages(order);
    held[slot].pages = p;
    held[slot].order = order;
    if (!p)
        return true;
    uint32_t first = place(p);
    bool good = first < PAGES && aligned((uint64_t)p, PAGE_SIZE << order) &&
                first % CHUNK_PAGES != 0; /* the first page is the allocator's own */
    for (uint32_t i = 0; good && i < 1u << order; i++) {
        good = !owned[first + i] && p[i * PAGE_SIZE] == 0 && p[i * PAGE_SIZE + PAGE_MASK] == 0;
        owned[first + i] = true;
    }
    memset(p, (int)(slot & 0xff) | 1, PAGE_SIZE << order);
    return good;
}

static bool give_pages(uint32_t slot)
{
    char *p = held[slot].pages;
    if (!p)
        return true;
    uint64_t size = PAGE_SIZE << held[slot].order;
    bool good = p[0] == (char)((slot & 0xff) | 1) && p[size - 1] == p[0];
    for (uint32_t i = 0; i < 1u << held[slot].order; i++)
        owned[place(p) + i] = false;
    kmem_free_pages(p, held[slot].order);
    held[slot].pages = NULL;
    return good;
}

static uint64_t in_use(void)
{
    uint64_t pages = 0;
    for (uint32_t i = 0; i < PAGES; i++)
        pages += owned[i];
    return pages * PAGE_SIZE;
}

/* All is free again, in blocks as large as at the start. */
static bool whole(void)
{
    for (uint32_t order = 0; order <= MAX_ORDER; order++) {
        uint32_t blocks = 0;
        for (struct list *l = free_blocks[order].next; l != &free_blocks[order]; l = l->next)
            blocks++;
        if (blocks != CHUNKS)
            return false;
    }
    return kmem_available() == CHUNKS * (CHUNK_SIZE - PAGE_SIZE);
}

TEST(counts)
{
    CHECK(!kmem_pages(0)); /* nothing was added yet */
    start();
    CHECK_EQ(kmem_total(), CHUNKS * CHUNK_SIZE);
    CHECK(whole());
    CHECK(!kmem_pages(MAX_ORDER + 1));
    CHECK(!kmem_pages(UINT32_MAX));
}

TEST(the_largest_blocks_until_there_are_none)
{
    start();
    for (uint32_t i = 0; i < CHUNKS; i++)
        CHECK(take_pages(i, MAX_ORDER) && held[i].pages);
    CHECK(!kmem_pages(MAX_ORDER));
    CHECK(take_pages(CHUNKS, MAX_ORDER - 1) && held[CHUNKS].pages);
    for (uint32_t i = 0; i <= CHUNKS; i++)
        CHECK(give_pages(i));
    CHECK(whole());
}

TEST(single_pages_until_there_are_none_and_back_in_any_order)
{
    static void *all[PAGES];
    start();
    uint32_t count = 0;
    while ((all[count] = kmem_pages(0)))
        count++;
    CHECK_EQ(count, PAGES - CHUNKS);
    CHECK_EQ(kmem_available(), 0);
    fake_seed = 3;
    for (uint32_t i = count; i > 0; i--) {
        uint32_t j = (uint32_t)fake_random(i);
        kmem_free_pages(all[j], 0);
        all[j] = all[i - 1];
    }
    CHECK(whole());
}

TEST(random_blocks_never_overlap)
{
    start();
    for (uint64_t seed = 1; seed <= 10; seed++) {
        fake_seed = seed;
        for (uint32_t step = 0; step < 3000; step++) {
            uint32_t slot = (uint32_t)fake_random(HELD);
            if (held[slot].pages)
                CHECK(give_pages(slot));
            else
                CHECK(take_pages(slot, (uint32_t)(fake_random(MAX_ORDER + 1) *
                                                  fake_random(MAX_ORDER + 1) / (MAX_ORDER + 1))));
            CHECK_EQ(kmem_available() + in_use(), CHUNKS * (CHUNK_SIZE - PAGE_SIZE));
        }
        for (uint32_t slot = 0; slot < HELD; slot++)
            CHECK(give_pages(slot));
        CHECK(whole());
    }
    for (uint32_t i = 0; i < CHUNKS; i++)
        free(chunk[i]);
}
