/* SPDX-License-Identifier: BSD-2-Clause */
/* Conversions without 128-bit division; results beyond 64 bits are cut at UINT64_MAX. */
#ifndef LIB_TSC_MATH_H
#define LIB_TSC_MATH_H

#include "lib/types.h"

/* value * to / from; from below 2^32. */
static inline uint64_t scale(uint64_t value, uint64_t to, uint64_t from)
{
    uint64_t whole, part;
    if (__builtin_mul_overflow(value / from, to, &whole) ||
        __builtin_mul_overflow(value % from, to, &part) ||
        __builtin_add_overflow(whole, part / from, &whole))
        return UINT64_MAX;
    return whole;
}

/* to / from with 48 bits of fraction; both below 2^32, from not 0. */
static inline uint64_t tsc_ratio(uint64_t to, uint64_t from)
{
    uint64_t high = (to << 32) / from, rest = (to << 32) % from;
    return (high << 16) + (rest << 16) / from;
}

/* value * ratio, which has 48 bits of fraction, as CPUs scale a guest's TSC; 0: 1.0. */
static inline uint64_t tsc_scaled(uint64_t value, uint64_t ratio)
{
    __extension__ typedef unsigned __int128 wide;
    return ratio ? (uint64_t)((wide)value * ratio >> 48) : value;
}

/* The way back, rounded up: what is scaled again is never less. */
static inline uint64_t tsc_unscaled(uint64_t value, uint64_t ratio)
{
    uint64_t high = value >> 16, low = value << 48;
    if (!ratio || high >= ratio)
        return ratio ? UINT64_MAX : value;
    __asm__("divq %2" : "+a"(low), "+d"(high) : "r"(ratio) : "cc");
    return low + (low != UINT64_MAX);
}

/* Frequency in kHz from TSC ticks counted during `ticks` of a reference clock of `hz`; 0: none. */
static inline uint64_t khz_from_count(uint64_t tsc, uint64_t ticks, uint64_t hz)
{
    return ticks ? scale(tsc, hz, ticks) / 1000 : 0;
}

/* Whether b lies within a thousandth part `permille` of a. */
static inline bool within_permille(uint64_t a, uint64_t b, uint64_t permille)
{
    return (a > b ? a - b : b - a) <= a / 1000 * permille;
}

#endif
