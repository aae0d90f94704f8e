/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/pool/crc32c.h"

#include <string.h>

#define POLYNOMIAL 0x82f63b78u
#define SLICES     8u

static uint32_t table[SLICES][256];

static void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (uint32_t bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        table[0][i] = crc;
    }
    for (uint32_t slice = 1; slice < SLICES; slice++) {
        for (uint32_t i = 0; i < 256; i++)
            table[slice][i] = table[slice - 1][i] >> 8 ^ table[0][table[slice - 1][i] & 0xff];
    }
}

/* Eight bytes at a time: a byte that lies n bytes before the end of them counts by table n. */
uint32_t crc32c(const void *data, size_t size)
{
    const uint8_t *at = data;
    uint32_t crc = ~0u;
    if (!table[0][1])
        make_table();
    for (; size >= 8; at += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        word ^= crc;
        crc = 0;
        for (uint32_t i = 0; i < 8; i++)
            crc ^= table[7 - i][word >> (8 * i) & 0xff];
    }
    for (; size; at++, size--)
        crc = crc >> 8 ^ table[0][(crc ^ *at) & 0xff];
    return ~crc;
}
