/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory allocator over faked system calls: placement, exact accounts, nothing given twice. */
#include "test.h"
#include <stdint.h>
#define USER_SYSCALL_STUBS_H /* the fakes below stand for the stubs */

static int derive_fails, revoked, deleted;
static uint32_t next_slot = 200;

static int64_t sys_mem_derive(uint32_t dst, uint32_t src, uint64_t offset, uint64_t size,
                              uint32_t rights)
{
    (void)dst, (void)src, (void)offset, (void)size, (void)rights;
    return derive_fails ? -5 : 0;
}

static int64_t sys_cap_revoke(uint32_t src)
{
    (void)src;
    revoked++;
    return 0;
}

#include "user/program.h"

uint32_t slot_alloc(void)
{
    return next_slot++;
}

void slot_free(uint32_t slot)
{
    (void)slot;
    deleted++;
}

#include "manager/host/numa.c"
#include "manager/host/physmem.c"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static void setup(void)
{
    memset(ranges, 0, sizeof(ranges));
    range_count = block_count = pool_used = 0;
    extents = pool_free = NULL;
    derive_fails = 0;
}

TEST(overlap_and_bad_ranges_are_refused)
{
    setup();
    CHECK_EQ(physmem_add(6, 16 * MIB, 16 * MIB, 0), OK);
    CHECK_EQ(physmem_add(7, 31 * MIB, 2 * MIB, 0), ERR_ARG);
    CHECK_EQ(physmem_add(7, 32 * MIB + 1, 4096, 0), ERR_ARG);
    CHECK_EQ(physmem_add(7, 64 * MIB, 0, 0), ERR_ARG);
    CHECK_EQ(physmem_add(7, 32 * MIB, 4096, 0), OK);
    CHECK_EQ(physmem_free_bytes(), 16 * MIB + 4096);
}

TEST(alloc_free_restores_everything)
{
    setup();
    CHECK_EQ(physmem_add(6, 1 * MIB, 63 * MIB, 0), OK);
    struct mem_block b[8];
    for (uint32_t i = 0; i < 8; i++)
        CHECK_EQ(physmem_alloc(&b[i], (i + 1) * 4096, 4096, 0), OK);
    CHECK_EQ(physmem_blocks(), 8);
    CHECK_EQ(physmem_free_bytes(), 63 * MIB - 36 * 4096);
    static const int order[8] = {3, 1, 7, 0, 5, 2, 6, 4};
    for (uint32_t i = 0; i < 8; i++)
        physmem_free(&b[order[i]]);
    CHECK_EQ(physmem_blocks(), 0);
    CHECK_EQ(physmem_free_bytes(), 63 * MIB);
    CHECK_EQ(physmem_stats(0).largest, 63 * MIB); /* merged again */
    CHECK(extents && !extents->next);
}

TEST(blocks_never_overlap)
{
    setup();
    CHECK_EQ(physmem_add(6, 1 * MIB, 31 * MIB, 0), OK);
    static struct mem_block b[64];
    uint32_t seed = 1;
    memset(b, 0, sizeof(b));
    for (int round = 0; round < 20000; round++) {
        seed = seed * 1664525 + 1013904223;
        struct mem_block *it = &b[seed >> 26];
        if (it->slot)
            physmem_free(it);
        else
            physmem_alloc(it, ((seed >> 8 & 63) + 1) * 4096, 4096ull << (seed >> 14 & 3), 0);
        for (int i = 0; it->slot && i < 64; i++)
            CHECK(&b[i] == it || !b[i].slot || b[i].base + b[i].size <= it->base ||
                  it->base + it->size <= b[i].base);
    }
    uint64_t used = 0;
    for (int i = 0; i < 64; i++)
        used += b[i].size;
    CHECK_EQ(physmem_free_bytes() + used, 31 * MIB);
    for (int i = 0; i < 64; i++)
        physmem_free(&b[i]);
    CHECK_EQ(physmem_stats(0).largest, 31 * MIB);
}

TEST(small_blocks_leave_large_pieces_whole)
{
    setup();
    physmem_add(6, 1 * MIB, 1 * MIB, 0);
    physmem_add(7, 16 * MIB, 512 * MIB, 0);
    struct mem_block b;
    CHECK_EQ(physmem_alloc(&b, 4096, 4096, PHYSMEM_ANY_NODE), OK);
    CHECK(b.base < 2 * MIB);
    CHECK_EQ(physmem_stats(0).largest, 512 * MIB);
}

TEST(alignment)
{
    setup();
    physmem_add(6, 5 * MIB, 60 * MIB, 0);
    struct mem_block b;
    CHECK_EQ(physmem_alloc(&b, 2 * MIB, PHYSMEM_LARGE, 0), OK);
    CHECK_EQ(b.base % PHYSMEM_LARGE, 0);
    CHECK_EQ(physmem_alloc(&b, 4097, 4096, 0), ERR_ARG);
    CHECK_EQ(physmem_alloc(&b, 4096, 4097, 0), ERR_ARG);
    CHECK_EQ(physmem_alloc(&b, 0, 4096, 0), ERR_ARG);
    CHECK_EQ(physmem_alloc(&b, 4096, GIB, 0), ERR_NOMEM);
}

