/* SPDX-License-Identifier: BSD-2-Clause */
/* A clock that the test moves, whose ticks are nanoseconds, and its log: the parts of
 * user/program.h that ring-3 code under test calls without more. */
#ifndef TESTS_UNIT_FAKE_TIME_H
#define TESTS_UNIT_FAKE_TIME_H

#include <stdint.h>
#include "tests/unit/fake/log.h"
#include "user/program.h"

static uint64_t now_tsc = 1000;

uint64_t time_tsc(void)
{
    return now_tsc;
}

uint64_t time_ns(void)
{
    return now_tsc;
}

uint64_t time_ns_to_tsc(uint64_t ns)
{
    return ns;
}

uint64_t time_tsc_to_ns(uint64_t tsc)
{
    return tsc;
}

#endif
