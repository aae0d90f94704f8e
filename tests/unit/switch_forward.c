/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames through the whole switch: who gets them, who does not, who waits. */
#include "test.h"
#include "switch_world.h"

static uint8_t bytes[FRAME_BYTES_MAX], sent[FRAME_BYTES_MAX];
static struct frame_entry first;

static bool make_guests(uint32_t n)
{
    world_reset();
    bool good = true;
    for (uint32_t i = 0; i < n; i++) {
        struct switch_port c = guest(i);
        good &= end_make(i, &c, 0, 64);
    }
    return good;
}

TEST(a_frame_goes_to_the_port_of_its_address)
{
    CHECK(make_guests(3));
    uint8_t dst[6] = {0x52, 0, 0, 0, 0, 1}, src[6] = {0x52, 0, 0, 0, 0, 0};
    uint32_t n = make_frame(sent, dst, src, 0x88b5, 1514);
    CHECK(end_send(0, sent, n));
    world_run();
    CHECK_EQ(end_receive(1, bytes, sizeof(bytes), &first), n);
    CHECK(!memcmp(bytes, sent, n));
    CHECK_EQ(first.buffers, 1);
    CHECK_EQ(first.flags, 0);
    CHECK_EQ(end_drain(2), 0);
    CHECK_EQ(end_drain(0), 0);
    CHECK_EQ(end_sent(0, NULL), 1);
    CHECK_EQ(status.port_stat[0][SWITCH_TX_FRAMES], 1);
    CHECK_EQ(status.port_stat[0][SWITCH_TX_BYTES], n);
    CHECK_EQ(status.port_stat[1][SWITCH_RX_FRAMES], 1);
    CHECK_EQ(status.port_stat[1][SWITCH_RX_BYTES], n);
}

TEST(a_broadcast_goes_to_all_others)
{
    CHECK(make_guests(4));
    CHECK(end_send_to(2, 0xff, 60));
    world_run();
    for (uint32_t i = 0; i < 4; i++)
        CHECK_EQ(end_drain(i), i != 2);
}

TEST(networks_do_not_see_each_other)
{
    CHECK(make_guests(2));
    struct switch_port c = guest(2);
    c.network = 1;
    CHECK(end_make(2, &c, 0, 8));
    CHECK(end_send_to(0, 0xff, 60));
    CHECK(end_send_to(0, 2, 60));
    world_run();
    CHECK_EQ(end_drain(2), 0);
    CHECK_EQ(end_drain(1), 1);
}

TEST(an_address_is_learned_and_forgotten)
{
    CHECK(make_guests(3));
    ends[1].channel->listens = ends[2].channel->listens = FRAME_LISTENS_ALL;
    uint8_t other[6] = {2, 0, 0, 0, 0, 9}, src[6] = {0x52, 0, 0, 0, 0, 0};
    uint32_t n = make_frame(sent, everybody, other, 0x88b5, 60);
    CHECK(end_send(1, sent, n));
    world_run();
    CHECK_EQ(status.port_stat[1][SWITCH_MACS], 1);
    end_drain(2);
    n = make_frame(sent, other, src, 0x88b5, 60);
    CHECK(end_send(0, sent, n));
    world_run();
    CHECK_EQ(end_drain(1), 1);
    CHECK_EQ(end_drain(2), 0);
    world_pass(300000000000ull);
    CHECK(end_send(0, sent, n));
    world_run();
    CHECK_EQ(end_drain(1), 1);
    CHECK_EQ(end_drain(2), 1);
}

