/* SPDX-License-Identifier: BSD-2-Clause */
/* How long an idle CPU looks before it halts. */
#include "tests/unit/test.h"

#include "arch/x86_64/idle.h"

#define MOST 200000u

TEST(it_grows_while_a_longer_look_would_help)
{
    uint64_t window = 0;
    for (uint32_t i = 0; i < 3; i++)
        window = idle_window(window, 60000, MOST);
    CHECK_EQ(window, MOST / 4);
    window = idle_window(window, 60000, MOST);
    CHECK_EQ(window, MOST / 2);
    CHECK_EQ(idle_window(window, 60000, MOST), window); /* it covers that now */
    for (uint32_t i = 0; i < 10; i++)
        window = idle_window(window, MOST, MOST);
    CHECK_EQ(window, MOST);
}

TEST(it_ends_when_none_would)
{
    CHECK_EQ(idle_window(MOST, MOST + 1, MOST), 0);
    CHECK_EQ(idle_window(0, MOST + 1, MOST), 0);
    /* One long sleep in two: a sixteenth of what helps at most is ever looked in vain. */
    uint64_t window = 0, in_vain = 0;
    for (uint32_t i = 0; i < 100; i++) {
        in_vain += i & 1 ? window : 0;
        window = idle_window(window, i & 1 ? 10 * MOST : 1000, MOST);
    }
    CHECK_EQ(in_vain, 50 * (MOST / 16));
}