TEST(node_is_preferred_not_required)
{
    setup();
    physmem_add(6, 16 * MIB, 16 * MIB, 0);
    physmem_add(7, 64 * MIB, 16 * MIB, 1);
    struct mem_block a, b;
    CHECK_EQ(physmem_alloc(&a, 12 * MIB, 4096, 1), OK);
    CHECK_EQ(a.node, 1);
    CHECK_EQ(physmem_alloc(&b, 12 * MIB, 4096, 1), OK);
    CHECK_EQ(b.node, 0);
    CHECK_EQ(physmem_stats(1).free, 4 * MIB);
    CHECK_EQ(physmem_stats(1).total, 16 * MIB);
}

TEST(the_nearest_node_helps_out)
{
    static struct root_info info = {
        .distance = {{10, 21, 31, 21}, {21, 10, 21, 31}, {31, 21, 10, 21}, {21, 31, 21, 10}}};
    struct mem_block b[4];
    uint32_t n;
    setup();
    for (uint32_t i = 0; i < 4; i++)
        physmem_add(6 + i, (i + 1) * 64 * MIB, 16 * MIB, i);
    CHECK_EQ(physmem_alloc_pieces(b, 4, 40 * MIB, 2, 0, &n), OK); /* no distances: any other */
    CHECK(b[0].node == 2 && n == 3);
    for (uint32_t i = 0; i < n; i++)
        physmem_free(&b[i]);
    numa_init(&info);
    CHECK_EQ(physmem_alloc_pieces(b, 4, 64 * MIB, 2, 0, &n), OK);
    CHECK(n == 4 && b[0].node == 2 && b[3].node == 0); /* the one farthest away comes last */
    numa_init(NULL);
}

TEST(guest_memory_in_pieces)
{
    setup();
    physmem_add(6, 1 * MIB, 31 * MIB, 0); /* 2..32 MiB aligned */
    physmem_add(7, 64 * MIB, 33 * MIB, 0);
    struct mem_block b[4];
    uint32_t n;
    CHECK_EQ(physmem_alloc_pieces(b, 4, 50 * MIB + 8192, 0, 0, &n), OK);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += b[i].size;
        CHECK(i + 1 == n || (b[i].base | b[i].size) % PHYSMEM_LARGE == 0);
    }
    CHECK_EQ(sum, 50 * MIB + 8192);
    CHECK_EQ(n, 3);
    for (uint32_t i = 0; i < n; i++)
        physmem_free(&b[i]);
    CHECK_EQ(physmem_free_bytes(), 64 * MIB);
}

TEST(guest_memory_that_does_not_fit_takes_nothing)
{
    setup();
    physmem_add(6, 16 * MIB, 16 * MIB, 0);
    physmem_add(7, 64 * MIB, 16 * MIB, 0);
    struct mem_block b[4];
    uint32_t n;
    CHECK_EQ(physmem_alloc_pieces(b, 4, 33 * MIB, 0, 0, &n), ERR_NOMEM);
    CHECK_EQ(physmem_alloc_pieces(b, 1, 20 * MIB, 0, 0, &n), ERR_NOMEM);
    CHECK_EQ(n, 0);
    CHECK_EQ(physmem_blocks(), 0);
    CHECK_EQ(physmem_free_bytes(), 32 * MIB);
}

TEST(huge_alignment_where_possible)
{
    setup();
    physmem_add(6, 512 * MIB, 4 * GIB, 0);
    struct mem_block b[2];
    uint32_t n;
    CHECK_EQ(physmem_alloc_pieces(b, 2, 2 * GIB, 0, 0, &n), OK);
    CHECK_EQ(n, 1);
    CHECK_EQ(b[0].base % GIB, 0);
}

TEST(kernel_refusal_changes_nothing)
{
    setup();
    physmem_add(6, 16 * MIB, 16 * MIB, 0);
    derive_fails = 1;
    struct mem_block b;
    CHECK_EQ(physmem_alloc(&b, 4096, 4096, 0), -5);
    CHECK(!b.slot);
    CHECK_EQ(physmem_free_bytes(), 16 * MIB);
}

TEST(free_revokes_and_deletes_and_twice_is_fine)
{
    setup();
    physmem_add(6, 16 * MIB, 16 * MIB, 0);
    struct mem_block b;
    CHECK_EQ(physmem_alloc(&b, 4096, 4096, 0), OK);
    revoked = deleted = 0;
    physmem_free(&b);
    physmem_free(&b);
    CHECK_EQ(revoked, 1);
    CHECK_EQ(deleted, 1);
    CHECK_EQ(physmem_free_bytes(), 16 * MIB);
}

TEST(donated_memory_leaves_the_accounts)
{
    setup();
    physmem_add(6, 16 * MIB, 16 * MIB, 0);
    struct mem_block b;
    CHECK_EQ(physmem_alloc(&b, 2 * MIB, PHYSMEM_LARGE, 0), OK);
    physmem_forget(&b);
    CHECK_EQ(physmem_stats(0).total, 14 * MIB);
    CHECK_EQ(physmem_free_bytes(), 14 * MIB);
    CHECK_EQ(physmem_blocks(), 0);
}
