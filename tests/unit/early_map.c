/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "boot/early_map.c"

#define AT(n) ((void *)(EARLY_WINDOW_VMA + (n)*LARGE))

uint64_t boot_pd_window[512];

static void start(void)
{
    memset(boot_pd_window, 0, sizeof(boot_pd_window));
    window_used = 0;
}

TEST(low_is_identity)
{
    start();
    CHECK(early_map(0x1234, 10) == (void *)0x1234);
    CHECK(early_map(LOW_END - 4096, 4096) == (void *)(LOW_END - 4096));
    CHECK_EQ(window_used, 0);
}

TEST(high_takes_pages)
{
    start();
    CHECK(early_map(LOW_END + 0x12345, 16) == (char *)AT(0) + 0x12345);
    CHECK_EQ(boot_pd_window[0], LOW_END | PTE_FLAGS);
    CHECK(early_map(LOW_END + 2 * MIB - 1, 2) == (char *)AT(1) + 2 * MIB - 1);
    CHECK_EQ(boot_pd_window[2], (LOW_END + LARGE) | PTE_FLAGS);
    CHECK_EQ(window_used, 3);
}

/* A range that starts below 4 GiB and ends above is mapped in one piece. */
TEST(across_the_border)
{
    start();
    CHECK(early_map(LOW_END - 1, 2) == (char *)AT(0) + LARGE - 1);
    CHECK_EQ(window_used, 2);
}

TEST(refusals)
{
    start();
    CHECK(early_map(0x1000, 0) == NULL);
    CHECK(early_map(~0ull, 2) == NULL);
    CHECK(early_map(1ull << 52, 1) == NULL);
    CHECK(early_map(LOW_END, (1ull << 30) + 1) == NULL);
    CHECK_EQ(window_used, 0);
    CHECK(early_map(LOW_END, 1ull << 30) == AT(0));
    CHECK(early_map(1ull << 40, 1) == NULL);
}
