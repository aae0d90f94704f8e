/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "vmm/channel.c"

/* The ring below: what it takes at once, and what becomes possible while the other side is asked
 * for a signal. */
static size_t now, later;
static unsigned arms;

void ring_init(struct ring *ring, void *shared, uint32_t size, uint32_t notif, uint64_t bits)
{
    *ring = (struct ring){.shared = shared, .size = size, .notif = notif, .bits = bits};
}

static size_t move(size_t len)
{
    size_t n = len < now ? len : now;
    now -= n;
    return n;
}

size_t ring_write(struct ring *ring, const void *data, size_t len)
{
    (void)ring, (void)data;
    return move(len);
}

size_t ring_read(struct ring *ring, void *data, size_t len)
{
    (void)ring, (void)data;
    return move(len);
}

size_t ring_producer_arm(struct ring *ring)
{
    (void)ring;
    arms++;
    now += later;
    later = 0;
    return now;
}

size_t ring_consumer_arm(struct ring *ring)
{
    return ring_producer_arm(ring);
}

TEST(asks_for_a_signal_only_when_short)
{
    static uint8_t pages[VMM_RING_BYTES];
    struct ring_channel rings;
    uint8_t data[10] = {0};
    ring_channel_init(&rings, pages, 5, 1, 2);
    CHECK(rings.in.shared == (void *)(pages + VMM_RING_BYTES / 2));
    CHECK_EQ(rings.out.bits, 1);
    now = 10, later = 0, arms = 0;
    CHECK_EQ(rings.channel.write(&rings, data, 10), 10);
    CHECK_EQ(arms, 0);
    now = 4;
    CHECK_EQ(rings.channel.write(&rings, data, 10), 4);
    CHECK_EQ(arms, 1);
    now = 4, later = 3; /* appeared between the try and the request */
    CHECK_EQ(rings.channel.write(&rings, data, 10), 7);
    now = 1, later = 2;
    CHECK_EQ(rings.channel.read(&rings, data, 10), 3);
    now = later = 0;
    CHECK_EQ(rings.channel.read(&rings, data, 10), 0);
}
