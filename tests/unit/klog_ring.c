/* SPDX-License-Identifier: BSD-2-Clause */
/* The log's ring and the panic record. */
#include "test.h"

#include "arch/x86_64/klog_ring.c"
#include "arch/x86_64/panic_record.c"

static struct klog_ring fresh(uint64_t size)
{
    return (struct klog_ring){malloc(size), size, 0};
}

TEST(read_what_was_written)
{
    struct klog_ring r = fresh(16);
    char out[32];
    uint64_t position = 0;
    klog_ring_write(&r, "hello", 5);
    CHECK_EQ(klog_ring_read(&r, &position, out, sizeof(out)), 5);
    CHECK(!memcmp(out, "hello", 5));
    CHECK_EQ(position, 5);
    CHECK_EQ(klog_ring_read(&r, &position, out, sizeof(out)), 0);
    free(r.buffer);
}

TEST(old_bytes_are_lost)
{
    struct klog_ring r = fresh(8);
    char out[32];
    uint64_t position = 0;
    klog_ring_write(&r, "abcdef", 6);
    klog_ring_write(&r, "ghijk", 5);
    CHECK_EQ(klog_ring_oldest(&r), 3);
    CHECK_EQ(klog_ring_read(&r, &position, out, sizeof(out)), 8);
    CHECK(!memcmp(out, "defghijk", 8));
    CHECK_EQ(position, 11);
    free(r.buffer);
}

TEST(write_longer_than_the_ring)
{
    struct klog_ring r = fresh(4);
    char out[8];
    uint64_t position = 0;
    klog_ring_write(&r, "0123456789", 10);
    CHECK_EQ(r.head, 10);
    CHECK_EQ(klog_ring_read(&r, &position, out, sizeof(out)), 4);
    CHECK(!memcmp(out, "6789", 4));
    free(r.buffer);
}

TEST(position_from_the_future)
{
    struct klog_ring r = fresh(4);
    char out[8];
    uint64_t position = UINT64_MAX;
    klog_ring_write(&r, "ab", 2);
    CHECK_EQ(klog_ring_read(&r, &position, out, sizeof(out)), 0);
    CHECK_EQ(position, 2);
    free(r.buffer);
}

TEST(small_reads_see_all)
{
    struct klog_ring r = fresh(7);
    uint64_t position = 0;
    char expected = 0;
    for (uint32_t i = 0; i < 100; i++) {
        char in[3] = {(char)(3 * i), (char)(3 * i + 1), (char)(3 * i + 2)}, out[2];
        klog_ring_write(&r, in, 3);
        size_t n;
        while ((n = klog_ring_read(&r, &position, out, sizeof(out))) > 0)
            for (size_t k = 0; k < n; k++)
                CHECK_EQ((uint8_t)out[k], (uint8_t)expected++);
    }
    free(r.buffer);
}

TEST(record_survives_and_damage_shows)
{
    enum { SIZE = 64 };
    struct panic_record *r = calloc(1, SIZE);
    memcpy(r->text, "it broke", 8);
    CHECK(!panic_record_valid(r, SIZE));
    panic_record_seal(r, SIZE, 8);
    CHECK(panic_record_valid(r, SIZE));
    CHECK_EQ(r->length, 8);
    r->text[3] ^= 4;
    CHECK(!panic_record_valid(r, SIZE));
    panic_record_seal(r, SIZE, 1000);
    CHECK_EQ(r->length, SIZE - sizeof(*r));
    CHECK(panic_record_valid(r, SIZE));
    r->length = UINT32_MAX;
    CHECK(!panic_record_valid(r, SIZE));
    panic_record_seal(r, SIZE, 8);
    r->magic++;
    CHECK(!panic_record_valid(r, SIZE));
    free(r);
}
