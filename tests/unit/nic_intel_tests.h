/* SPDX-License-Identifier: BSD-2-Clause */
/* What holds for each family of Intel's controllers; the test that includes this defines CHIP,
 * FAMILY and CHIP_PAIRS, and includes the family's source. */
#ifndef TESTS_UNIT_NIC_INTEL_TESTS_H
#define TESTS_UNIT_NIC_INTEL_TESTS_H

#include "test.h"
#include "tests/unit/nic_intel_sim.h"
#include "user/frame_owner.c"
#include "drivers/nic/pool.c"
#include "drivers/nic/offload.c"
#include "drivers/nic/receive.c"
#include "drivers/nic/transmit.c"
#include "drivers/nic/nic.c"
#include "drivers/nic/intel/eeprom.c"
#include "drivers/nic/intel/filter.c"
#include "drivers/nic/intel/interrupt.c"
#include "drivers/nic/intel/link.c"
#include "drivers/nic/intel/receive.c"
#include "drivers/nic/intel/reset.c"
#include "drivers/nic/intel/statistics.c"
#include "drivers/nic/intel/transmit.c"

static struct frame frame, got;

#define OPEN()                              \
    do {                                    \
        sim_init(&CHIP, FAMILY, NIC_PAIRS); \
        CHECK(!world_open());               \
        CHECK(card.running);                \
        CHECK(!world.violation);            \
    } while (0)

static const uint8_t station[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

TEST(it_is_reset_and_has_its_address)
{
    OPEN();
    CHECK_EQ(sim.resets, 1);
    CHECK(!memcmp(card.mac, station, 6));
    CHECK(!memcmp(world.status.mac, station, 6));
    CHECK_EQ(world.status.state, NIC_RUNNING);
    CHECK_EQ(world.channel->carrier, 1);
    CHECK_EQ(world.channel->speed, 1000);
    CHECK_EQ(world.channel->pairs, CHIP_PAIRS);
    CHECK_EQ(card.queue[0].rx_tail - card.queue[0].rx_head, NIC_RING - 1);
    CHECK(buffers_are_whole(&card.queue[0]));
}

TEST(an_address_comes_from_the_eeprom)
{
    sim_init(&CHIP, FAMILY, NIC_PAIRS);
    sim.eeprom[0] = 0x0002;
    card.intel = NULL;
    /* The reset loads no valid address: as a chip whose EEPROM was not read by itself. */
    CHECK(!card.chip->reset(&card));
    *sim_reg(RAH(0)) = 0;
    CHECK(!intel_find_mac(&card));
    CHECK_EQ(card.mac[0], 0x02);
    CHECK_EQ(card.mac[2], sim.eeprom[1] & 255);
    sim.eeprom_silent = true;
    CHECK(intel_find_mac(&card) != NULL);
    sim.eeprom_silent = false;
    sim.eeprom[0] = 0x0001; /* a group's address */
    CHECK(intel_find_mac(&card) != NULL);
}

TEST(a_chip_that_is_not_there_is_refused)
{
    sim_init(&CHIP, FAMILY, NIC_PAIRS);
    sim.gone = true;
    CHECK(nic_open(&card) != NULL);
    sim_init(&CHIP, FAMILY, NIC_PAIRS);
    sim.reset_hangs = true;
    CHECK(nic_open(&card) != NULL);
}

TEST(frames_come_in)
{
    OPEN();
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t sums = world_random(3);
        make_frame(&frame, 1 + world_random(1400), i & 1, false);
        CHECK(sim_arrive(0, &frame, sums, false));
        CHECK(!world_work());
        CHECK(switch_take(0, &got));
        CHECK_EQ(got.length, frame.length);
        CHECK(!memcmp(got.bytes, frame.bytes, frame.length));
        CHECK_EQ(got.flags, sums == 1 ? FRAME_CSUM_GOOD : 0);
        CHECK(!world.violation);
    }
    CHECK_EQ(world.status.stat[NIC_RX_FRAMES], 1000);
    CHECK(buffers_are_whole(&card.queue[0]));
}

