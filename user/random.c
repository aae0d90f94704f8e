/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/random.h"
#include "user/program.h"
#include <stdint.h>
#include <string.h>

#define CPUID_1_ECX_RDRAND (1u << 30)
#define RDRAND_TRIES       10 /* SDM, "RDRAND": a working generator answers within ten */
#define JITTER_ROUNDS      256

static struct mutex random_mutex;
static uint32_t random_key[8]; /* (r) random_mutex */
static int random_seeded;      /* (r) */

static uint32_t rotate(uint32_t value, unsigned int bits)
{
    return value << bits | value >> (32 - bits);
}

static void quarter_round(uint32_t *x, int a, int b, int c, int d)
{
    x[a] += x[b];
    x[d] = rotate(x[d] ^ x[a], 16);
    x[c] += x[d];
    x[b] = rotate(x[b] ^ x[c], 12);
    x[a] += x[b];
    x[d] = rotate(x[d] ^ x[a], 8);
    x[c] += x[d];
    x[b] = rotate(x[b] ^ x[c], 7);
}

/* RFC 8439, "The ChaCha20 Block Function". input: counter and nonce, the state's last four words.
 */
static void chacha20_block(const uint32_t key[8], const uint32_t input[4], uint32_t out[16])
{
    static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    uint32_t start[16];
    memcpy(start, constants, sizeof(constants));
    memcpy(start + 4, key, 32);
    memcpy(start + 12, input, 16);
    memcpy(out, start, sizeof(start));
    for (int round = 0; round < 10; round++) {
        quarter_round(out, 0, 4, 8, 12);
        quarter_round(out, 1, 5, 9, 13);
        quarter_round(out, 2, 6, 10, 14);
        quarter_round(out, 3, 7, 11, 15);
        quarter_round(out, 0, 5, 10, 15);
        quarter_round(out, 1, 6, 11, 12);
        quarter_round(out, 2, 7, 8, 13);
        quarter_round(out, 3, 4, 9, 14);
    }
    for (int i = 0; i < 16; i++)
        out[i] += start[i];
}

static int has_rdrand(void)
{
    uint32_t eax = 1, ebx, ecx = 0, edx;
    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return (ecx & CPUID_1_ECX_RDRAND) != 0;
}

/* 0 when the generator gives nothing: the TSC's share remains. */
static uint64_t rdrand(void)
{
    for (int i = 0; i < RDRAND_TRIES; i++) {
        uint64_t value;
        uint8_t ok;
        __asm__ volatile("rdrand %0; setc %1" : "=r"(value), "=qm"(ok) : : "cc");
        if (ok)
            return value;
    }
    return 0;
}

/* Folds entropy into the key through the block function. */
static void stir(int rounds)
{
    int hardware = has_rdrand();
    for (int i = 0; i < rounds; i++) {
        uint64_t hard = hardware ? rdrand() : 0;
        uint64_t tsc = time_tsc();
        uint32_t input[4] = {(uint32_t)hard, (uint32_t)(hard >> 32), (uint32_t)tsc,
                             (uint32_t)(tsc >> 32)};
        uint32_t block[16];
        chacha20_block(random_key, input, block);
        memcpy(random_key, block, sizeof(random_key));
    }
}

void random_bytes(void *data, size_t size)
{
    unsigned char *out = data;
    mutex_lock(&random_mutex);
    stir(random_seeded ? 1 : JITTER_ROUNDS);
    random_seeded = 1;
    /* The first half of each block is the next key: what was given out cannot be computed again. */
    while (size) {
        uint32_t block[16];
        const uint32_t zero[4] = {0};
        size_t n = size < 32 ? size : 32;
        chacha20_block(random_key, zero, block);
        memcpy(random_key, block, sizeof(random_key));
        memcpy(out, block + 8, n);
        out += n;
        size -= n;
    }
    mutex_unlock(&random_mutex);
}

/* expat's source of hash salt. */
void arc4random_buf(void *data, size_t size);
void arc4random_buf(void *data, size_t size)
{
    random_bytes(data, size);
}
