/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/switch/sum.h"

/* Adds with the carry going round, so that eight bytes at a time are four sums of two. */
static uint64_t add_round(uint64_t a, uint64_t b)
{
    uint64_t s = a + b;
    return s + (s < a);
}

static uint64_t words_of(const uint8_t *data, uint32_t bytes)
{
    uint64_t s = 0, a, b, c, d;
    for (; bytes >= 32; bytes -= 32, data += 32) {
        memcpy(&a, data, 8);
        memcpy(&b, data + 8, 8);
        memcpy(&c, data + 16, 8);
        memcpy(&d, data + 24, 8);
        s = add_round(add_round(add_round(add_round(s, a), b), c), d);
    }
    for (; bytes >= 8; bytes -= 8, data += 8) {
        memcpy(&a, data, 8);
        s = add_round(s, a);
    }
    a = 0;
    memcpy(&a, data, bytes);
    return add_round(s, a);
}

static uint32_t fold(uint64_t v)
{
    v = (v & 0xffffffffu) + (v >> 32);
    v = (v & 0xffffffffu) + (v >> 32);
    v = (v & 0xffffu) + (v >> 16);
    v = (v & 0xffffu) + (v >> 16);
    return (uint32_t)v;
}

void sum_add(struct sum *sum, const uint8_t *data, uint32_t bytes)
{
    uint32_t s = fold(words_of(data, bytes));
    /* Behind an odd number of bytes every byte stands in the other half of its pair. */
    if (sum->odd)
        s = (s >> 8 | s << 8) & 0xffffu;
    sum->value += s;
    sum->odd ^= bytes & 1;
}

void sum_add_slice(struct sum *sum, struct slice slice)
{
    while (slice.length) {
        uint32_t piece = slice.part->length - slice.offset;
        if (piece > slice.length)
            piece = slice.length;
        sum_add(sum, slice.part->data + slice.offset, piece);
        slice.length -= piece;
        slice.part++;
        slice.offset = 0;
    }
}

uint16_t sum_fold(const struct sum *sum)
{
    return (uint16_t)fold(sum->value);
}