TEST(long_frames_come_in_parts)
{
    OPEN();
    for (uint32_t i = 0; i < 200; i++) {
        make_frame(&frame, 2000 + world_random(7000), false, false);
        CHECK(sim_arrive(0, &frame, 1, false));
        CHECK(!world_work());
        CHECK(switch_take(0, &got));
        CHECK_EQ(got.length, frame.length);
        CHECK(!memcmp(got.bytes, frame.bytes, frame.length));
    }
    CHECK(buffers_are_whole(&card.queue[0]));
}

TEST(bad_frames_are_dropped_and_counted)
{
    OPEN();
    make_frame(&frame, 5000, false, false);
    CHECK(sim_arrive(0, &frame, 1, true));
    CHECK(!world_work());
    CHECK(!switch_take(0, &got));
    CHECK_EQ(world.status.stat[NIC_RX_ERRORS], 1);
    CHECK(buffers_are_whole(&card.queue[0]));
    make_frame(&frame, 50, false, false);
    CHECK(sim_arrive(0, &frame, 1, false));
    CHECK(!world_work());
    CHECK(switch_take(0, &got));
}

TEST(a_switch_that_is_behind_loses_frames_and_no_buffers)
{
    OPEN();
    make_frame(&frame, 100, false, false);
    for (uint32_t i = 0; i < 2000; i++) {
        sim_arrive(0, &frame, 1, false);
        if (i % 16 == 0)
            CHECK(!world_work());
    }
    CHECK(!world_work());
    CHECK(buffers_are_whole(&card.queue[0]));
    uint32_t taken = 0;
    while (switch_take(0, &got))
        taken++;
    CHECK(taken >= 256);
    CHECK(!world_work());
    CHECK(buffers_are_whole(&card.queue[0]));
    CHECK(sim_arrive(0, &frame, 1, false));
    CHECK(!world_work());
    CHECK(switch_take(0, &got));
    CHECK(!world.violation);
}

TEST(frames_go_out_with_their_sums)
{
    OPEN();
    for (uint32_t i = 0; i < 400; i++) {
        bool ipv6 = i & 1, udp = i & 2;
        make_frame(&frame, 30 + world_random(1400), ipv6, udp);
        world.wire_count = 0;
        CHECK(switch_give(0, &frame));
        CHECK(!world_work());
        CHECK(!world.violation);
        CHECK_EQ(world.wire_count, 1);
        CHECK_EQ(world.wire[0].length, frame.length);
        CHECK(sums_are_right(&world.wire[0], ipv6, udp));
    }
    CHECK(buffers_are_whole(&card.queue[0]));
    CHECK_EQ(card.queue[0].tx_free, 0); /* all are with the switch again */
}

TEST(a_sum_that_no_chip_knows_is_put_in_here)
{
    OPEN();
    make_frame(&frame, 1000, false, true);
    put_be(frame.bytes + 12, 0x1234, 2); /* no IP */
    frame.csum_start = 300;
    frame.csum_offset = 33;
    put_be(frame.bytes + 333, 0, 2);
    CHECK(switch_give(0, &frame));
    CHECK(!world_work());
    CHECK_EQ(world.wire_count, 1);
    CHECK_EQ(sim.contexts, 0);
    /* The word stands at an odd place of what is summed: seen from there its bytes are swapped. */
    const uint8_t *w = world.wire[0].bytes;
    put_be(frame.bytes + 333, 0, 2);
    CHECK_EQ(get_be(w + 333, 2), ~ones_sum(frame.bytes + 300, frame.length - 300, 0) & 0xffff);
}

TEST(short_frames_are_padded_with_zeroes)
{
    OPEN();
    frame = (struct frame){.length = 20};
    CHECK(switch_give(0, &frame));
    CHECK(!world_work());
    CHECK_EQ(world.wire_count, 1);
    CHECK_EQ(world.wire[0].length, 60);
    for (uint32_t i = 20; i < 60; i++)
        CHECK_EQ(world.wire[0].bytes[i], 0);
}

