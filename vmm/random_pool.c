/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdbool.h>
#include <string.h>
#include "vmm/random_pool.h"

#define RESEED_BYTES   4096u
#define JITTER_SAMPLES 512u
#define RETRIES        10u /* as Intel's guide to RDRAND advises */

static uint32_t rotate(uint32_t value, unsigned count)
{
    return value << count | value >> (32 - count);
}

static void quarter(uint32_t *s, unsigned a, unsigned b, unsigned c, unsigned d)
{
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 7);
}

void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
                    uint32_t out[16])
{
    uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}; /* "expand 32-byte k" */
    memcpy(start + 4, key, 32);
    start[12] = counter;
    memcpy(start + 13, nonce, 12);
    memcpy(out, start, sizeof start);
    for (unsigned i = 0; i < 10; i++) {
        for (unsigned column = 0; column < 4; column++)
            quarter(out, column, 4 + column, 8 + column, 12 + column);
        for (unsigned d = 0; d < 4; d++)
            quarter(out, d, 4 + (d + 1) % 4, 8 + (d + 2) % 4, 12 + (d + 3) % 4);
    }
    for (unsigned i = 0; i < 16; i++)
        out[i] += start[i];
}

void random_pool_mix(struct random_pool *pool, const void *data, size_t len)
{
    static const uint32_t nonce[3] = {0x6d6978, 0, 0};
    const uint8_t *bytes = data;
    for (size_t at = 0; at < len; at += 32) {
        uint32_t block[8] = {0}, out[16];
        memcpy(block, bytes + at, len - at < 32 ? len - at : 32);
        for (unsigned i = 0; i < 8; i++)
            block[i] ^= pool->key[i];
        chacha20_block(block, (uint32_t)len, nonce, out);
        memcpy(pool->key, out, sizeof pool->key);
    }
}

static void cpuid(uint32_t leaf, uint32_t *ebx, uint32_t *ecx)
{
    uint32_t eax = leaf, edx;
    *ecx = 0;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(*ebx), "+c"(*ecx), "=d"(edx));
}

static bool rdrand(uint64_t *value)
{
    uint8_t ok;
    __asm__ volatile("rdrand %0; setc %1" : "=r"(*value), "=qm"(ok) : : "cc");
    return ok;
}

static bool rdseed(uint64_t *value)
{
    uint8_t ok;
    __asm__ volatile("rdseed %0; setc %1" : "=r"(*value), "=qm"(ok) : : "cc");
    return ok;
}

static uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static void mix_hardware(struct random_pool *pool, bool (*source)(uint64_t *value))
{
    for (unsigned word = 0; word < 4; word++) {
        uint64_t value;
        for (unsigned i = 0; i < RETRIES; i++) {
            if (!source(&value))
                continue;
            random_pool_mix(pool, &value, sizeof value);
            pool->hardware_words++;
            break;
        }
    }
}

/* Times a walk through memory whose path depends on what was measured before; caches, DRAM refresh
 * and interrupts make the low bits unsteady. Counted as a fraction of a bit a sample, at best. */
static void mix_jitter(struct random_pool *pool)
{
    uint8_t table[512];
    uint64_t fold = 0, before = rdtsc();
    memset(table, 0x5a, sizeof table);
    for (unsigned i = 0; i < JITTER_SAMPLES; i++) {
        volatile uint8_t *cell = &table[(fold ^ i * 73u) % sizeof table];
        *cell = (uint8_t)(*cell + fold);
        uint64_t now = rdtsc();
        fold = (fold << 7 | fold >> 57) ^ (now - before) ^ *cell;
        before = now;
        if (i % 32 == 31)
            random_pool_mix(pool, &fold, sizeof fold);
    }
    random_pool_mix(pool, &before, sizeof before);
}

static void seed(struct random_pool *pool)
{
    uint32_t max_leaf = 0, ebx, ecx, unused;
    __asm__ volatile("cpuid" : "+a"(max_leaf), "=b"(ebx), "=c"(ecx), "=d"(unused));
    cpuid(1, &ebx, &ecx);
    if (ecx & 1u << 30)
        mix_hardware(pool, rdrand);
    if (max_leaf >= 7) {
        cpuid(7, &ebx, &ecx);
        if (ebx & 1u << 18)
            mix_hardware(pool, rdseed);
    }
    mix_jitter(pool);
    pool->since_seed = 0;
    pool->seeds++;
}

void random_pool_init(struct random_pool *pool)
{
    memset(pool, 0, sizeof *pool);
    seed(pool);
}

/* The first half of each request's first block becomes the next key before anything is given out,
 * so that a pool that is read later tells nothing about earlier output. */
void random_pool_fill(struct random_pool *pool, void *data, size_t len)
{
    static const uint32_t nonce[3] = {0x6f7574, 0, 0};
    uint8_t *bytes = data;
    if (pool->since_seed >= RESEED_BYTES)
        seed(pool);
    uint32_t key[8], block[16];
    memcpy(key, pool->key, sizeof key);
    chacha20_block(key, 0, nonce, block);
    memcpy(pool->key, block, sizeof pool->key);
    for (size_t at = 0; at < len; at += sizeof block) {
        chacha20_block(key, (uint32_t)(at / sizeof block) + 1, nonce, block);
        memcpy(bytes + at, block, len - at < sizeof block ? len - at : sizeof block);
    }
    pool->since_seed += len;
}