TEST(what_a_device_does_not_let_in_is_not_copied)
{
    CHECK(make_guests(3));
    uint8_t unknown[6] = {2, 0, 0, 0, 0, 9}, group[6] = {0x33, 0x33, 0, 0, 0, 1};
    uint8_t src[6] = {0x52, 0, 0, 0, 0, 0};
    ends[2].channel->listens = FRAME_LISTENS_ALL;
    end_send(0, sent, make_frame(sent, unknown, src, 0x88b5, 60));
    end_send(0, sent, make_frame(sent, group, src, 0x88b5, 60));
    world_run();
    CHECK_EQ(end_drain(1), 0);
    CHECK_EQ(end_drain(2), 2);
    ends[1].channel->listens = FRAME_LISTENS_LIST;
    ends[1].channel->list_macs = 1;
    memcpy(ends[1].channel->list_mac[0], group, 6);
    end_send(0, sent, make_frame(sent, group, src, 0x88b5, 60));
    world_run();
    CHECK_EQ(end_drain(1), 1);
}

TEST(a_long_frame_goes_on_in_the_next_buffers)
{
    CHECK(make_guests(1));
    struct switch_port c = guest(1);
    CHECK(end_make(1, &c, FRAME_TAKES_MERGE, 64));
    struct switch_network jumbo = {.mtu = 9000, .ageing_s = 300};
    CHECK_EQ(fabric_network(&fabric, 0, &jumbo), SWITCH_REFUSED_NOT);
    CHECK_EQ(ends[1].channel->mtu, 9000);
    CHECK(end_offer(1, FRAME_TAKES_MERGE, 12));
    end_buffers(1, 32);
    uint8_t dst[6] = {0x52, 0, 0, 0, 0, 1}, src[6] = {0x52, 0, 0, 0, 0, 0};
    uint32_t n = make_frame(sent, dst, src, 0x88b5, 9014);
    CHECK(end_send(0, sent, n));
    world_run();
    CHECK_EQ(end_receive(1, bytes, sizeof(bytes), &first), n);
    CHECK_EQ(first.buffers, 5);
    CHECK_EQ(first.length, BUFFER_BYTES - 12);
    CHECK(!memcmp(bytes, sent, n));
}

TEST(parts_of_a_frame_are_put_together)
{
    CHECK(make_guests(2));
    uint8_t dst[6] = {0x52, 0, 0, 0, 0, 1}, src[6] = {0x52, 0, 0, 0, 0, 0};
    uint32_t n = make_frame(sent, dst, src, 0x88b5, 1000);
    struct frame_entry e[4] = {{.offset = 0, .length = 5, .flags = FRAME_MORE},
                               {.offset = 100, .length = 0, .flags = FRAME_MORE},
                               {.offset = 200, .length = 300, .flags = FRAME_MORE},
                               {.offset = 900, .length = 695}};
    memcpy(ends[0].area, sent, 5);
    memcpy(ends[0].area + 200, sent + 5, 300);
    memcpy(ends[0].area + 900, sent + 305, 695);
    CHECK(frame_owner_post(&ends[0].owner.send[0], e, 4));
    end_bell(0);
    world_run();
    CHECK_EQ(end_receive(1, bytes, sizeof(bytes), &first), n);
    CHECK(!memcmp(bytes, sent, n));
    CHECK_EQ(end_sent(0, NULL), 4);
}

TEST(malformed_frames_are_refused_and_the_next_goes)
{
    CHECK(make_guests(2));
    struct frame_entry bad[] = {
        {.offset = AREA_BYTES - 10, .length = 60},
        {.offset = ~0ull, .length = 60},
        {.offset = 0, .length = 13},
        {.offset = 0, .length = 0},
        {.offset = 0, .length = FRAME_BYTES_MAX + 1},
        {.offset = 100000, .length = 60},
    };
    uint32_t errors = 0, n = sizeof(bad) / sizeof(bad[0]);
    memset(ends[0].area + 100000, 0xff, 64); /* the source is a group's address */
    for (uint32_t i = 0; i < n; i++)
        CHECK(frame_owner_post(&ends[0].owner.send[0], &bad[i], 1));
    CHECK(end_send_to(0, 1, 60) || true);
    world_run();
    CHECK_EQ(end_sent(0, &errors), n + 1);
    CHECK_EQ(errors, n);
    CHECK_EQ(status.port_stat[0][SWITCH_TX_ERRORS], n);
}

