/* SPDX-License-Identifier: BSD-2-Clause */
/* VLANs: who sees which, and with what tag. */
#include "test.h"
#include "switch_world.h"

#define PRIORITY 0x6000u

static uint8_t bytes[2048], sent[2048];
static struct frame_entry first;

/* Ports: 0 and 1 access 10, 2 access 20, 3 trunk 10 and 30 (native), 4 none. */
static bool make(void)
{
    bool good = true;
    world_reset();
    for (uint32_t i = 0; i < 5; i++) {
        struct switch_port c = guest(i);
        c.vlan_mode = i < 3 ? SWITCH_VLAN_ACCESS : i == 3 ? SWITCH_VLAN_TRUNK : SWITCH_VLAN_NONE;
        c.vlan = i < 2 ? 10 : i == 2 ? 20 : i == 3 ? 30 : 0;
        if (i == 3)
            c.trunk[0] = 1ull << 10 | 1ull << 30;
        good &= end_make(i, &c, 0, 64);
    }
    return good;
}

static void broadcast(uint32_t from, int tci, int inner)
{
    uint8_t src[6] = {0x52, 0, 0, 0, 0, (uint8_t)from};
    uint32_t n = make_frame(sent, everybody, src, 0x88b5, 100);
    if (inner >= 0) {
        memmove(sent + 16, sent + 12, n - 12);
        write16(sent + 12, ETHERTYPE_VLAN), write16(sent + 14, (uint32_t)inner);
        n += 4;
    }
    if (tci >= 0) {
        memmove(sent + 16, sent + 12, n - 12);
        write16(sent + 12, ETHERTYPE_VLAN), write16(sent + 14, (uint32_t)tci);
        n += 4;
    }
    end_send(from, sent, n);
    world_run();
}

/* -2: nothing came; -1: untagged; else the tag. The payload must be what was sent. */
static int got(uint32_t at)
{
    uint32_t n = end_receive(at, bytes, sizeof(bytes), &first);
    if (!n)
        return -2;
    bool tagged = read16(bytes + 12) == ETHERTYPE_VLAN;
    uint32_t l3 = tagged ? 18 : 14;
    for (uint32_t i = 20; i < 100; i++) {
        if (bytes[l3 + i - 14] != (uint8_t)(i * 7 + 100))
            return -3;
    }
    return end_drain(at) ? -4 : tagged ? read16(bytes + 14) : -1;
}

static bool all(int a, int b, int c, int d, int e)
{
    int expected[5] = {a, b, c, d, e};
    bool good = true;
    for (uint32_t i = 0; i < 5; i++) {
        int is = got(i);
        if (is != expected[i])
            printf("  port %u got %d, not %d\n", i, is, expected[i]);
        good &= is == expected[i];
    }
    return good;
}

TEST(access_to_access_trunk_and_none)
{
    CHECK(make());
    broadcast(0, -1, -1);
    CHECK(all(-2, -1, -2, 10, 10));
    broadcast(2, -1, -1);
    CHECK(all(-2, -2, -2, -2, 20));
}

TEST(a_tag_at_an_access_port_is_dropped)
{
    CHECK(make());
    broadcast(0, 10, -1);
    broadcast(0, 20, -1);
    CHECK(all(-2, -2, -2, -2, -2));
    CHECK_EQ(status.port_stat[0][SWITCH_TX_FILTERED], 2);
    broadcast(0, (int)PRIORITY, -1); /* a priority and no VLAN */
    CHECK(all(-2, -1, -2, (int)(PRIORITY | 10), (int)(PRIORITY | 10)));
}

TEST(trunk_lets_its_vlans_in)
{
    CHECK(make());
    broadcast(3, 10, -1);
    CHECK(all(-1, -1, -2, -2, 10));
    broadcast(3, 20, -1);
    CHECK(all(-2, -2, -2, -2, -2));
    broadcast(3, -1, -1); /* native */
    CHECK(all(-2, -2, -2, -2, 30));
    broadcast(4, 30, -1);
    CHECK(all(-2, -2, -2, -1, -2));
    broadcast(4, -1, -1); /* no VLAN: a trunk has none such */
    CHECK(all(-2, -2, -2, -2, -2));
}

TEST(a_tag_inside_does_not_hop)
{
    CHECK(make());
    broadcast(4, 30, 10); /* would leave the trunk's native VLAN as a frame of VLAN 10 */
    CHECK(all(-2, -2, -2, -2, -2));
    broadcast(4, 10, 20);
    CHECK_EQ(got(0), -2);
    CHECK_EQ(end_drain(3), 1);
}

TEST(reserved_numbers_are_dropped)
{
    CHECK(make());
    broadcast(4, 0xfff, -1);
    CHECK(all(-2, -2, -2, -2, -2));
}

TEST(an_address_is_learned_in_its_vlan)
{
    CHECK(make());
    uint8_t a[6] = {2, 0, 0, 0, 0, 1}, src[6] = {0x52, 0, 0, 0, 0, 0};
    make_frame(sent, everybody, a, 0x88b5, 60);
    end_send(2, sent, 60); /* in VLAN 20 */
    world_run();
    for (uint32_t i = 0; i < 5; i++)
        end_drain(i), ends[i].channel->listens = FRAME_LISTENS_ALL;
    make_frame(sent, a, src, 0x88b5, 60);
    end_send(0, sent, 60); /* in VLAN 10 nobody has it: unknown */
    world_run();
    CHECK_EQ(end_drain(2), 0);
    CHECK_EQ(end_drain(1), 1);
}

TEST(known_addresses_of_other_vlans_are_out_of_reach)
{
    CHECK(make());
    end_send_to(0, 2, 60);
    end_send_to(2, 1, 60);
    world_run();
    for (uint32_t i = 0; i < 5; i++)
        CHECK_EQ(end_drain(i), 0);
    end_send_to(0, 1, 60);
    world_run();
    CHECK_EQ(end_drain(1), 1);
}

TEST(retagging_moves_nothing_else)
{
    struct packet p;
    static uint8_t data[64];
    for (uint32_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)i;
    p.part[0] = (struct packet_part){data, sizeof(data)};
    p.parts = 1;
    p.csum_start = 34;
    packet_begin(&p, sizeof(data));
    p.vlan = 5;
    packet_retag(&p, true);
    CHECK_EQ(packet_length(&p), 68);
    CHECK_EQ(p.csum_start, 38);
    CHECK_EQ(read32(p.head + 12), 0x81000005);
    CHECK(!memcmp(p.head, data, 12));
    packet_pull(&p, 40);
    CHECK(!memcmp(p.head + 16, data + 12, 24));
    packet_retag(&p, false);
    CHECK_EQ(p.csum_start, 34);
    CHECK(!memcmp(p.head, data, p.head_size));
    packet_pull(&p, PACKET_HEADER);
    CHECK_EQ(p.head_size, 64);
    CHECK(!memcmp(p.head, data, 64));
}
