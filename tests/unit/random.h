/* SPDX-License-Identifier: BSD-2-Clause */
/* The same random operands in each run. */
#ifndef TESTS_UNIT_RANDOM_H
#define TESTS_UNIT_RANDOM_H

#include <stdint.h>

/* xorshift64, one of four an edge: there flags change. */
static uint64_t random64(void)
{
    static uint64_t seed = 88172645463325252ull;
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    switch (seed >> 60) {
    case 0:
        return 0;
    case 1:
        return ~0ull;
    case 2:
        return 0x8000000080008080ull;
    case 3:
        return 0x7fffffff7fff7f7full;
    default:
        return seed;
    }
}

#endif