TEST(a_frame_without_an_end_is_refused)
{
    CHECK(make_guests(2));
    struct frame_entry e = {.offset = 0, .length = 100, .flags = FRAME_MORE};
    uint32_t errors = 0;
    for (uint32_t i = 0; i < FRAME_PARTS_MAX + 6; i++)
        CHECK(frame_owner_post(&ends[0].owner.send[0], &e, 1));
    end_bell(0);
    CHECK(world_run() < 100);
    CHECK_EQ(end_sent(0, &errors), FRAME_PARTS_MAX + 6);
    CHECK_EQ(errors, 1);
    CHECK_EQ(end_drain(1), 0);
}

TEST(an_index_that_lies_stops_only_its_owner)
{
    CHECK(make_guests(3));
    ends[0].channel->pair[0].send.posted += FRAME_ENTRIES + 1;
    bells |= SWITCH_BIT_PORT(0);
    CHECK(world_run() < 10);
    CHECK_EQ(status.port_stat[0][SWITCH_TX_ERRORS], 0); /* what was there has not been looked at */
    CHECK(end_send_to(1, 2, 60));
    world_run();
    CHECK_EQ(end_drain(2), 1);
}

TEST(a_sender_waits_for_a_receiver_without_buffers)
{
    CHECK(make_guests(1));
    struct switch_port c = guest(1);
    CHECK(end_make(1, &c, 0, 1));
    fabric_set_now(&fabric, world_ns += 1000000000);
    CHECK(end_send_to(0, 1, 60));
    CHECK(end_send_to(0, 1, 61));
    world_run();
    CHECK_EQ(end_sent(0, NULL), 1);
    CHECK(fabric_wake(&fabric) > world_ns);
    CHECK_EQ(end_drain(1), 1);
    end_buffers(1, 1);
    world_run();
    CHECK_EQ(end_sent(0, NULL), 1);
    CHECK_EQ(end_drain(1), 1);
    CHECK_EQ(fabric_wake(&fabric), 0);
    CHECK_EQ(status.port_stat[1][SWITCH_RX_DROPPED], 0);
}

TEST(nobody_waits_for_ever)
{
    CHECK(make_guests(3));
    struct switch_port c = guest(3);
    CHECK(end_make(3, &c, 0, 0));
    fabric_set_now(&fabric, world_ns += 1000000000);
    for (uint32_t i = 0; i < 100; i++)
        CHECK(end_send_to(0, 3, 60));
    CHECK(end_send_to(0, 1, 60));
    world_run();
    CHECK_EQ(end_drain(1), 0);
    world_pass(6000000);
    CHECK_EQ(end_drain(1), 1);
    CHECK_EQ(status.port_stat[3][SWITCH_RX_DROPPED], 100);
    CHECK_EQ(end_sent(0, NULL), 101);
}

TEST(a_slow_guest_loses_frames_in_the_end)
{
    struct switch_port c = guest(1);
    CHECK(make_guests(1));
    CHECK(end_make(1, &c, 0, 0));
    fabric_set_now(&fabric, world_ns += 1000000000);
    for (uint32_t i = 0; i < 100; i++) { /* a buffer each 4 ms, and two frames that want it */
        end_send_to(0, 1, 60), end_send_to(0, 1, 60);
        world_pass(4000000);
        end_sent(0, NULL);
        end_drain(1);
        end_buffers(1, 1);
        world_run();
    }
    CHECK(status.port_stat[1][SWITCH_RX_DROPPED] > 50);
}

