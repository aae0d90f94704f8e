/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of virtio network devices against a model of one. */
#include "test.h"
#include "tests/unit/nic_virtio_sim.h"
#include "user/frame_owner.c"
#include "drivers/nic/pool.c"
#include "drivers/nic/offload.c"
#include "drivers/nic/receive.c"
#include "drivers/nic/transmit.c"
#include "drivers/nic/nic.c"
#include "drivers/nic/virtio/control.c"
#include "drivers/nic/virtio/queue.c"
#include "drivers/nic/virtio/traffic.c"
#include "drivers/nic/virtio/virtio.c"

#define ALL                                                                                    \
    (F_CSUM | F_GUEST_CSUM | F_MAC | F_GUEST_TSO4 | F_GUEST_TSO6 | F_GUEST_ECN | F_HOST_TSO4 | \
     F_HOST_TSO6 | F_HOST_ECN | F_MRG_RXBUF | F_STATUS | F_CTRL_VQ | F_CTRL_RX | F_CTRL_VLAN | \
     F_MQ | F_CTRL_MAC | F_EVENT_IDX | F_VERSION_1 | F_PLATFORM | F_SPEED)
#define PLAIN (F_VERSION_1 | F_MAC | F_STATUS)

static struct frame frame, got;
static const struct virtio_net_hdr nothing;

#define OPEN(features)                 \
    do {                               \
        sim_init(features, NIC_PAIRS); \
        CHECK(!world_open());          \
        CHECK(card.running);           \
        CHECK(!world.violation);       \
    } while (0)

TEST(it_negotiates_what_it_knows)
{
    OPEN(ALL);
    CHECK_EQ(sim.accepted, ALL & ~(F_CTRL_VLAN | F_CTRL_MAC));
    CHECK_EQ(card.pairs, 2);
    CHECK_EQ(sim.pairs, 2);
    CHECK_EQ(world.channel->carrier, 1);
    CHECK_EQ(world.channel->speed, 10000);
    CHECK(world.channel->takes & FRAME_TAKES_TCP4 && world.channel->takes & FRAME_TAKES_ECN);
    CHECK(!(world.channel->takes & FRAME_TAKES_UDP));
    CHECK_EQ(card.mac[5], 0x56);
    OPEN(PLAIN);
    CHECK_EQ(sim.accepted, PLAIN);
    CHECK_EQ(card.pairs, 1);
    CHECK_EQ(card.takes, 0);
    /* Features whose foundation is missing are not taken. */
    OPEN(PLAIN | F_GUEST_TSO4 | F_HOST_TSO4 | F_CTRL_RX | F_MQ | F_HOST_ECN);
    CHECK_EQ(sim.accepted, PLAIN);
    OPEN(PLAIN | F_MTU);
    CHECK_EQ(world.channel->owner_mtu, 9000);
}

TEST(what_cannot_be_used_is_refused)
{
    sim_init(F_MAC, NIC_PAIRS);
    CHECK(nic_open(&card) != NULL); /* before 1.0 */
    sim_init(ALL, NIC_PAIRS);
    sim.reset_hangs = true;
    sim.status = 4;
    CHECK(nic_open(&card) != NULL);
    sim_init(ALL, NIC_PAIRS);
    sim.gone = true;
    CHECK(nic_open(&card) != NULL);
    sim_init(ALL, NIC_PAIRS);
    sim.queue[0].most = 100; /* no power of two */
    const char *why = world_open();
    for (uint32_t i = 0; i < 20 && !why; i++) {
        switch_follow();
        why = world_work();
    }
    CHECK(why && strstr(why, "queues"));
    sim_init(PLAIN, NIC_PAIRS);
    sim.device[0] |= 1; /* a group's address */
    CHECK(nic_open(&card) != NULL);
}

static void come_in(uint64_t features, uint32_t rounds)
{
    OPEN(features);
    for (uint32_t i = 0; i < rounds; i++) {
        uint32_t pair = world_random(card.active);
        bool sums = world_random(2);
        make_frame(&frame, 1 + world_random(features & F_MRG_RXBUF ? 60000 : 1400), false, false);
        CHECK(
            sim_arrive(pair, &frame, (struct virtio_net_hdr){.flags = sums ? HDR_DATA_VALID : 0}));
        CHECK(!world_work());
        CHECK(switch_take(pair, &got));
        CHECK_EQ(got.length, frame.length);
        CHECK(!memcmp(got.bytes, frame.bytes, frame.length));
        CHECK_EQ(got.flags, sums ? FRAME_CSUM_GOOD : 0);
        CHECK(!world.violation);
    }
    CHECK(!world_work());
    CHECK(buffers_are_whole(&card.queue[0]));
}

TEST(frames_come_in)
{
    come_in(ALL, 500);
    come_in(PLAIN, 500);
    come_in(PLAIN | F_MRG_RXBUF, 500);
}

