/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "user/time.c"

static const uint64_t rates[] = {1,       1000,    14318,   999999,        1000000,
                                 2000000, 2399998, 3700001, (1u << 24) - 1};

/* Difference of a and b in parts per billion of b. */
static uint64_t ppb(uint64_t a, uint64_t b)
{
    return (a > b ? a - b : b - a) / (b / 1000000000 + 1);
}

TEST(gigahertz_is_the_identity)
{
    time_init(1000000);
    CHECK_EQ(time_tsc_to_ns(123456789), 123456789);
    CHECK_EQ(time_ns_to_tsc(123456789), 123456789);
    CHECK_EQ(time_tsc_to_ns(0), 0);
}

TEST(agrees_with_the_division)
{
    __extension__ typedef unsigned __int128 wide;
    for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
        time_init(rates[i]);
        for (uint64_t tsc = 1; tsc < 1ull << 60; tsc *= 7) {
            wide ns = (wide)tsc * 1000000 / rates[i];
            if (ns >> 62)
                break;
            CHECK(ppb(time_tsc_to_ns(tsc), (uint64_t)ns) <= 1);
        }
        for (uint64_t ns = 1000000; ns < 1ull << 58; ns *= 5) {
            wide tsc = (wide)ns * rates[i] / 1000000;
            if (tsc >> 62)
                break;
            CHECK(ppb(time_ns_to_tsc(ns), (uint64_t)tsc) <= 1000);
        }
    }
}

TEST(years_of_uptime_do_not_overflow)
{
    time_init(3000000);
    uint64_t ten_years = 10ull * 365 * 86400 * 1000000000;
    CHECK(ppb(time_tsc_to_ns(3 * ten_years), ten_years) <= 1);
    CHECK(ppb(time_ns_to_tsc(ten_years), 3 * ten_years) <= 1);
}

TEST(never_runs_backwards)
{
    time_init(2399998);
    uint64_t last = 0;
    for (uint64_t tsc = 1ull << 52; tsc < (1ull << 52) + 100000; tsc += 3) {
        uint64_t ns = time_tsc_to_ns(tsc);
        CHECK(ns >= last);
        last = ns;
    }
}

TEST(bad_rate_is_replaced)
{
    time_init(0);
    CHECK_EQ(time_tsc_to_ns(5), 5);
    time_init(UINT64_MAX);
    CHECK_EQ(time_tsc_to_ns(5), 5);
}
