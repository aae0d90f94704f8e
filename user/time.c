/* SPDX-License-Identifier: BSD-2-Clause */
/* The TSC as a clock: a conversion is one multiplication and one shift. */
#include "user/program.h"
#include "user/runtime.h"

#define TIME_SHIFT     40u
#define TIME_NS_PER_MS 1000000ull

static uint64_t time_ns_scale = TIME_NS_PER_MS; /* ns = tsc * scale >> TIME_SHIFT */
static uint64_t time_tsc_scale = 1;             /* tsc = ns * scale >> TIME_SHIFT */

/* tsc_khz: 1 to 2^24-1, so that the shifted values fit 64 bits. */
void time_init(uint64_t tsc_khz)
{
    if (tsc_khz == 0 || tsc_khz >> 24)
        tsc_khz = TIME_NS_PER_MS;
    time_ns_scale = (TIME_NS_PER_MS << TIME_SHIFT) / tsc_khz;
    time_tsc_scale = (tsc_khz << TIME_SHIFT) / TIME_NS_PER_MS;
}

static uint64_t scale(uint64_t value, uint64_t factor)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)(((wide)value * factor) >> TIME_SHIFT);
}

uint64_t time_tsc(void)
{
    return __builtin_ia32_rdtsc();
}

uint64_t time_tsc_to_ns(uint64_t tsc)
{
    return scale(tsc, time_ns_scale);
}

uint64_t time_ns_to_tsc(uint64_t ns)
{
    return scale(ns, time_tsc_scale);
}

uint64_t time_ns(void)
{
    return time_tsc_to_ns(time_tsc());
}
