/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "fake_syscalls.h"
#include "user/slot.c"
#include <pthread.h>

static uint32_t deleted;

int64_t sys_cap_delete(uint32_t pd, uint32_t slot)
{
    deleted = pd == SLOT_SELF_PD ? slot : 0;
    return 0;
}

TEST(gives_each_slot_once)
{
    slot_init(70);
    for (uint32_t i = 70; i < CAP_SLOTS; i++)
        CHECK_EQ(slot_alloc(), i);
    CHECK_EQ(slot_alloc(), 0);
    slot_free(100);
    CHECK_EQ(deleted, 100);
    CHECK_EQ(slot_alloc(), 100);
    CHECK_EQ(slot_alloc(), 0);
}

TEST(finds_ranges_between_taken_slots)
{
    slot_init(10);
    CHECK_EQ(slot_alloc(), 10);
    CHECK_EQ(slot_alloc_range(64), 11);
    slot_free(10);
    CHECK_EQ(slot_alloc_range(2), 75);
    CHECK_EQ(slot_alloc_range(1), 10);
    CHECK_EQ(slot_alloc(), 77);
}

TEST(range_failure_takes_nothing)
{
    slot_init(1);
    CHECK_EQ(slot_alloc_range(CAP_SLOTS), 0);
    CHECK_EQ(slot_alloc_range(0), 0);
    CHECK_EQ(slot_alloc_range(UINT32_MAX), 0);
    CHECK_EQ(slot_alloc_range(CAP_SLOTS - 1), 1);
    CHECK_EQ(slot_alloc(), 0);
    slot_free(CAP_SLOTS - 1);
    slot_free(CAP_SLOTS - 3);
    CHECK_EQ(slot_alloc_range(2), 0);
    CHECK_EQ(slot_alloc(), CAP_SLOTS - 3);
    CHECK_EQ(slot_alloc(), CAP_SLOTS - 1);
}

TEST(keeps_the_creators_slots)
{
    slot_init(20);
    deleted = 0;
    slot_free(0);
    slot_free(19);
    slot_free(CAP_SLOTS);
    CHECK_EQ(deleted, 0);
    CHECK_EQ(slot_alloc(), 20);
    slot_init(0);
    CHECK_EQ(slot_alloc(), 0);
}

static uint8_t owners[CAP_SLOTS];
static int stolen;

static void *allocate_and_free(void *unused)
{
    for (int i = 0; i < 400000; i++) {
        uint32_t slot = i % 3 ? slot_alloc() : slot_alloc_range(3);
        uint32_t count = i % 3 ? 1 : 3;
        for (uint32_t k = 0; slot && k < count; k++) {
            if (__atomic_fetch_add(&owners[slot + k], 1, __ATOMIC_RELAXED))
                stolen = 1;
        }
        for (uint32_t k = 0; slot && k < count; k++) {
            __atomic_fetch_sub(&owners[slot + k], 1, __ATOMIC_RELAXED);
            give(slot + k);
        }
    }
    return unused;
}

TEST(two_threads_never_share_a_slot)
{
    pthread_t thread[3];
    slot_init(CAP_SLOTS - 8);
    for (int i = 0; i < 3; i++)
        pthread_create(&thread[i], NULL, allocate_and_free, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    CHECK(!stolen);
}