TEST(an_idle_switch_asks_to_be_woken_once)
{
    CHECK(make_guests(2));
    CHECK_EQ(ends[0].channel->pair[0].send.switch_waits, 1);
    CHECK(end_send_to(0, 1, 60));
    CHECK_EQ(bells, SWITCH_BIT_PORT(0));
    CHECK_EQ(ends[0].channel->pair[0].send.switch_waits, 0);
    CHECK(end_send_to(0, 1, 60)); /* no second signal */
    CHECK_EQ(ends[1].signals, 2); /* when it was attached: its epoch, the link */
    world_run();
    CHECK_EQ(end_drain(1), 2);
    CHECK_EQ(ends[0].channel->pair[0].send.switch_waits, 1);
    uint32_t before = ends[1].signals; /* of its beginning; it has asked for none since */
    frame_owner_arm(&ends[1].owner.receive[0]);
    CHECK(end_send_to(0, 1, 60));
    world_run();
    CHECK_EQ(ends[1].signals, before + 1);
}

TEST(a_switch_that_follows_one_that_died_goes_on)
{
    CHECK(make_guests(2));
    CHECK(end_send_to(0, 1, 60));
    world_run();
    CHECK_EQ(end_drain(1), 1);
    CHECK(end_send_to(0, 1, 60)); /* nobody looks */
    struct switch_port c[2] = {ends[0].port->config, ends[1].port->config};
    free(ends[0].port);
    free(ends[1].port);
    struct switch_network n = {.mtu = 1500, .ageing_s = 300};
    fabric_init(&fabric, &status, 7, world_ns);
    fabric_network(&fabric, 0, &n);
    CHECK_EQ(end_attach(0, &c[0], false), SWITCH_REFUSED_NOT);
    CHECK_EQ(end_attach(1, &c[1], false), SWITCH_REFUSED_NOT);
    world_run();
    CHECK_EQ(end_drain(1), 1);
    CHECK_EQ(status.port_stat[0][SWITCH_TX_FRAMES], 2);
}

TEST(a_new_epoch_empties_the_rings)
{
    CHECK(make_guests(2));
    CHECK(end_send_to(0, 1, 60));
    world_run();
    CHECK_EQ(end_drain(1), 1);
    CHECK(end_offer(1, 0, 0));
    CHECK_EQ(ends[1].channel->pair[0].receive.posted, 0);
    fabric_set_now(&fabric, world_ns += 1000000000);
    CHECK(end_send_to(0, 1, 60));
    world_run();
    CHECK_EQ(end_drain(1), 0);
    CHECK_EQ(ends[1].channel->pair[0].receive.ended, 0); /* no buffer of the epoch before */
    end_buffers(1, 4);
    world_run();
    CHECK_EQ(end_drain(1), 1);
}

TEST(a_port_that_goes_takes_nothing_with_it)
{
    CHECK(make_guests(3));
    fabric_set_now(&fabric, world_ns += 1000000000);
    struct switch_port c = guest(3);
    CHECK(end_make(3, &c, 0, 0));
    CHECK(end_send_to(0, 3, 60)); /* waits */
    world_run();
    end_detach(3);
    world_run();
    CHECK_EQ(end_sent(0, NULL), 1);
    CHECK(end_send_to(0, 1, 60));
    world_run();
    CHECK_EQ(end_drain(1), 1);
    CHECK_EQ(fabric_wake(&fabric), 0);
    CHECK(fabric_detach(&fabric, 3) == NULL);
}

TEST(isolated_ports_see_no_other_isolated_port)
{
    world_reset();
    for (uint32_t i = 0; i < 3; i++) {
        struct switch_port c = guest(i);
        c.filters = i < 2 ? SWITCH_FILTER_ISOLATED : 0;
        CHECK(end_make(i, &c, 0, 8));
    }
    CHECK(end_send_to(0, 1, 60));
    CHECK(end_send_to(0, 0xff, 60));
    world_run();
    CHECK_EQ(end_drain(1), 0);
    CHECK_EQ(end_drain(2), 1);
    struct switch_network n = {.mtu = 1500, .ageing_s = 300, .isolated = 1};
    fabric_network(&fabric, 0, &n);
    CHECK(end_send_to(2, 1, 60));
    world_run();
    CHECK_EQ(end_drain(1), 0);
}