TEST(a_short_frame_is_summed_before_it_is_padded)
{
    OPEN();
    make_frame(&frame, 0, false, false); /* a bare ACK: 54 bytes */
    CHECK(switch_give(0, &frame));
    CHECK(!world_work());
    CHECK_EQ(sim.contexts, 0);
    CHECK_EQ(world.wire[0].length, 60);
    CHECK(sums_are_right(&world.wire[0], false, false));
}

static bool segments_are_right(const struct frame *f, bool ipv6, uint32_t mss)
{
    uint32_t headers = 14 + (ipv6 ? 40 : 20) + 20, at = headers;
    uint32_t sequence = get_be(f->bytes + f->csum_start + 4, 4);
    for (uint32_t i = 0; i < world.wire_count; i++) {
        const struct frame *s = &world.wire[i];
        uint32_t bytes = s->length - headers;
        bool last = i + 1 == world.wire_count;
        if ((!last && bytes != mss) || bytes > mss || at + bytes > f->length ||
            memcmp(s->bytes + headers, f->bytes + at, bytes) || !sums_are_right(s, ipv6, false) ||
            get_be(s->bytes + f->csum_start + 4, 4) != sequence + at - headers)
            return false;
        at += bytes;
    }
    return at == f->length;
}

TEST(long_segments_are_cut)
{
    OPEN();
    for (uint32_t i = 0; i < 40; i++) {
        bool ipv6 = i & 1;
        if (ipv6 && !(card.takes & FRAME_TAKES_TCP6))
            continue;
        make_frame(&frame, i < 2 ? 65400 : 3000 + world_random(60000), ipv6, false);
        frame.flags |= ipv6 ? FRAME_GSO_TCP6 : FRAME_GSO_TCP4;
        frame.gso_size = (uint16_t)(500 + world_random(900));
        world.wire_count = 0;
        CHECK(switch_give(0, &frame));
        CHECK(!world_work());
        CHECK(!world.violation);
        CHECK(segments_are_right(&frame, ipv6, frame.gso_size));
    }
    CHECK(world.status.stat[NIC_TX_SEGMENTED] >= 20);
    CHECK(buffers_are_whole(&card.queue[0]));
}

TEST(what_the_switch_describes_wrongly_is_dropped)
{
    static const struct {
        uint16_t flags, gso_size, csum_start, csum_offset;
    } wrong[] = {
        {FRAME_NEEDS_CSUM, 0, 5000, 16},
        {FRAME_NEEDS_CSUM, 0, 34, 65535},
        {FRAME_NEEDS_CSUM, 0, 4, 6},
        {FRAME_GSO_TCP4, 1000, 34, 16},
        {FRAME_NEEDS_CSUM | FRAME_GSO_TCP4, 0, 34, 16},
        {FRAME_NEEDS_CSUM | FRAME_GSO_TCP4, 65000, 34, 16},
        {FRAME_NEEDS_CSUM | FRAME_GSO_TCP4, 1000, 34, 6},
        {FRAME_NEEDS_CSUM | FRAME_GSO_TCP4, 1000, 38, 16},
        {FRAME_NEEDS_CSUM | FRAME_GSO_TCP6, 1000, 34, 16},
        {FRAME_NEEDS_CSUM | FRAME_GSO_UDP, 1000, 34, 6},
        {FRAME_NEEDS_CSUM | FRAME_GSO_TCP4 | FRAME_GSO_TCP6, 1000, 34, 16},
        {FRAME_NEEDS_CSUM | FRAME_GSO_TCP4 | FRAME_GSO_ECN, 1000, 34, 16},
    };
    OPEN();
    uint32_t n = sizeof(wrong) / sizeof(wrong[0]);
    for (uint32_t i = 0; i < n; i++) {
        make_frame(&frame, 3000, false, false);
        frame.flags = wrong[i].flags;
        frame.gso_size = wrong[i].gso_size;
        frame.csum_start = wrong[i].csum_start;
        frame.csum_offset = wrong[i].csum_offset;
        CHECK(switch_give(0, &frame));
        CHECK(!world_work());
        CHECK_EQ(world.wire_count, 0);
        CHECK_EQ(world.status.stat[NIC_TX_DROPPED], i + 1);
        CHECK(!world.violation);
    }
    CHECK(buffers_are_whole(&card.queue[0]));
    make_frame(&frame, 1000, false, false);
    CHECK(switch_give(0, &frame));
    CHECK(!world_work());
    CHECK_EQ(world.wire_count, 1);
}

