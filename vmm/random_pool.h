/* SPDX-License-Identifier: BSD-2-Clause */
/* Random bytes for guests: ChaCha20 with fast key erasure, keyed from RDSEED and RDRAND where the
 * CPU has them and always from the jitter of the TSC. No source is trusted alone: each is mixed
 * into what the others gave. */
#ifndef VMM_RANDOM_POOL_H
#define VMM_RANDOM_POOL_H

#include <stddef.h>
#include <stdint.h>

struct random_pool {
    uint32_t key[8];
    uint64_t since_seed; /* bytes given since fresh entropy was mixed in */
    uint64_t seeds, hardware_words;
};

void random_pool_init(struct random_pool *pool);
/* Mixes len bytes into the key: K' = ChaCha20(K xor block), block by block. */
void random_pool_mix(struct random_pool *pool, const void *data, size_t len);
void random_pool_fill(struct random_pool *pool, void *data, size_t len);

/* ChaCha20 block function (RFC 8439, "The ChaCha20 Block Function"), 64 bytes out. */
void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
                    uint32_t out[16]);

#endif
