/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of a partition table, which are little-endian wherever they lie, and its checksum. */
#ifndef DRIVERS_GPT_BYTES_H
#define DRIVERS_GPT_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline uint32_t read32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t read64(const uint8_t *p)
{
    return read32(p) | (uint64_t)read32(p + 4) << 32;
}

static inline void write32(uint8_t *p, uint32_t value)
{
    for (uint32_t i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

static inline void write64(uint8_t *p, uint64_t value)
{
    write32(p, (uint32_t)value);
    write32(p + 4, (uint32_t)(value >> 32));
}

/* CRC-32 of Ethernet, reflected; `from` continues an earlier one. */
uint32_t gpt_crc32(uint32_t from, const uint8_t *data, size_t size);

#endif
