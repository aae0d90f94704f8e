/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"

#include "lib/tsc_math.h"

TEST(scale_is_exact)
{
    CHECK_EQ(scale(1000000, 2300000, 1000), 2300000000ull);
    CHECK_EQ(scale(2299999, 1000, 2300000), 999);
    CHECK_EQ(scale(2300000, 1000, 2300000), 1000);
    CHECK_EQ(scale(0, 5, 3), 0);
    /* Ten years of a 5 GHz TSC, there and back. */
    uint64_t us = 10ull * 365 * 86400 * 1000000;
    CHECK_EQ(scale(scale(us, 5000000, 1000), 1000, 5000000), us);
}

TEST(scale_saturates)
{
    CHECK_EQ(scale(UINT64_MAX, 1000, 1), UINT64_MAX);
    CHECK_EQ(scale(UINT64_MAX - 1, 3000000, 1000), UINT64_MAX);
    CHECK_EQ(scale(UINT64_MAX, 1, 1), UINT64_MAX);
}

TEST(frequency_from_counts)
{
    CHECK_EQ(khz_from_count(0, 0, 3579545), 0);
    CHECK_EQ(khz_from_count(23000000, 1000000, 100000000), 2300000);
    /* 10 ms of the PM timer: right within 0.1 %. */
    uint64_t khz = khz_from_count(30000000, 35795, 3579545);
    CHECK(within_permille(3000000, khz, 1));
}

TEST(within)
{
    CHECK(within_permille(1000000, 1010000, 10));
    CHECK(!within_permille(1000000, 1010001, 10));
    CHECK(within_permille(1000000, 990000, 10));
    CHECK(!within_permille(1000000, 989999, 10));
    CHECK(!within_permille(2300000, 0, 10));
}
