/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "fake/mutex.h"
#define arc4random_buf own_arc4random_buf
#include "user/random.c"

static uint64_t clock_now;

uint64_t time_tsc(void)
{
    return clock_now++;
}

/* RFC 8439, "Test Vector for the ChaCha20 Block Function". */
TEST(chacha20_block_vector)
{
    static const uint32_t input[4] = {1, 0x09000000, 0x4a000000, 0};
    static const uint32_t expected[16] = {0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3,
                                          0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
                                          0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9,
                                          0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2};
    uint32_t key[8], out[16];
    for (uint32_t i = 0; i < 8; i++)
        key[i] = i * 0x04040404 + 0x03020100;
    chacha20_block(key, input, out);
    CHECK(memcmp(out, expected, sizeof(out)) == 0);
}

TEST(fills_exactly_the_buffer)
{
    for (size_t size = 0; size < 100; size++) {
        unsigned char buffer[102] = {0};
        random_bytes(buffer + 1, size);
        CHECK_EQ(buffer[0], 0);
        CHECK_EQ(buffer[size + 1], 0);
    }
    CHECK_EQ(random_mutex.state, 0);
}

TEST(outputs_differ_and_are_balanced)
{
    unsigned char a[4096], b[4096];
    unsigned int ones = 0;
    random_bytes(a, sizeof(a));
    random_bytes(b, sizeof(b));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
    for (size_t i = 0; i < sizeof(a); i++)
        ones += (unsigned int)__builtin_popcount(a[i]);
    CHECK(ones > 16384 - 640 && ones < 16384 + 640); /* seven standard deviations */
}

TEST(the_key_moves_on)
{
    uint32_t before[8];
    char byte;
    memcpy(before, random_key, sizeof(before));
    random_bytes(&byte, 1);
    CHECK(memcmp(before, random_key, sizeof(before)) != 0);
}
