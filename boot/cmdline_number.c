/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/platform.h"
#include "boot/program.h"

static uint32_t digit(char c)
{
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0');
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10 : 255;
}

static uint32_t suffix_shift(char c)
{
    switch (c | 0x20) {
    case 'k':
        return 10;
    case 'm':
        return 20;
    case 'g':
        return 30;
    default:
        return 0;
    }
}

/* What is not a number, or too large for 64 bits, counts as absent. */
uint64_t cmdline_number(const char *key, uint64_t fallback)
{
    const char *p = cmdline_get(key);
    uint32_t base = 10;
    uint64_t value = 0;

    if (!p)
        return fallback;
    if (p[0] == '0' && (p[1] | 0x20) == 'x') {
        base = 16;
        p += 2;
    }
    if (digit(*p) >= base)
        return fallback;
    for (; digit(*p) < base; p++) {
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit(*p), &value)) {
            return fallback;
        }
    }
    uint32_t shift = suffix_shift(*p);
    p += shift != 0;
    if ((*p && *p != ' ') || value << shift >> shift != value)
        return fallback;
    return value << shift;
}