TEST(a_descriptor_with_an_impossible_length_has_the_chip_reset)
{
    OPEN();
    make_frame(&frame, 100, false, false);
    CHECK(sim_arrive(0, &frame, 1, false));
    struct intel_descriptor *d = sim_descriptor(sim_rx(0), 0);
    d->high |= FAMILY == SIM_LEGACY ? 0xffff : 0xffffull << 32;
    CHECK(!world_work());
    CHECK_EQ(sim.resets, 2);
    CHECK_EQ(world.status.stat[NIC_RESETS], 1);
    CHECK_EQ(world.troubles, 1);
    CHECK(!card.running); /* until the switch has followed */
    switch_follow();
    CHECK(!world_work());
    CHECK(card.running);
    CHECK(!switch_take(0, &got));
    CHECK(sim_arrive(0, &frame, 1, false));
    CHECK(!world_work());
    CHECK(switch_take(0, &got));
    CHECK(buffers_are_whole(&card.queue[0]));
}

TEST(a_chip_that_stops_to_send_is_reset)
{
    OPEN();
    sim.hangs = true;
    make_frame(&frame, 100, false, false);
    CHECK(switch_give(0, &frame));
    CHECK(!world_work());
    for (uint32_t s = 0; s < 10 && sim.resets == 1; s++) {
        world.now += 1000 * NIC_MS;
        CHECK(!world_work());
    }
    CHECK_EQ(sim.resets, 2);
    CHECK(strstr(world.told, "stopped") != NULL);
    sim.hangs = false;
    switch_follow();
    CHECK(!world_work());
    CHECK(switch_give(0, &frame));
    CHECK(!world_work());
    CHECK_EQ(world.wire_count, 1);
}

TEST(a_chip_that_goes_away_is_given_up)
{
    OPEN();
    sim.gone = true;
    nic_interrupt(&card, FAMILY == SIM_EXTENDED ? NIC_IRQS - 1 : 0);
    CHECK(world_work() != NULL);
    CHECK(strstr(world.told, "ones") != NULL);
}

TEST(one_that_never_behaves_is_given_up)
{
    const char *why = NULL;
    OPEN();
    make_frame(&frame, 100, false, false);
    for (uint32_t i = 0; i < 20 && !why; i++) {
        CHECK(sim_arrive(0, &frame, 1, false));
        struct intel_descriptor *d =
            sim_descriptor(sim_rx(0), (*sim_reg(sim_rx(0) + RING_HEAD) - 1) % NIC_RING);
        d->high |= FAMILY == SIM_LEGACY ? 0xffff : 0xffffull << 32;
        why = world_work();
        switch_follow();
        if (!why)
            why = world_work();
    }
    CHECK(why != NULL);
    CHECK(world.troubles <= 3); /* lines in the log */
}

TEST(the_link_is_watched)
{
    OPEN();
    sim.link = false;
    *sim_reg(ICR) = ICR_LSC;
    nic_interrupt(&card, FAMILY == SIM_EXTENDED ? NIC_IRQS - 1 : 0);
    CHECK_EQ(world.channel->carrier, 0);
    CHECK_EQ(world.status.link, 0);
    make_frame(&frame, 100, false, false);
    CHECK(switch_give(0, &frame));
    CHECK(!world_work());
    CHECK_EQ(world.wire_count, 0);
    CHECK_EQ(world.status.stat[NIC_TX_DROPPED], 1);
    sim.link = true;
    nic_interrupt(&card, FAMILY == SIM_EXTENDED ? NIC_IRQS - 1 : 0);
    world.now += 2000 * NIC_MS;
    CHECK(!world_work());
    CHECK_EQ(world.channel->carrier, 1);
}

