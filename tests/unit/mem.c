/* SPDX-License-Identifier: BSD-2-Clause */
/* The runtime's memory functions against the host's, under other names. */
#include "test.h"
#define memcpy  own_memcpy
#define memmove own_memmove
#define memset  own_memset
#define memcmp  own_memcmp
void *own_memcpy(void *restrict to, const void *restrict from, size_t size);
void *own_memmove(void *to, const void *from, size_t size);
void *own_memset(void *to, int value, size_t size);
int own_memcmp(const void *a, const void *b, size_t size);
#include "user/mem.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp

static unsigned char own[128], host[128];

static void fill(void)
{
    for (unsigned int i = 0; i < sizeof(own); i++)
        own[i] = host[i] = (unsigned char)(i * 37 + 1);
}

TEST(copies_like_the_host)
{
    for (size_t from = 0; from < 40; from += 3) {
        for (size_t size = 0; size < 40; size++) {
            fill();
            CHECK(own_memcpy(own + 80, own + from, size) == own + 80);
            memcpy(host + 80, host + from, size);
            CHECK(memcmp(own, host, sizeof(own)) == 0);
        }
    }
}

TEST(moves_overlapping_bytes)
{
    for (size_t from = 0; from < 40; from++) {
        for (size_t i = 0; i < 40 * 60; i++) {
            size_t to = i / 60, size = i % 60;
            fill();
            CHECK(own_memmove(own + to, own + from, size) == own + to);
            memmove(host + to, host + from, size);
            CHECK(memcmp(own, host, sizeof(own)) == 0);
        }
    }
}

TEST(sets_exactly_the_range)
{
    for (size_t size = 0; size < 60; size++) {
        fill();
        CHECK(own_memset(own + 5, 0x1ff, size) == own + 5);
        memset(host + 5, 0xff, size);
        CHECK(memcmp(own, host, sizeof(own)) == 0);
    }
}

TEST(compares_by_unsigned_byte)
{
    for (size_t at = 0; at < 40; at++) {
        fill();
        CHECK_EQ(own_memcmp(own, host, 40), 0);
        own[at] = 0x80;
        host[at] = 0x7f;
        CHECK(own_memcmp(own, host, 40) > 0);
        CHECK(own_memcmp(host, own, 40) < 0);
        CHECK_EQ(own_memcmp(own, host, at), 0);
    }
}
