/* SPDX-License-Identifier: BSD-2-Clause */
/* The world around a NIC's driver: DMA memory, a clock, a switch on the other side of the frame
 * channel, and a wire. A chip's model includes this and defines the registers. What no driver may
 * do (DMA outside of its memory, a buffer in two places) sets `world.violation`. */
#ifndef TESTS_UNIT_NIC_WORLD_H
#define TESTS_UNIT_NIC_WORLD_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/unit/fake_syscalls.h"
#include "drivers/nic/nic.h"
#include "user/program.h"
#include "user/random.h"

#define RINGS_BASE  0x10000000ull
#define POOL_BASE   0x20000000ull
#define WIRE_FRAMES 512u

struct frame {
    uint32_t length;
    uint16_t flags;
    uint16_t gso_size, csum_start, csum_offset;
    uint8_t bytes[FRAME_BYTES_MAX];
};

static struct {
    uint8_t *rings, *pool;
    struct frame_channel *channel;
    struct nic_status status;
    struct nic_config config;
    uint64_t now, random;
    const char *violation;
    uint32_t bells, troubles, sleeps;
    char told[64];
    /* The wire behind the chip. */
    struct frame *wire;
    uint32_t wire_count;
    /* The switch's own indices. */
    uint32_t sent[NIC_PAIRS], received[NIC_PAIRS];
} world;
static struct nic card;

static uint32_t world_random(uint32_t below)
{
    world.random = world.random * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((world.random >> 33) % (below ? below : 1));
}

static void world_violate(const char *what)
{
    log_line("violation: %s", what);
    if (!world.violation)
        world.violation = what;
}

/* --- what the driver calls --- */

uint64_t time_ns(void)
{
    return world.now;
}

void log_line(const char *format, ...)
{
    va_list args;
    if (!getenv("NIC_LOG"))
        return;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

int64_t sys_notif_signal(uint32_t notif, uint64_t bits)
{
    (void)notif;
    (void)bits;
    world.bells++;
    return 0;
}

void nic_sleep(const struct nic *of, uint32_t microseconds)
{
    (void)of;
    world.sleeps++;
    world.now += microseconds * 1000ull;
}

void nic_tell(const struct nic *of, uint64_t event, const char *text)
{
    (void)of;
    world.troubles += event == NIC_EVENT_TROUBLE;
    log_line("told: %s", text);
    snprintf(world.told, sizeof(world.told), "%s", text);
}

void random_bytes(void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)data)[i] = (uint8_t)world_random(256);
}

/* --- DMA --- */

static uint8_t *world_memory(uint64_t address, uint64_t size)
{
    if (address >= RINGS_BASE && address - RINGS_BASE < NIC_RINGS_BYTES &&
        size <= NIC_RINGS_BYTES - (address - RINGS_BASE))
        return world.rings + (address - RINGS_BASE);
    if (address >= POOL_BASE && address - POOL_BASE < NIC_POOL_BYTES &&
        size <= NIC_POOL_BYTES - (address - POOL_BASE))
        return world.pool + (address - POOL_BASE);
    world_violate("DMA outside of the memory that was given");
    return NULL;
}

static void world_sent(const uint8_t *bytes, uint32_t length)
{
    if (world.wire_count == WIRE_FRAMES || length > FRAME_BYTES_MAX) {
        world_violate("too much on the wire");
        return;
    }
    struct frame *f = &world.wire[world.wire_count++];
    f->length = length;
    memcpy(f->bytes, bytes, length);
}

/* --- the switch --- */

static void switch_follow(void)
{
    struct frame_channel *c = world.channel;
    for (uint32_t i = 0; i < NIC_PAIRS; i++) {
        c->pair[i].send.posted = c->pair[i].send.ended = 0;
        c->pair[i].receive.posted = c->pair[i].receive.ended = 0;
        world.sent[i] = world.received[i] = 0;
    }
    c->switch_epoch = c->epoch;
}

/* Takes the next frame that the driver has sent; false: none. */
static bool switch_take(uint32_t pair, struct frame *f)
{
    struct frame_ring *r = &world.channel->pair[pair].send;
    bool more = true;
    if (r->posted == world.sent[pair])
        return false;
    *f = (struct frame){0};
    for (bool first = true; more; first = false) {
        const struct frame_entry *e = &r->entry[world.sent[pair]++ % FRAME_ENTRIES];
        if (e->offset > NIC_POOL_BYTES || e->length > NIC_POOL_BYTES - e->offset || !e->length ||
            f->length + e->length > FRAME_BYTES_MAX) {
            world_violate("a frame outside of the pool");
            return false;
        }
        if (first) {
            f->flags = e->flags & (uint16_t)~FRAME_MORE;
            f->gso_size = e->gso_size;
            f->csum_start = e->csum_start;
            f->csum_offset = e->csum_offset;
        }
        memcpy(f->bytes + f->length, world.pool + e->offset, e->length);
        f->length += e->length;
        more = e->flags & FRAME_MORE;
        if (more && world.sent[pair] == r->posted) {
            world_violate("a frame that goes on in an entry that is not posted");
            return false;
        }
    }
    r->ended = world.sent[pair];
    return true;
}