TEST(what_the_header_says_is_passed_on)
{
    OPEN(ALL);
    make_frame(&frame, 20000, false, false);
    CHECK(sim_arrive(0, &frame,
                     (struct virtio_net_hdr){.flags = HDR_NEEDS_CSUM,
                                             .gso_type = GSO_TCP4 | GSO_ECN,
                                             .hdr_len = 54,
                                             .gso_size = 1448,
                                             .csum_start = 34,
                                             .csum_offset = 16}));
    CHECK(!world_work());
    CHECK(switch_take(0, &got));
    CHECK_EQ(got.flags, FRAME_NEEDS_CSUM | FRAME_CSUM_GOOD | FRAME_GSO_TCP4 | FRAME_GSO_ECN);
    CHECK_EQ(got.gso_size, 1448);
    CHECK_EQ(got.csum_start, 34);
    CHECK_EQ(got.csum_offset, 16);
}

static void go_out(uint64_t features)
{
    OPEN(features);
    for (uint32_t i = 0; i < 400; i++) {
        bool ipv6 = i & 1, udp = i & 2;
        uint32_t pair = world_random(card.active);
        make_frame(&frame, 30 + world_random(1400), ipv6, udp);
        world.wire_count = 0;
        CHECK(switch_give(pair, &frame));
        CHECK(!world_work());
        CHECK_EQ(world.wire_count, 1);
        CHECK_EQ(world.wire[0].length, frame.length);
        if (features & F_CSUM)
            CHECK_EQ(world.wire[0].csum_start, frame.csum_start);
        else
            CHECK(sums_are_right(&world.wire[0], ipv6, udp));
        CHECK(!world.violation);
    }
    CHECK(buffers_are_whole(&card.queue[0]));
}

TEST(frames_go_out)
{
    go_out(ALL);
    go_out(PLAIN); /* the sums are put in by the driver */
}

TEST(long_segments_go_out_uncut)
{
    OPEN(ALL);
    for (uint32_t i = 0; i < 100; i++) {
        make_frame(&frame, 3000 + world_random(60000), i & 1, false);
        frame.flags |= i & 1 ? FRAME_GSO_TCP6 : FRAME_GSO_TCP4;
        frame.gso_size = 1000;
        world.wire_count = 0;
        CHECK(switch_give(0, &frame));
        CHECK(!world_work());
        CHECK_EQ(world.wire_count, 1);
        CHECK_EQ(world.wire[0].length, frame.length);
        CHECK(!memcmp(world.wire[0].bytes, frame.bytes, frame.length));
        CHECK_EQ(world.wire[0].flags, HDR_NEEDS_CSUM | (i & 1 ? GSO_TCP6 : GSO_TCP4) << 8);
        CHECK_EQ(world.wire[0].gso_size, 1000);
        CHECK(!world.violation);
    }
}

TEST(frames_that_are_sent_out_of_order_free_their_buffers)
{
    OPEN(ALL);
    make_frame(&frame, 500, false, false);
    for (uint32_t round = 0; round < 50; round++) {
        uint32_t n = 1 + world_random(60);
        world.wire_count = 0;
        for (uint32_t i = 0; i < n; i++)
            CHECK(switch_give(0, &frame));
        CHECK(!world_work());
        CHECK_EQ(world.wire_count, n);
        CHECK(!world.violation);
        CHECK(buffers_are_whole(&card.queue[0]));
        CHECK_EQ(card.queue[0].tx_free, 0);
    }
}

TEST(a_full_ring_waits)
{
    OPEN(ALL);
    sim.hangs = true;
    make_frame(&frame, 500, false, false);
    for (uint32_t i = 0; i < 200; i++)
        CHECK(switch_give(0, &frame));
    CHECK(!world_work());
    CHECK(card.queue[0].tx_stalled);
    sim.hangs = false;
    sim_send_all(&sim.queue[1]);
    CHECK(!world_work());
    CHECK_EQ(world.wire_count, 200);
    CHECK(buffers_are_whole(&card.queue[0]));
}

enum lie_kind {
    LIE_ID,
    LIE_TWICE,
    LIE_LONG,
    LIE_SHORT,
    LIE_BUFFERS,
    LIE_COUNT,
    LIE_SENT,
    LIE_SENT_COUNT,
    LIES
};

