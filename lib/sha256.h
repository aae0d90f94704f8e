/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 (FIPS 180-4), freestanding. */
#ifndef LIB_SHA256_H
#define LIB_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32u
#define SHA256_BLOCK 64u

struct sha256 {
    uint32_t state[8];
    uint64_t bytes;              /* taken so far */
    uint8_t block[SHA256_BLOCK]; /* the first bytes % 64 are waiting */
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *data, size_t size);
/* The structure is used up. */
void sha256_final(struct sha256 *hash, uint8_t digest[SHA256_BYTES]);

#endif
