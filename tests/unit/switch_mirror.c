/* SPDX-License-Identifier: BSD-2-Clause */
/* Copies of what a port sends and gets; as records of a pcap file at a capture port. */
#include "test.h"
#include "switch_world.h"

static uint8_t bytes[4096], sent[2048];
static struct frame_entry first;

/* 0 and 1 talk, 0 is mirrored to 2. */
static bool make(uint32_t kind)
{
    world_reset();
    struct switch_port a = guest(0), b = guest(1), c = guest(2);
    a.mirror = 3;
    c.kind = kind;
    if (kind == SWITCH_PORT_CAPTURE)
        memset(c.mac, 0, 6);
    return end_make(0, &a, 0, 32) && end_make(1, &b, 0, 32) && end_make(2, &c, 0, 32);
}

static uint32_t little(const uint8_t *p)
{
    uint32_t value;
    memcpy(&value, p, 4);
    return value;
}

TEST(both_directions_are_copied)
{
    CHECK(make(SWITCH_PORT_HOST));
    CHECK(end_send_to(0, 1, 100));
    CHECK(end_send_to(1, 0, 200));
    world_run();
    CHECK_EQ(end_receive(2, bytes, sizeof(bytes), &first), 100);
    CHECK_EQ(bytes[5], 1);
    CHECK_EQ(end_receive(2, bytes, sizeof(bytes), &first), 200);
    CHECK_EQ(bytes[11], 1);
    CHECK_EQ(end_drain(2), 0);
    CHECK_EQ(end_drain(0), 1);
    CHECK_EQ(end_drain(1), 1);
}

TEST(a_capture_port_gets_records)
{
    CHECK(make(SWITCH_PORT_CAPTURE));
    uint8_t dst[6] = {0x52, 0, 0, 0, 0, 1}, src[6] = {0x52, 0, 0, 0, 0, 0};
    uint32_t n = make_frame(sent, dst, src, 0x88b5, 1514);
    world_ns = 7000000123ull;
    end_send(0, sent, n);
    world_run();
    CHECK_EQ(end_receive(2, bytes, sizeof(bytes), &first), n + PCAP_RECORD);
    CHECK_EQ(little(bytes), 7);
    CHECK_EQ(little(bytes + 4), 123);
    CHECK_EQ(little(bytes + 8), n);
    CHECK_EQ(little(bytes + 12), n);
    CHECK(!memcmp(bytes + PCAP_RECORD, sent, n));
    end_send_to(0, 0xff, 60); /* only once, as a copy */
    world_run();
    CHECK_EQ(end_drain(2), 1);
}

TEST(a_capture_port_sends_nothing)
{
    CHECK(make(SWITCH_PORT_CAPTURE));
    CHECK(end_send_to(2, 0xff, 60));
    world_run();
    CHECK_EQ(end_drain(0), 0);
    CHECK_EQ(end_sent(2, NULL), 1);
}

TEST(a_mirror_that_is_full_or_gone_disturbs_nobody)
{
    CHECK(make(SWITCH_PORT_CAPTURE));
    for (uint32_t i = 0; i < 32; i++)
        CHECK(end_send_to(0, 0xff, 100));
    world_run();
    CHECK_EQ(end_drain(1), 32);
    end_buffers(1, 32);
    CHECK(end_send_to(0, 1, 100));
    world_run();
    CHECK_EQ(end_drain(1), 1);
    CHECK_EQ(status.port_stat[2][SWITCH_RX_DROPPED], 1);
    end_detach(2);
    CHECK(end_send_to(0, 1, 100));
    world_run();
    CHECK_EQ(end_drain(1), 1);
}

TEST(what_a_filter_refuses_is_seen_too)
{
    CHECK(make(SWITCH_PORT_CAPTURE));
    struct switch_port a = ends[0].port->config;
    a.filters = SWITCH_FILTER_MAC;
    a.mac[5] = 77;
    CHECK_EQ(fabric_change(&fabric, 0, &a), SWITCH_REFUSED_NOT);
    CHECK(end_send_to(0, 1, 100));
    world_run();
    CHECK_EQ(end_drain(1), 0);
    CHECK_EQ(end_drain(2), 1);
    CHECK_EQ(status.port_stat[0][SWITCH_TX_FILTERED], 1);
}
