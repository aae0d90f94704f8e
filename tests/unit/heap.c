/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "fake/mutex.h"
#define sbrk own_sbrk
#include "user/heap.c"

#define ARENA 0x10000u

static char arena[ARENA] __attribute__((aligned(HEAP_PAGE)));

TEST(nothing_before_init)
{
    CHECK(own_sbrk(1) == (void *)-1);
    CHECK(heap_take_pages(HEAP_PAGE) == NULL);
}

TEST(grows_to_the_end_and_not_further)
{
    heap_init(arena, ARENA);
    CHECK(own_sbrk(100) == arena);
    CHECK(own_sbrk(0) == arena + 100);
    CHECK(own_sbrk(ARENA - 100) == arena + 100);
    CHECK(own_sbrk(1) == (void *)-1);
    CHECK_EQ(errno, ENOMEM);
    CHECK_EQ(heap_untouched(), 0);
}

TEST(shrinks_to_the_start_and_not_further)
{
    heap_init(arena, ARENA);
    own_sbrk(100);
    CHECK(own_sbrk(-101) == (void *)-1);
    CHECK(own_sbrk(PTRDIFF_MIN) == (void *)-1);
    CHECK(own_sbrk(PTRDIFF_MAX) == (void *)-1);
    CHECK(own_sbrk(-100) == arena + 100);
    CHECK(own_sbrk(0) == arena);
}

TEST(both_ends_never_meet)
{
    heap_init(arena, ARENA);
    CHECK(heap_take_pages(2 * HEAP_PAGE) == arena + ARENA - 2 * HEAP_PAGE);
    CHECK(own_sbrk(ARENA - 3 * HEAP_PAGE + 1) == arena);
    CHECK(heap_take_pages(HEAP_PAGE) == NULL);
    CHECK(own_sbrk(HEAP_PAGE) == (void *)-1);
    CHECK(own_sbrk(HEAP_PAGE - 1) != (void *)-1);
    CHECK_EQ(heap_untouched(), 0);
}

TEST(refuses_partial_pages)
{
    heap_init(arena, ARENA);
    CHECK(heap_take_pages(0) == NULL);
    CHECK(heap_take_pages(100) == NULL);
    CHECK(heap_take_pages(SIZE_MAX - HEAP_PAGE + 1) == NULL);
    CHECK_EQ(heap_untouched(), ARENA);
    CHECK_EQ(heap_mutex.state, 0);
}
