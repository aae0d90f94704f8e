/* SPDX-License-Identifier: BSD-2-Clause */
/* What the NIC behind an uplink is asked to let in. */
#include "test.h"
#include "switch_world.h"

#define WIRE 0u

static const struct frame_filter *asked(void)
{
    return &ends[WIRE].channel->filter;
}

static bool asks_for(const uint8_t mac[6])
{
    for (uint32_t i = 0; i < asked()->macs; i++) {
        if (!memcmp(asked()->mac[i], mac, 6))
            return true;
    }
    return false;
}

static bool make(uint32_t guests, enum switch_vlan_mode mode)
{
    world_reset();
    struct switch_port c = uplink(WIRE);
    bool good = end_make(WIRE, &c, 0, 8);
    for (uint32_t i = 1; i <= guests; i++) {
        c = guest(i);
        c.vlan_mode = mode;
        c.vlan = mode == SWITCH_VLAN_ACCESS ? 10 * i : 0;
        c.trunk[1] = mode == SWITCH_VLAN_TRUNK ? 1u << i : 0;
        good &= end_make(i, &c, 0, 8);
    }
    return good;
}

static void listen(uint32_t i, uint32_t what)
{
    __atomic_store_n(&ends[i].channel->listens, what, __ATOMIC_RELEASE);
    frame_owner_hears(&ends[i].owner);
    world_run();
}

TEST(stations_of_guests_are_let_in)
{
    const uint8_t one[6] = {0x52, 0, 0, 0, 0, 1}, two[6] = {0x52, 0, 0, 0, 0, 2};
    CHECK(make(2, SWITCH_VLAN_NONE));
    CHECK(asks_for(one) && asks_for(two));
    CHECK(asked()->macs == 2 && !asked()->everything && !asked()->all_multicast);
    CHECK_EQ(asked()->vlan[0], 0);
    uint32_t generation = ends[WIRE].channel->generation;
    end_detach(2);
    CHECK(asks_for(one) && !asks_for(two));
    CHECK_EQ(ends[WIRE].channel->generation, generation + 1);
}

TEST(what_guests_listen_for)
{
    const uint8_t group[6] = {0x33, 0x33, 0, 0, 0, 9}, station[6] = {2, 0, 0, 0, 0, 9};
    CHECK(make(2, SWITCH_VLAN_NONE));
    memcpy(ends[1].channel->list_mac[0], group, 6);
    memcpy(ends[1].channel->list_mac[1], station, 6);
    memcpy(ends[2].channel->list_mac[0], group, 6);
    ends[1].channel->list_macs = 2;
    ends[2].channel->list_macs = 1;
    listen(1, FRAME_LISTENS_LIST);
    listen(2, FRAME_LISTENS_LIST);
    CHECK(asks_for(group) && asks_for(station));
    CHECK_EQ(asked()->macs, 4);
    listen(2, FRAME_LISTENS_MULTICAST);
    CHECK(asked()->all_multicast && !asked()->everything);
    listen(1, FRAME_LISTENS_ALL);
    CHECK(asked()->everything);
    listen(1, 0);
    CHECK(!asked()->everything && !asks_for(group));
}

TEST(more_than_the_list_holds)
{
    CHECK(make(1, SWITCH_VLAN_NONE));
    for (uint32_t i = 0; i < FRAME_MACS; i++) {
        ends[1].channel->list_mac[i][0] = 0x33;
        ends[1].channel->list_mac[i][5] = (uint8_t)i;
    }
    ends[1].channel->list_macs = FRAME_MACS;
    listen(1, FRAME_LISTENS_LIST);
    CHECK(asked()->all_multicast && !asked()->everything);
    for (uint32_t i = 0; i < FRAME_MACS; i++)
        ends[1].channel->list_mac[i][0] = 2;
    ends[1].channel->list_macs = UINT32_MAX;
    listen(1, FRAME_LISTENS_LIST);
    CHECK(asked()->everything);
}

TEST(vlans_of_ports)
{
    CHECK(make(3, SWITCH_VLAN_ACCESS));
    CHECK_EQ(asked()->vlan[0], 1 | 1u << 10 | 1u << 20 | 1u << 30);
    CHECK(make(2, SWITCH_VLAN_TRUNK));
    CHECK_EQ(asked()->vlan[1], 1u << 1 | 1u << 2);
    CHECK(make(1, SWITCH_VLAN_NONE));
    ends[1].channel->list_vlan[2] = 4;
    listen(1, FRAME_LISTENS_VLANS);
    CHECK(asked()->vlan[2] == 4 && asked()->vlan[0] == 1);
    listen(1, 0);
    CHECK(!asked()->vlan[2] && !asked()->vlan[0]);
}

TEST(a_mirrored_wire_shows_everything)
{
    CHECK(make(1, SWITCH_VLAN_ACCESS));
    struct switch_port c = uplink(WIRE);
    c.mirror = 5;
    CHECK_EQ(fabric_change(&fabric, WIRE, &c), SWITCH_REFUSED_NOT);
    CHECK(asked()->everything);
    c.mirror = 0;
    CHECK_EQ(fabric_change(&fabric, WIRE, &c), SWITCH_REFUSED_NOT);
    CHECK(!asked()->everything);
}

/* Its changes of mind are not the driver's work for long. */
TEST(a_fickle_guest)
{
    CHECK(make(1, SWITCH_VLAN_NONE));
    uint32_t before = ends[WIRE].channel->generation;
    for (uint32_t i = 0; i < 1000; i++)
        listen(1, i & 1 ? FRAME_LISTENS_MULTICAST : 0);
    CHECK(ends[WIRE].channel->generation - before < 12);
    CHECK(asked()->everything);
    world_pass(1000000000);
    listen(1, 0);
    CHECK(!asked()->everything && !asked()->all_multicast);
}

TEST(no_uplink_no_wishes)
{
    world_reset();
    struct switch_port c = guest(1);
    CHECK(end_make(1, &c, 0, 8));
    uint32_t before = ends[1].channel->generation;
    listen(1, FRAME_LISTENS_ALL);
    CHECK_EQ(ends[1].channel->generation, before);
}