TEST(filters_are_set)
{
    static const uint8_t group[6] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb};
    static const uint8_t other[6] = {0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc};
    OPEN();
    struct frame_filter *f = &world.channel->filter;
    memcpy(f->mac[0], group, 6);
    memcpy(f->mac[1], other, 6);
    f->macs = 2;
    f->vlan[1] = 1ull << 36; /* VLAN 100 */
    world.channel->mtu = 9000;
    world.channel->generation++;
    CHECK(!world_work());
    uint32_t rctl = *sim_reg(RCTL), hash = (0x00u >> 4 | 0xfbu << 4) & 0xfff;
    CHECK_EQ(rctl & (RCTL_UPE | RCTL_MPE), 0);
    CHECK(rctl & RCTL_VFE && rctl & RCTL_LPE && rctl & RCTL_EN);
    CHECK_EQ(*sim_reg(MTA(hash >> 5)), 1u << (hash & 31));
    CHECK_EQ(*sim_reg(RAL(1)), 0xaa005452);
    CHECK_EQ(*sim_reg(RAH(1)), RAH_AV | 0xccbb);
    CHECK_EQ(*sim_reg(VFTA(3)), 1u << 4);
    /* More stations than there are places. */
    for (uint32_t i = 0; i < 20; i++) {
        memcpy(f->mac[i], other, 6);
        f->mac[i][5] = (uint8_t)i;
    }
    f->macs = 20;
    world.channel->generation++;
    CHECK(!world_work());
    CHECK(*sim_reg(RCTL) & RCTL_UPE);
    f->macs = 0;
    f->everything = 1;
    world.channel->generation++;
    CHECK(!world_work());
    rctl = *sim_reg(RCTL);
    CHECK(rctl & RCTL_UPE && rctl & RCTL_MPE && !(rctl & RCTL_VFE));
    CHECK_EQ(*sim_reg(RAH(1)), 0);
    f->macs = 1000; /* cannot be */
    world.channel->generation++;
    CHECK(!world_work());
    CHECK_EQ(world.status.stat[NIC_LIES], 1);
}

TEST(missed_frames_are_counted)
{
    OPEN();
    make_frame(&frame, 100, false, false);
    CHECK(sim_arrive(0, &frame, 1, false));
    sim.missed = 7;
    CHECK(!world_work());
    world.now += 1500 * NIC_MS;
    CHECK(!world_work());
    CHECK_EQ(world.status.stat[NIC_RX_MISSED], 7);
}

TEST(an_idle_chip_needs_no_clock)
{
    OPEN();
    for (uint32_t i = 0; i < 3; i++) {
        world.now += 1500 * NIC_MS;
        CHECK(!world_work());
    }
    CHECK_EQ(nic_wake(&card), 0);
    make_frame(&frame, 100, false, false);
    CHECK(sim_arrive(0, &frame, 1, false));
    CHECK(!world_work());
    CHECK(nic_wake(&card) != 0);
}

TEST(random_traffic_loses_no_buffer)
{
    OPEN();
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t pair = world_random(CHIP_PAIRS);
        make_frame(&frame, 30 + world_random(world_random(8) ? 1400 : 8000), false,
                   world_random(2));
        switch (world_random(4)) {
        case 0:
            sim_arrive(pair, &frame, 1, world_random(50) == 0);
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
    for (uint32_t p = 0; p < CHIP_PAIRS; p++)
        CHECK(buffers_are_whole(&card.queue[p]));
    CHECK_EQ(sim.resets, 1);
}

#endif