/* Gives the driver a frame to send; false: it has posted too little memory. */
static bool switch_give(uint32_t pair, const struct frame *f)
{
    struct frame_ring *r = &world.channel->pair[pair].receive;
    uint32_t done = 0, first = world.received[pair], n = 0;
    for (; done < f->length; n++) {
        if (first + n == r->posted)
            return false;
        done += NIC_TX_BUFFER;
    }
    done = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct frame_entry *e = &r->entry[(first + i) % FRAME_ENTRIES];
        uint32_t bytes = f->length - done < e->length ? f->length - done : e->length;
        if (e->length != NIC_TX_BUFFER || e->offset > NIC_POOL_BYTES - NIC_TX_BUFFER) {
            world_violate("empty memory outside of the pool");
            return false;
        }
        memcpy(world.pool + e->offset, f->bytes + done, bytes);
        e->length = bytes;
        e->flags = i ? 0 : f->flags;
        e->buffers = i ? 0 : (uint16_t)n;
        e->gso_size = f->gso_size;
        e->csum_start = f->csum_start;
        e->csum_offset = f->csum_offset;
        done += bytes;
    }
    world.received[pair] += n;
    r->ended = world.received[pair];
    return true;
}

/* --- frames --- */

static void put_be(uint8_t *p, uint32_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

static uint32_t get_be(const uint8_t *p, uint32_t bytes)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < bytes; i++)
        value = value << 8 | p[i];
    return value;
}

