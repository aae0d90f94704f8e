/* SPDX-License-Identifier: BSD-2-Clause */
/* A fuzzer's input as a script, from which a target draws what happens next. */
#ifndef TESTS_FUZZ_SCRIPT_H
#define TESTS_FUZZ_SCRIPT_H

#include <stdint.h>

struct script {
    const uint8_t *at, *end;
};

/* The next bytes as a number; zeroes at the end. */
static inline uint32_t draw(struct script *s, uint32_t bytes)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < bytes; i++)
        value = value << 8 | (s->at < s->end ? *s->at++ : 0);
    return value;
}

#endif
