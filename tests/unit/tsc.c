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

TEST(scaled_as_the_cpu_does)
{
    CHECK_EQ(tsc_scaled(12345, 0), 12345);
    CHECK_EQ(tsc_unscaled(12345, 0), 12345);
    CHECK_EQ(tsc_ratio(2300000, 2300000), 1ull << 48);
    CHECK_EQ(tsc_ratio(4600000, 2300000), 1ull << 49);
    CHECK_EQ(tsc_scaled(1000, tsc_ratio(1, 2)), 500);
    CHECK_EQ(tsc_scaled(UINT64_MAX, 1ull << 48), UINT64_MAX);
    /* A day at 2.3 GHz shown at 3.1: within a thousandth of a second. */
    uint64_t day = 86400ull * 2300000000, ratio = tsc_ratio(3100000, 2300000);
    CHECK(86400ull * 3100000000 - tsc_scaled(day, ratio) < 3100000);
}

TEST(unscaled_is_never_early)
{
    static const uint64_t khz[] = {50000, 1000000, 2300000, 2299999, 4294967};
    for (uint32_t i = 0; i < 25; i++) {
        uint64_t ratio = tsc_ratio(khz[i % 5], khz[i / 5]);
        for (uint64_t wait = 1; wait < 1ull << 50; wait = wait * 3 + 1) {
            uint64_t host = tsc_unscaled(wait, ratio);
            CHECK(tsc_scaled(host, ratio) >= wait);
            CHECK(tsc_scaled(host, ratio) <= wait + 2 + khz[i % 5] / khz[i / 5]);
        }
    }
    CHECK_EQ(tsc_unscaled(UINT64_MAX, 1ull << 16), UINT64_MAX);
}