static void tell_lie(enum lie_kind kind)
{
    struct sim_queue *rx = &sim.queue[0], *tx = &sim.queue[1];
    uint32_t id = sim_buffer(rx);
    struct virtio_net_hdr h = {.num_buffers = kind == LIE_BUFFERS ? 0 : 1};
    memcpy(world_memory(sim_desc(rx, id)->addr, NET_HEADER), &h, NET_HEADER);
    switch (kind) {
    case LIE_ID:
        sim_use(rx, 256, 100);
        break;
    case LIE_TWICE:
        sim_use(rx, id, 100);
        sim_use(rx, id, 100);
        break;
    case LIE_LONG:
        sim_use(rx, id, NIC_RX_BUFFER + 1);
        break;
    case LIE_SHORT:
        sim_use(rx, id, NET_HEADER - 1);
        break;
    case LIE_BUFFERS:
        sim_use(rx, id, 100);
        break;
    case LIE_COUNT:
        sim_use(rx, id, 100);
        *sim_word(rx->device + 2) = 1000;
        break;
    case LIE_SENT:
        sim_use(tx, 7, 0);
        break;
    default:
        *sim_word(tx->device + 2) = 1000;
    }
}

TEST(a_device_that_lies_is_reset)
{
    for (uint32_t kind = 0; kind < LIES; kind++) {
        OPEN(ALL);
        tell_lie((enum lie_kind)kind);
        CHECK(!world_work());
        CHECK_EQ(sim.resets, 2);
        CHECK_EQ(world.status.stat[NIC_RESETS], 1);
        switch_follow();
        CHECK(!world_work());
        CHECK(card.running);
        while (switch_take(0, &got))
            ;
        make_frame(&frame, 100, false, false);
        CHECK(sim_arrive(0, &frame, nothing));
        CHECK(!world_work());
        CHECK(switch_take(0, &got));
        CHECK(buffers_are_whole(&card.queue[0]));
    }
}

TEST(a_device_that_asks_for_a_reset_has_one)
{
    OPEN(ALL);
    sim.status |= STATUS_NEEDS_RESET;
    nic_interrupt(&card, NIC_IRQS - 1);
    CHECK(!world_work());
    CHECK_EQ(sim.resets, 2);
}

TEST(a_device_that_stops_to_send_is_reset)
{
    OPEN(ALL);
    sim.hangs = true;
    make_frame(&frame, 100, false, false);
    CHECK(switch_give(0, &frame));
    CHECK(!world_work());
    for (uint32_t s = 0; s < 10 && sim.resets == 1; s++) {
        world.now += 1000 * NIC_MS;
        CHECK(!world_work());
    }
    CHECK_EQ(sim.resets, 2);
}

TEST(a_device_that_goes_away_is_given_up)
{
    OPEN(ALL);
    sim.gone = true;
    nic_interrupt(&card, NIC_IRQS - 1);
    CHECK(world_work() != NULL);
}

TEST(a_control_queue_that_does_not_answer_is_not_waited_for_long)
{
    sim_init(ALL, NIC_PAIRS);
    sim.deaf = true;
    uint64_t start = world.now;
    world_open();
    CHECK(!card.running);
    CHECK(world.now - start < 60000 * NIC_MS);
}

TEST(the_link_is_watched)
{
    OPEN(ALL);
    sim.device[NET_STATUS] = 0;
    nic_interrupt(&card, NIC_IRQS - 1);
    CHECK_EQ(world.channel->carrier, 0);
    sim.device[NET_STATUS] = NET_LINK_UP;
    nic_interrupt(&card, NIC_IRQS - 1);
    CHECK_EQ(world.channel->carrier, 1);
}

TEST(filters_are_set)
{
    static const uint8_t group[6] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb};
    static const uint8_t other[6] = {0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc};
    OPEN(ALL);
    struct frame_filter *f = &world.channel->filter;
    memcpy(f->mac[0], group, 6);
    memcpy(f->mac[1], other, 6);
    f->macs = 2;
    world.channel->generation++;
    CHECK(!world_work());
    CHECK_EQ(sim.promisc, 0);
    CHECK_EQ(sim.allmulti, 0);
    CHECK_EQ(sim.table_bytes, 4 + 6 + 4 + 6);
    CHECK(!memcmp(sim.table + 4, other, 6));
    CHECK(!memcmp(sim.table + 14, group, 6));
    f->everything = 1;
    world.channel->generation++;
    CHECK(!world_work());
    CHECK_EQ(sim.promisc, 1);
    CHECK_EQ(sim.allmulti, 1);
}

TEST(random_traffic_loses_no_buffer)
{
    OPEN(ALL);
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t pair = world_random(2);
        make_frame(&frame, 30 + world_random(world_random(8) ? 1400 : 8000), false,
                   world_random(2));
        switch (world_random(4)) {
        case 0:
            sim_arrive(pair, &frame, nothing);
            break;
        case 1:
            switch_give(pair, &frame);
            break;
        case 2:
            switch_take(pair, &got);
            break;
        default:
            CHECK(!world_work());
            world.wire_count = 0;
        }
        CHECK(!world.violation);
    }
    CHECK(!world_work());
    CHECK(buffers_are_whole(&card.queue[0]) && buffers_are_whole(&card.queue[1]));
    CHECK_EQ(sim.resets, 1);
}
