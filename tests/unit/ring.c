/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "fake_syscalls.h"
#include "user/ring.c"
#include <pthread.h>
#include <sched.h>

#define SIZE 64u

static uint32_t signalled_notif;
static uint64_t signalled_bits;

int64_t sys_notif_signal(uint32_t notif, uint64_t bits)
{
    signalled_notif = notif;
    signalled_bits = bits;
    return 0;
}

static struct ring in, out;

/* On the heap, exact: ASan sees accesses behind data[]. */
static struct ring_shared *fresh(uint32_t size)
{
    static struct ring_shared *shared;
    free(shared);
    shared = calloc(1, sizeof(*shared) + size);
    ring_init(&in, shared, size, 11, 0x1);
    ring_init(&out, shared, size, 22, 0x2);
    signalled_notif = 0;
    return shared;
}

TEST(carries_bytes_round_the_end)
{
    char text[40], copy[40];
    fresh(SIZE);
    for (int i = 0; i < 1000; i++) {
        memset(text, 'a' + i % 26, sizeof(text));
        CHECK_EQ(ring_write(&in, text, sizeof(text)), sizeof(text));
        CHECK_EQ(ring_read(&out, copy, sizeof(copy)), sizeof(copy));
        CHECK(memcmp(text, copy, sizeof(copy)) == 0);
    }
    CHECK_EQ(in.peer_errors + out.peer_errors, 0);
}

TEST(takes_no_more_than_fits)
{
    char text[100] = "x";
    fresh(SIZE);
    CHECK_EQ(ring_read(&out, text, sizeof(text)), 0);
    CHECK_EQ(ring_write(&in, text, sizeof(text)), SIZE);
    CHECK_EQ(ring_write(&in, text, 1), 0);
    CHECK_EQ(ring_read(&out, text, 10), 10);
    CHECK_EQ(ring_write(&in, text, sizeof(text)), 10);
    CHECK_EQ(ring_read(&out, text, sizeof(text)), SIZE);
}

TEST(indices_wrap_at_32_bits)
{
    char text[48] = "wrap", copy[48];
    struct ring_shared *shared = fresh(SIZE);
    shared->head = shared->tail = in.index = out.index = UINT32_MAX - 7;
    CHECK_EQ(ring_write(&in, text, sizeof(text)), sizeof(text));
    CHECK_EQ(shared->head, 40);
    CHECK_EQ(ring_read(&out, copy, sizeof(copy)), sizeof(copy));
    CHECK(memcmp(text, copy, sizeof(copy)) == 0);
    CHECK_EQ(in.peer_errors + out.peer_errors, 0);
}

TEST(signals_only_who_asked)
{
    char byte = 'x';
    struct ring_shared *shared = fresh(SIZE);
    ring_write(&in, &byte, 1);
    CHECK_EQ(signalled_notif, 0);
    CHECK_EQ(ring_consumer_arm(&out), 1);
    ring_write(&in, &byte, 1);
    CHECK_EQ(signalled_notif, 11);
    CHECK_EQ(signalled_bits, 0x1);
    CHECK_EQ(shared->consumer_waits, 0);
    CHECK_EQ(ring_producer_arm(&in), SIZE - 2);
    ring_read(&out, &byte, 1);
    CHECK_EQ(signalled_notif, 22);
    CHECK_EQ(signalled_bits, 0x2);
}

TEST(hostile_head_reads_inside_the_ring)
{
    static const uint32_t lies[] = {SIZE + 1, 0x80000000, UINT32_MAX, 1000};
    char copy[4 * SIZE];
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
        struct ring_shared *shared = fresh(SIZE);
        shared->head = lies[i];
        CHECK_EQ(ring_consumer_arm(&out), SIZE);
        CHECK_EQ(ring_read(&out, copy, sizeof(copy)), SIZE);
        CHECK_EQ(out.peer_errors, 2);
    }
}

TEST(hostile_tail_writes_inside_the_ring)
{
    static const uint32_t lies[] = {1, UINT32_MAX - SIZE, 0x7fffffff};
    char text[4 * SIZE] = "x";
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
        struct ring_shared *shared = fresh(SIZE);
        shared->tail = lies[i];
        CHECK_EQ(ring_producer_arm(&in), 0);
        CHECK_EQ(ring_write(&in, text, sizeof(text)), 0);
        CHECK_EQ(in.peer_errors, 2);
    }
}

/* The peer may also overwrite our own index in shared memory: it is never read back. */
TEST(own_index_is_private)
{
    char text[32] = "private", copy[32];
    struct ring_shared *shared = fresh(SIZE);
    ring_write(&in, text, 8);
    shared->head = 0xdeadbeef;
    ring_write(&in, text + 8, 8);
    CHECK_EQ(shared->head, 16);
    CHECK_EQ(ring_read(&out, copy, sizeof(copy)), 16);
    CHECK(memcmp(copy, "private", 8) == 0);
}

TEST(survives_any_shared_memory)
{
    char buffer[2 * SIZE] = "x";
    uint32_t seed = 1;
    struct ring_shared *shared = fresh(SIZE);
    for (int i = 0; i < 100000; i++) {
        seed = seed * 1664525u + 1013904223u;
        shared->head = seed;
        shared->tail = seed >> 3 | seed << 29;
        shared->consumer_waits = seed >> 7;
        CHECK(ring_write(&in, buffer, seed % sizeof(buffer)) <= SIZE);
        CHECK(ring_read(&out, buffer, (seed >> 9) % sizeof(buffer)) <= SIZE);
    }
}

static void *produce(void *unused)
{
    for (uint32_t sent = 0; sent < 2000000;) {
        uint8_t bytes[100];
        for (uint32_t k = 0; k < sizeof(bytes); k++)
            bytes[k] = (uint8_t)((sent + k) * 7);
        sent += (uint32_t)ring_write(&in, bytes, 1 + sent % 99);
        if (sent % 5 == 0)
            sched_yield();
    }
    return unused;
}

TEST(two_threads_keep_the_order)
{
    pthread_t thread;
    uint32_t got = 0;
    fresh(4096);
    pthread_create(&thread, NULL, produce, NULL);
    while (got < 2000000) {
        uint8_t bytes[77];
        size_t n = ring_read(&out, bytes, sizeof(bytes));
        for (size_t k = 0; k < n; k++)
            CHECK_EQ(bytes[k], (uint8_t)((got + k) * 7));
        got += (uint32_t)n;
        if (!n)
            sched_yield();
    }
    pthread_join(thread, NULL);
}