/* The ones' complement sum of RFC 1071, folded. */
static uint32_t ones_sum(const uint8_t *p, uint32_t bytes, uint32_t sum)
{
    for (uint32_t i = 0; i < bytes; i++)
        sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* The pseudo header's sum of a frame whose IP header stands at 14. */
static uint32_t pseudo_sum(const uint8_t *p, bool ipv6, uint32_t protocol, uint32_t length)
{
    const uint8_t *ip = p + 14;
    uint32_t sum = ipv6 ? ones_sum(ip + 8, 32, 0) : ones_sum(ip + 12, 8, 0);
    sum += protocol + length;
    return (sum & 0xffff) + (sum >> 16);
}

/* A TCP or UDP frame of the switch's: all headers right, the sum still to be put in. */
static void make_frame(struct frame *f, uint32_t payload, bool ipv6, bool udp)
{
    uint8_t *p = f->bytes;
    uint32_t l3 = ipv6 ? 40 : 20, l4 = udp ? 8 : 20, protocol = udp ? 17 : 6;
    *f = (struct frame){.length = 14 + l3 + l4 + payload, .flags = FRAME_NEEDS_CSUM};
    for (uint32_t i = 0; i < f->length; i++)
        p[i] = (uint8_t)world_random(256);
    put_be(p, 0x02, 1);
    put_be(p + 6, 0x02, 1);
    put_be(p + 12, ipv6 ? 0x86dd : 0x0800, 2);
    if (ipv6) {
        put_be(p + 14, 0x60000000, 4);
        put_be(p + 18, l4 + payload, 2);
        p[20] = (uint8_t)protocol;
    } else {
        put_be(p + 14, 0x45000000 | (l3 + l4 + payload), 4);
        put_be(p + 20, 0x4000, 2);
        p[23] = (uint8_t)protocol;
        put_be(p + 24, 0, 2);
        put_be(p + 24, ~ones_sum(p + 14, 20, 0) & 0xffff, 2);
    }
    uint8_t *t = p + 14 + l3;
    if (udp) {
        put_be(t + 4, l4 + payload, 2);
    } else {
        t[12] = 5 << 4;
        t[13] = 0x18; /* PSH, ACK */
    }
    f->csum_start = (uint16_t)(14 + l3);
    f->csum_offset = udp ? 6 : 16;
    put_be(t + f->csum_offset, pseudo_sum(p, ipv6, protocol, l4 + payload), 2);
}

/* All sums of a frame on the wire are right. */
static bool sums_are_right(const struct frame *f, bool ipv6, bool udp)
{
    uint32_t l3 = ipv6 ? 40 : 20;
    uint32_t length = ipv6 ? get_be(f->bytes + 18, 2) : get_be(f->bytes + 16, 2) - l3;
    if (14 + l3 + length > f->length || (!ipv6 && ones_sum(f->bytes + 14, 20, 0) != 0xffff))
        return false;
    uint32_t sum = pseudo_sum(f->bytes, ipv6, udp ? 17 : 6, length);
    return ones_sum(f->bytes + 14 + l3, length, sum) == 0xffff;
}

/* --- start --- */

static void world_init(const struct nic_chip *chip, uint32_t pairs)
{
    static uint8_t *rings, *pool;
    static struct frame_channel *channel;
    static struct frame *wire;
    if (!rings) { /* kept, so that many worlds a second can be made */
        rings = aligned_alloc(4096, NIC_RINGS_BYTES);
        pool = aligned_alloc(4096, NIC_POOL_BYTES);
        channel = aligned_alloc(4096, sizeof(*channel));
        wire = malloc(WIRE_FRAMES * sizeof(*wire));
        memset(pool, 0x5a, NIC_POOL_BYTES);
        memset(channel, 0, sizeof(*channel));
    }
    memset(&world, 0, sizeof(world));
    memset(&card, 0, sizeof(card));
    memset(rings, 0xa5, NIC_RINGS_BYTES);
    memset(channel, 0, frame_channel_bytes(NIC_PAIRS));
    world.random = 1;
    world.now = 1000 * NIC_MS;
    world.rings = rings;
    world.pool = pool;
    world.channel = channel;
    world.wire = wire;
    world.channel->mtu = 1500;
    world.config = (struct nic_config){.name = "eth0",
                                       .irqs = NIC_IRQS,
                                       .irq_messages = 1,
                                       .channel_pairs = pairs,
                                       .rings_base = RINGS_BASE,
                                       .pool_base = POOL_BASE};
    card.chip = chip;
    card.config = &world.config;
    card.status = &world.status;
    card.now = world.now;
    for (uint32_t i = 0; i < NIC_PAIRS; i++) {
        struct nic_queue *q = &card.queue[i];
        q->nic = &card;
        q->index = i;
        q->rings = world.rings + i * NIC_RINGS_PAIR;
        q->rings_base = RINGS_BASE + i * NIC_RINGS_PAIR;
        q->pool_offset = i * NIC_POOL_PAIR;
        q->pool = world.pool + q->pool_offset;
        q->pool_base = POOL_BASE + q->pool_offset;
    }
    if (pairs) {
        frame_owner_init(&card.owner, world.channel, pairs, 1, 1);
        card.has_channel = true;
    }
}

/* What main.c's loop does between two waits. */
static const char *world_work(void)
{
    for (uint32_t rounds = 0; rounds < 1000; rounds++) {
        do {
            card.now = world.now;
            nic_channel(&card);
            nic_tick(&card);
        } while (nic_poll(&card));
        const char *why = nic_mend(&card);
        if (why)
            return why;
        if (!nic_arm(&card))
            return NULL;
    }
    world_violate("the driver does not come to rest");
    return NULL;
}

static const char *world_open(void)
{
    const char *why = nic_open(&card);
    if (why)
        return why;
    world_work();
    switch_follow();
    return world_work();
}

/* Every buffer is in exactly one place, and all are accounted for once the chip is empty. */
static bool buffers_are_whole(const struct nic_queue *q)
{
    uint8_t rx[NIC_RX_BUFFERS] = {0}, tx[NIC_TX_BUFFERS] = {0};
    for (uint32_t i = 0; i < q->rx_free; i++)
        rx[q->rx_stack[i]]++;
    for (uint32_t i = 0; i < NIC_RING; i++)
        if (q->rx_buffer[i] != NIC_NONE)
            rx[q->rx_buffer[i]]++;
    for (uint32_t i = 0; i < q->rx_parts; i++)
        rx[q->rx_part[i]]++;
    for (uint32_t i = q->send->taken; i != q->send->posted; i++)
        rx[q->send_buffer[i % FRAME_ENTRIES]]++;
    for (uint32_t i = 0; i < q->tx_free; i++)
        tx[q->tx_stack[i]]++;
    for (uint32_t i = 0; i < q->tx.parts; i++)
        tx[q->tx.buffer[i]]++;
    for (uint32_t i = q->receive->taken; i != q->receive->posted; i++)
        tx[q->receive_buffer[i % FRAME_ENTRIES]]++;
    for (uint32_t i = 0; i < NIC_RX_BUFFERS; i++)
        if (rx[i] != 1)
            return false;
    for (uint32_t i = 0; i < NIC_TX_BUFFERS; i++)
        if (tx[i] > 1 || (q->tx_head == q->tx_tail && tx[i] != 1))
            return false;
    return true;
}

#endif