TEST(a_link_that_is_down_carries_nothing)
{
    CHECK(make_guests(2));
    struct switch_port c = guest(1);
    c.link = 0;
    CHECK_EQ(fabric_change(&fabric, 1, &c), SWITCH_REFUSED_NOT);
    CHECK_EQ(ends[1].channel->link, 0);
    CHECK(end_send_to(0, 1, 60));
    CHECK(end_send_to(1, 0, 60));
    world_run();
    CHECK_EQ(end_drain(1), 0);
    CHECK_EQ(end_drain(0), 0);
    CHECK_EQ(end_sent(1, NULL), 1);
}

TEST(one_of_several_uplinks_floods)
{
    CHECK(make_guests(1));
    struct switch_port c = uplink(4), d = uplink(5);
    CHECK(end_make(4, &c, 0, 16));
    CHECK(end_make(5, &d, 0, 16));
    CHECK(end_send_to(0, 0xff, 60));
    world_run();
    CHECK_EQ(end_drain(4), 1);
    CHECK_EQ(end_drain(5), 0);
    uint8_t outside[6] = {2, 0, 0, 0, 0, 9};
    make_frame(sent, everybody, outside, 0x88b5, 60);
    end_send(4, sent, 60);
    end_send(5, sent, 60);
    world_run();
    CHECK_EQ(end_drain(0), 1);
    CHECK_EQ(end_drain(4) + end_drain(5), 0); /* never from wire to wire */
    ends[4].channel->carrier = 0;
    bells |= SWITCH_BIT_PORT(4);
    CHECK(end_send_to(0, 0xff, 60));
    world_run();
    CHECK_EQ(end_drain(4), 0);
    CHECK_EQ(end_drain(5), 1);
}

TEST(own_frames_that_come_back_are_a_loop)
{
    CHECK(make_guests(2));
    struct switch_port c = uplink(4);
    CHECK(end_make(4, &c, 0, 16));
    uint8_t own[6] = {0x52, 0, 0, 0, 0, 0};
    make_frame(sent, everybody, own, 0x88b5, 60);
    end_send(4, sent, 60);
    world_run();
    CHECK_EQ(end_drain(1), 0);
    CHECK_EQ(status.loops, 1);
    CHECK(strstr(logged, "come back through port4"));
    CHECK(end_send_to(1, 0, 60));
    world_run();
    CHECK_EQ(end_drain(0), 1);
}

TEST(a_ring_of_two_guest_ports_is_reported_and_calmed)
{
    CHECK(make_guests(3));
    uint8_t outside[6] = {2, 0, 0, 0, 0, 9};
    make_frame(sent, everybody, outside, 0x88b5, 60);
    for (uint32_t i = 0; i < LOOP_MOVES + 2; i++) {
        end_send(i % 2, sent, 60);
        world_run();
        end_drain(0), end_drain(1), end_drain(2);
        end_buffers(0, 1), end_buffers(1, 1), end_buffers(2, 1);
    }
    CHECK(strstr(logged, "there is a loop"));
    CHECK_EQ(status.loops, 1);
    uint64_t before = status.port_stat[2][SWITCH_RX_FRAMES];
    end_send(0, sent, 60), end_send(1, sent, 60);
    world_run();
    CHECK_EQ(status.port_stat[2][SWITCH_RX_FRAMES], before);
    world_pass(LOOP_NS);
    end_send(0, sent, 60);
    world_run();
    CHECK_EQ(status.port_stat[2][SWITCH_RX_FRAMES], before + 1);
}

TEST(a_network_that_is_not_there_is_refused)
{
    world_reset();
    struct switch_port c = guest(0);
    c.network = 5;
    CHECK(!end_make(0, &c, 0, 0));
    struct switch_network bad = {.mtu = 20, .ageing_s = 1};
    CHECK_EQ(fabric_network(&fabric, 0, &bad), SWITCH_REFUSED_CONFIG);
    CHECK_EQ(fabric_network(&fabric, SWITCH_NETWORKS, &bad), SWITCH_REFUSED_PORT);
}
