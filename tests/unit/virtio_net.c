/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtio network card over a channel whose switch is simulated. */
#include "frame_sim.h"
#include "test.h"
#include "vmm_driver.h"

#define CARD MACHINE_SLOT_NET
#define RX   0u
#define TX   1u
#define CTRL 2u

#define EVENT  (1u << 29)
#define CSUM   (1u << 0)
#define GCSUM  (1u << 1)
#define GOFF   (1u << 2)
#define GTSO4  (1u << 7)
#define TSO4   (1u << 11)
#define MERGE  (1u << 15)
#define STATUS (1u << 16)
#define CVQ    (1u << 17)
#define CRX    (1u << 18)
#define CVLAN  (1u << 19)
#define ANN    (1u << 21)
#define MQ     (1u << 22)
#define CMAC   (1u << 23)
#define HDR    12u
#define PAGE   0x1000u

static struct driver d;
static uint8_t pattern[FRAME_BYTES_MAX];

static struct guest_net *card(void)
{
    return &the_devices.nets.net[0];
}

/* Frame bytes that differ everywhere. */
static void paint(uint32_t seed)
{
    for (uint32_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 7 + i / 251 + seed);
}

static void begin_with(uint32_t features, uint32_t pairs)
{
    sim_setup(VMM_NET_VIRTIO, pairs);
    machine_start();
    fake_signals = 0;
    paint(pairs);
    driver_start(&d, CARD, features, 2 * pairs + 1);
    sim_follow();
}

/* --- sending --- */

static void put_header(uint32_t at, struct virtio_net_hdr hdr)
{
    memcpy(fake_ram + at, &hdr, sizeof hdr);
}

/* A frame in two descriptors behind its header, offered and kicked. */
static void send_parts(uint32_t first, uint32_t second, struct virtio_net_hdr hdr, unsigned head)
{
    put_header(DATA_AT, hdr);
    memcpy(fake_ram + DATA_AT + HDR, pattern, first);
    memcpy(fake_ram + DATA_AT + 0x20000, pattern + first, second);
    set_desc(QUEUE_AT(TX), head, DATA_AT, HDR + first, second ? 1 : 0, head + 1);
    set_desc(QUEUE_AT(TX), head + 1, DATA_AT + 0x20000, second, 0, 0);
    offer(&d, TX, head);
    kick(&d, TX);
}

TEST(a_frame_is_sent_where_it_lies)
{
    begin_with(0, 1);
    send_parts(60, 1000, (struct virtio_net_hdr){0}, 2);
    CHECK_EQ(sim.channel->pair[0].send.posted, 2);
    CHECK(sim_take(0));
    CHECK_EQ(sim.length, 1060);
    CHECK(!memcmp(sim.frame, pattern, 1060));
    CHECK_EQ(sim.first.offset, DATA_AT + HDR);
    CHECK_EQ(sim.first.flags, FRAME_MORE);
    CHECK(!sim_take(0));
    /* The guest gets it back when the switch has ended it, not before. */
    sim_signal();
    CHECK_EQ(used_index(TX), 0);
    sim_end(0);
    sim_signal();
    CHECK_EQ(used_index(TX), 1);
    CHECK_EQ(get32(QUEUE_AT(TX) + 0x2000 + 4), 2);
}

TEST(the_header_becomes_flags)
{
    begin_with(CSUM | TSO4 | CVQ, 1);
    struct virtio_net_hdr hdr = {.flags = 1,
                                 .gso_type = 1,
                                 .hdr_len = 54,
                                 .gso_size = 1448,
                                 .csum_start = 34,
                                 .csum_offset = 16};
    send_parts(54, 60000, hdr, 0);
    CHECK(sim_take(0));
    CHECK_EQ(sim.first.flags, FRAME_MORE | FRAME_NEEDS_CSUM | FRAME_GSO_TCP4);
    CHECK_EQ(sim.first.gso_size, 1448);
    CHECK_EQ(sim.first.header_length, 54);
    CHECK_EQ(sim.first.csum_start, 34);
    CHECK_EQ(sim.first.csum_offset, 16);
}

TEST(a_header_that_cannot_be_loses_the_frame)
{
    static const struct virtio_net_hdr wrong[] = {
        {.flags = 1, .csum_start = 90, .csum_offset = 9},               /* sum outside */
        {.flags = 1, .csum_start = 0xffff, .csum_offset = 0xffff},      /* overflow */
        {.gso_type = 1, .gso_size = 1000},                              /* without sum */
        {.flags = 1, .gso_type = 1, .gso_size = 0},                     /* no size */
        {.flags = 1, .gso_type = 4, .gso_size = 1000, .csum_start = 4}, /* not negotiated */
        {.flags = 1, .gso_type = 0x81, .gso_size = 1000},               /* ECN neither */
        {.flags = 1, .gso_type = 77, .gso_size = 1000},
    };
    begin_with(CSUM | TSO4, 1);
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        send_parts(100, 0, wrong[i], 0);
        CHECK(!sim_take(0));
        CHECK_EQ(used_index(TX), i + 1);
        CHECK_EQ(card()->card.virtio.malformed, i + 1);
    }
    send_parts(13, 0, (struct virtio_net_hdr){0}, 0); /* shorter than its own header */
    CHECK(!sim_take(0));
    send_parts(100, 0, (struct virtio_net_hdr){0}, 0);
    CHECK(sim_take(0));
    CHECK_EQ(sim.length, 100);
    CHECK(!needs_reset(&d));
}

TEST(sums_that_were_not_negotiated_are_refused)
{
    begin_with(0, 1);
    send_parts(100, 0, (struct virtio_net_hdr){.flags = 1, .csum_start = 34, .csum_offset = 6}, 0);
    CHECK(!sim_take(0));
    CHECK_EQ(card()->card.virtio.malformed, 1);
}

TEST(a_frame_without_header_breaks_the_device)
{
    begin_with(0, 1);
    set_desc(QUEUE_AT(TX), 0, DATA_AT, HDR - 1, 0, 0);
    offer(&d, TX, 0);
    kick(&d, TX);
    CHECK(needs_reset(&d));
    CHECK(!sim_take(0));
}

TEST(too_long_a_frame_is_lost)
{
    begin_with(0, 1);
    set_desc(QUEUE_AT(TX), 0, DATA_AT, HDR + FRAME_BYTES_MAX + 1, 0, 0);
    offer(&d, TX, 0);
    kick(&d, TX);
    CHECK(!sim_take(0));
    CHECK_EQ(used_index(TX), 1);
    set_desc(QUEUE_AT(TX), 0, DATA_AT, HDR + FRAME_BYTES_MAX, 0, 0);
    offer(&d, TX, 0);
    kick(&d, TX);
    CHECK(sim_take(0));
    CHECK_EQ(sim.length, FRAME_BYTES_MAX);
}

/* Nobody is woken for a frame that was sent, until the timer. */
TEST(sent_frames_come_back_late_but_surely)
{
    begin_with(0, 1);
    send_parts(100, 0, (struct virtio_net_hdr){0}, 0);
    CHECK_EQ(sim.channel->pair[0].send.owner_waits, 0);
    CHECK(sim_take(0));
    sim_end(0);
    CHECK_EQ(used_index(TX), 0);
    CHECK(fake.deadline < UINT64_MAX);
    fake.ns = fake.deadline;
    machine_run_timers(&vm);
    CHECK_EQ(used_index(TX), 1);
    /* Then all is idle: no timer is left. */
    fake.ns += NS_PER_S;
    machine_run_timers(&vm);
    CHECK_EQ(card()->card.virtio.settle.place, 0);
}

/* --- receiving --- */

static void offer_buffers(unsigned n, uint32_t size)
{
    for (unsigned i = 0; i < n; i++) {
        set_desc(QUEUE_AT(RX), i, DATA_AT + i * 2 * PAGE, size, 2, 0);
        offer(&d, RX, i);
    }
    kick(&d, RX);
}

static struct virtio_net_hdr get_header(uint32_t at)
{
    struct virtio_net_hdr hdr;
    memcpy(&hdr, fake_ram + at, sizeof hdr);
    return hdr;
}

TEST(a_frame_comes_behind_its_header)
{
    begin_with(0, 1);
    offer_buffers(4, 2048);
    CHECK_EQ(sim_room(0), 4);
    CHECK(sim_deliver(0, pattern, 1500, (struct frame_entry){0}));
    CHECK_EQ(used_index(RX), 0);
    sim_signal();
    CHECK_EQ(used_index(RX), 1);
    CHECK_EQ(used_length(RX, 0), 1512);
    CHECK(!memcmp(fake_ram + DATA_AT + HDR, pattern, 1500));
    struct virtio_net_hdr hdr = get_header(DATA_AT);
    CHECK_EQ(hdr.flags, 0);
    CHECK_EQ(hdr.gso_type, 0);
    CHECK_EQ(hdr.num_buffers, 1);
    CHECK_EQ(sim.channel->pair[0].receive.owner_waits, 1);
}

TEST(a_long_frame_takes_several_buffers_at_once)
{
    begin_with(MERGE | GCSUM | GTSO4, 1);
    CHECK_EQ(sim.takes, FRAME_TAKES_MERGE | FRAME_TAKES_CSUM | FRAME_TAKES_TCP4);
    offer_buffers(6, 1500);
    struct frame_entry how = {.flags = FRAME_NEEDS_CSUM | FRAME_GSO_TCP4,
                              .gso_size = 1400,
                              .header_length = 54,
                              .csum_start = 34,
                              .csum_offset = 16};
    CHECK(sim_deliver(0, pattern, 4000, how));
    sim_signal();
    CHECK_EQ(used_index(RX), 3);
    CHECK_EQ(used_length(RX, 0), 1500);
    CHECK_EQ(used_length(RX, 1), 1500);
    CHECK_EQ(used_length(RX, 2), 4012 - 3000);
    CHECK(!memcmp(fake_ram + DATA_AT + HDR, pattern, 1488));
    CHECK(!memcmp(fake_ram + DATA_AT + 2 * PAGE, pattern + 1488, 1500));
    CHECK(!memcmp(fake_ram + DATA_AT + 4 * PAGE, pattern + 2988, 1012));
    struct virtio_net_hdr hdr = get_header(DATA_AT);
    CHECK_EQ(hdr.num_buffers, 3);
    CHECK_EQ(hdr.flags, 1);
    CHECK_EQ(hdr.gso_type, 1);
    CHECK_EQ(hdr.gso_size, 1400);
    CHECK_EQ(hdr.hdr_len, 54);
    CHECK_EQ(hdr.csum_start, 34);
    CHECK_EQ(hdr.csum_offset, 16);
}

/* The guest must never see a part of a frame, even if the switch ends its entries one by one. */
TEST(half_a_frame_is_not_shown)
{
    begin_with(MERGE, 1);
    offer_buffers(4, 1000);
    CHECK(sim_deliver(0, pattern, 2500, (struct frame_entry){0}));
    sim.channel->pair[0].receive.ended = 2;
    sim_signal();
    CHECK_EQ(used_index(RX), 0);
    sim.channel->pair[0].receive.ended = 3;
    sim_signal();
    CHECK_EQ(used_index(RX), 3);
}

TEST(a_buffer_may_have_its_header_apart)
{
    begin_with(0, 1);
    set_desc(QUEUE_AT(RX), 0, DATA_AT, 5, 3, 1);
    set_desc(QUEUE_AT(RX), 1, DATA_AT + PAGE, 7, 3, 2);
    set_desc(QUEUE_AT(RX), 2, DATA_AT + 2 * PAGE, 600, 3, 3);
    set_desc(QUEUE_AT(RX), 3, DATA_AT + 4 * PAGE, 1000, 2, 0);
    offer(&d, RX, 0);
    kick(&d, RX);
    CHECK_EQ(sim_room(0), 4);
    memset(fake_ram + DATA_AT, 0xee, 16);
    memset(fake_ram + DATA_AT + PAGE, 0xee, 16);
    CHECK(sim_deliver(0, pattern, 1500, (struct frame_entry){.flags = FRAME_CSUM_GOOD}));
    sim_signal();
    CHECK_EQ(used_length(RX, 0), 1512);
    CHECK(!memcmp(fake_ram + DATA_AT + 2 * PAGE, pattern, 600));
    CHECK(!memcmp(fake_ram + DATA_AT + 4 * PAGE, pattern + 600, 900));
    CHECK_EQ(fake_ram[DATA_AT + 4], 0);
    CHECK_EQ(fake_ram[DATA_AT + 5], 0xee);
    CHECK_EQ(fake_ram[DATA_AT + PAGE + 5], 1); /* num_buffers */
    CHECK_EQ(fake_ram[DATA_AT + PAGE + 7], 0xee);
}

TEST(buffers_without_room_break_the_device)
{
    begin_with(0, 1);
    set_desc(QUEUE_AT(RX), 0, DATA_AT, HDR, 2, 0);
    offer(&d, RX, 0);
    kick(&d, RX);
    CHECK(needs_reset(&d));
    begin_with(0, 1);
    for (unsigned i = 0; i < 3; i++)
        set_desc(QUEUE_AT(RX), i, DATA_AT + i * PAGE, i == 2 ? 1000 : 4, 2 | (i < 2), i + 1);
    put16(QUEUE_AT(RX) + 16 + 8, 3); /* 4 + 3 + 5: three parts */
    offer(&d, RX, 0);
    kick(&d, RX);
    CHECK(needs_reset(&d));
}

TEST(flags_that_were_not_negotiated_are_not_shown)
{
    begin_with(MERGE, 1);
    offer_buffers(4, 2048);
    struct frame_entry how = {.flags = FRAME_NEEDS_CSUM | FRAME_GSO_TCP4, .gso_size = 99};
    CHECK(sim_deliver(0, pattern, 100, how));
    CHECK(sim_deliver(0, pattern, 100, (struct frame_entry){.flags = FRAME_CSUM_GOOD}));
    sim_signal();
    CHECK_EQ(used_index(RX), 2);
    CHECK_EQ(get_header(DATA_AT).flags, 0);
    CHECK_EQ(get_header(DATA_AT).gso_type, 0);
    CHECK_EQ(get_header(DATA_AT + 2 * PAGE).flags, 0);
}

/* A switch that lies may lose frames, and nothing else. */
TEST(a_lying_switch_does_no_harm)
{
    begin_with(MERGE, 1);
    offer_buffers(4, 1000);
    struct frame_ring *ring = &sim.channel->pair[0].receive;
    ring->ended = 100;
    sim_signal();
    CHECK_EQ(used_index(RX), 0);
    CHECK(strstr(fake.log, "vnet0: the switch counts more"));
    ring->entry[0].length = 0xffffffff;
    ring->entry[0].buffers = 0xffff;
    ring->ended = 4;
    sim_signal();
    CHECK_EQ(used_index(RX), 4);
    CHECK_EQ(used_length(RX, 0), 1000);
    CHECK_EQ(get_header(DATA_AT).num_buffers, 4);
}

/* --- interrupts and notifications --- */

TEST(the_guest_is_asked_for_buffers_only_when_few_are_left)
{
    begin_with(EVENT | MERGE, 1);
    uint32_t avail_event = QUEUE_AT(RX) + 0x2000 + 4 + 8 * 8;
    offer_buffers(2, 2048);
    CHECK_EQ(get16(avail_event), 0); /* asked when there was none, quiet with 2 of 8 */
    for (unsigned i = 2; i < 8; i++) {
        set_desc(QUEUE_AT(RX), i, DATA_AT + i * 2 * PAGE, 2048, 2, 0);
        offer(&d, RX, i);
    }
    CHECK(sim_deliver(0, pattern, 100, (struct frame_entry){0}));
    sim_signal();
    CHECK_EQ(sim_room(0), 1 + 6);
    CHECK_EQ(get16(avail_event), 0);
    for (unsigned i = 0; i < 6; i++)
        CHECK(sim_deliver(0, pattern, 100, (struct frame_entry){0}));
    sim_signal();
    CHECK_EQ(get16(avail_event), 8);
}

TEST(one_interrupt_for_many_frames)
{
    begin_with(EVENT | MERGE, 1);
    uint32_t used_event = QUEUE_AT(RX) + 0x1000 + 4 + 2 * 8;
    unsigned before = (unsigned)card()->card.virtio.virtio.queue[RX].ring.interrupts_suppressed;
    offer_buffers(8, 2048);
    put16(used_event, 0);
    for (unsigned i = 0; i < 3; i++)
        CHECK(sim_deliver(0, pattern, 100, (struct frame_entry){0}));
    sim_signal();
    CHECK_EQ(card()->card.virtio.virtio.isr, 1);
    CHECK_EQ(card()->card.virtio.virtio.queue[RX].ring.interrupts_suppressed, before);
    card()->card.virtio.virtio.isr = 0;
    /* It has not asked again. */
    CHECK(sim_deliver(0, pattern, 100, (struct frame_entry){0}));
    sim_signal();
    CHECK_EQ(card()->card.virtio.virtio.isr, 0);
    CHECK_EQ(card()->card.virtio.virtio.queue[RX].ring.interrupts_suppressed, before + 1);
}

/* --- epochs --- */

TEST(a_reset_ends_when_the_switch_has_followed)
{
    begin_with(MERGE, 1);
    offer_buffers(4, 2048);
    uint32_t epoch = sim.channel->epoch;
    common_write(&d, 20, 1, 0);
    CHECK_EQ(sim.channel->epoch, epoch + 1);
    CHECK_EQ(common_read(&d, 20, 1), 15);
    common_write(&d, 20, 1, 1); /* too early: ignored */
    CHECK_EQ(common_read(&d, 20, 1), 15);
    /* What comes from the old epoch is nobody's. */
    CHECK(sim_deliver(0, pattern, 100, (struct frame_entry){0}));
    sim_signal();
    CHECK_EQ(used_index(RX), 0);
    sim_follow();
    CHECK_EQ(common_read(&d, 20, 1), 0);
    CHECK_EQ(sim.channel->pair[0].receive.posted, 0);
    /* Idle: the next reset has nothing to wait for. */
    common_write(&d, 20, 1, 0);
    CHECK_EQ(common_read(&d, 20, 1), 0);
    CHECK_EQ(sim.channel->epoch, epoch + 1);
}

TEST(buffers_are_posted_when_the_channel_is_ready)
{
    sim_setup(VMM_NET_VIRTIO, 1);
    machine_start();
    driver_start(&d, CARD, MERGE, 3);
    offer_buffers(4, 2048);
    send_parts(100, 0, (struct virtio_net_hdr){0}, 0);
    CHECK_EQ(sim.channel->pair[0].receive.posted, 0);
    CHECK_EQ(sim.channel->pair[0].send.posted, 0);
    CHECK(!memcmp(sim.channel->mac, config.net[0].mac, 6));
    sim_follow();
    CHECK_EQ(sim.channel->pair[0].receive.posted, 4);
    CHECK_EQ(sim.channel->pair[0].send.posted, 1);
}

/* --- the control queue --- */

static unsigned command(unsigned class, unsigned number, const void *data, uint32_t length)
{
    unsigned queue = CTRL;
    fake_ram[DATA_AT + 0x30000] = (uint8_t) class;
    fake_ram[DATA_AT + 0x30001] = (uint8_t)number;
    memcpy(fake_ram + DATA_AT + 0x31000, data, length);
    fake_ram[DATA_AT + 0x32000] = 0xee;
    set_desc(QUEUE_AT(queue), 0, DATA_AT + 0x30000, 2, 1, 1);
    set_desc(QUEUE_AT(queue), 1, DATA_AT + 0x31000, length, 1, 2);
    set_desc(QUEUE_AT(queue), 2, DATA_AT + 0x32000, 1, 2, 0);
    offer(&d, queue, 0);
    kick(&d, queue);
    return fake_ram[DATA_AT + 0x32000];
}

TEST(the_guest_says_what_it_lets_in)
{
    struct frame_channel *channel;
    uint8_t on = 1, off = 0, bad = 2;
    begin_with(CVQ | CRX | CVLAN, 1);
    channel = sim.channel;
    CHECK_EQ(channel->listens, FRAME_LISTENS_LIST | FRAME_LISTENS_VLANS);
    CHECK_EQ(command(0, 0, &on, 1), 0);
    CHECK(channel->listens & FRAME_LISTENS_ALL);
    CHECK_EQ(command(0, 0, &bad, 1), 1);
    CHECK_EQ(command(0, 0, &off, 1), 0);
    CHECK(!(channel->listens & FRAME_LISTENS_ALL));
    CHECK_EQ(command(0, 1, &on, 1), 0);
    CHECK(channel->listens & FRAME_LISTENS_MULTICAST);
    CHECK_EQ(command(0, 2, &on, 1), 1);
    static const uint8_t table[] = {1, 0, 0, 0,  2, 0, 0, 0,  0,  9, 2, 0, 0,
                                    0, 1, 0, 94, 0, 0, 1, 51, 51, 0, 0, 0, 1};
    CHECK_EQ(command(1, 0, table, sizeof table), 0);
    CHECK_EQ(channel->list_macs, 3);
    CHECK_EQ(channel->list_mac[0][5], 9);
    CHECK_EQ(channel->list_mac[2][0], 51);
    CHECK_EQ(command(1, 0, table, sizeof table - 1), 1); /* cut */
    CHECK_EQ(channel->list_macs, 0);
    static uint8_t many[4 + 33 * 6 + 4];
    many[0] = 33;
    CHECK_EQ(command(1, 0, many, sizeof many), 0);
    CHECK(channel->listens & FRAME_LISTENS_ALL);
    uint16_t vlan = 77, none = 4096;
    CHECK_EQ(command(2, 0, &vlan, 2), 0);
    CHECK_EQ(channel->list_vlan[1], 1ull << 13);
    CHECK_EQ(command(2, 1, &vlan, 2), 0);
    CHECK_EQ(channel->list_vlan[1], 0);
    CHECK_EQ(command(2, 0, &none, 2), 1);
    CHECK_EQ(command(1, 1, table, 6), 1); /* not negotiated */
    CHECK_EQ(command(9, 9, table, 6), 1);
}

TEST(without_control_everything_comes_in)
{
    begin_with(0, 1);
    CHECK(sim.channel->listens & FRAME_LISTENS_ALL);
    CHECK(!(sim.channel->listens & FRAME_LISTENS_VLANS));
}

/* A new address is a new epoch: posted buffers are posted again, frames on their way are given
 * back. */
TEST(a_new_address_loses_no_buffer)
{
    static const uint8_t mac[] = {2, 0, 0, 0, 0, 9}, group[] = {1, 0, 0, 0, 0, 9};
    begin_with(CVQ | CMAC | MERGE, 1);
    offer_buffers(6, 1000);
    CHECK(sim_deliver(0, pattern, 100, (struct frame_entry){0}));
    sim_signal();
    send_parts(100, 0, (struct virtio_net_hdr){0}, 4);
    /* Half a frame has come. */
    CHECK(sim_deliver(0, pattern, 1500, (struct frame_entry){0}));
    sim.channel->pair[0].receive.ended = 2;
    sim_signal();
    CHECK_EQ(command(1, 1, group, 6), 1);
    uint32_t epoch = sim.channel->epoch;
    CHECK_EQ(command(1, 1, mac, 6), 0);
    CHECK_EQ(sim.channel->epoch, epoch + 1);
    CHECK(!memcmp(sim.channel->mac, mac, 6));
    CHECK_EQ(used_index(TX), 0);
    sim_follow();
    CHECK_EQ(used_index(TX), 1);
    CHECK_EQ(get32(QUEUE_AT(TX) + 0x2000 + 4), 4);
    CHECK_EQ(used_index(RX), 1);
    CHECK_EQ(sim_room(0), 5);
    CHECK_EQ(sim.channel->pair[0].receive.entry[0].offset, DATA_AT + 2 * PAGE);
    CHECK(sim_deliver(0, pattern, 2500, (struct frame_entry){0}));
    sim_signal();
    CHECK_EQ(used_index(RX), 4);
    CHECK(!memcmp(fake_ram + DATA_AT + 4 * PAGE, pattern + 988, 1000));
}

TEST(pairs_are_the_guests_choice)
{
    uint16_t two = 2, none = 0, many = 3;
    begin_with(CVQ | MQ | MERGE, 2);
    CHECK_EQ(sim.channel->pairs, 1);
    /* With MQ the control queue is the last one. */
    memcpy(fake_ram + DATA_AT + 0x30000, "\4\0\2\0", 4);
    set_desc(QUEUE_AT(4), 0, DATA_AT + 0x30000, 4, 1, 1);
    set_desc(QUEUE_AT(4), 1, DATA_AT + 0x32000, 1, 2, 0);
    fake_ram[DATA_AT + 0x32000] = 0xee;
    offer(&d, 4, 0);
    kick(&d, 4);
    CHECK_EQ(fake_ram[DATA_AT + 0x32000], 0);
    CHECK_EQ(sim.channel->pairs, 2);
    sim_follow();
    set_desc(QUEUE_AT(2), 0, DATA_AT, 2048, 2, 0);
    offer(&d, 2, 0);
    kick(&d, 2);
    CHECK_EQ(sim_room(1), 1);
    CHECK(sim_deliver(1, pattern, 100, (struct frame_entry){0}));
    sim_signal();
    CHECK_EQ(used_index(2), 1);
    for (unsigned i = 0; i < 2; i++) {
        memcpy(fake_ram + DATA_AT + 0x30002, i ? &many : &none, 2);
        offer(&d, 4, 0);
        kick(&d, 4);
        CHECK_EQ(fake_ram[DATA_AT + 0x32000], 1);
    }
    CHECK_EQ(sim.channel->pairs, two);
}

TEST(offloads_change_while_it_runs)
{
    uint64_t only_sum = GCSUM, tso = GTSO4, other = 1ull << 8;
    begin_with(CVQ | GOFF | GCSUM | GTSO4 | MERGE, 1);
    CHECK_EQ(sim.takes, FRAME_TAKES_MERGE | FRAME_TAKES_CSUM | FRAME_TAKES_TCP4);
    CHECK_EQ(command(5, 0, &only_sum, 8), 0);
    sim_follow();
    CHECK_EQ(sim.takes, FRAME_TAKES_MERGE | FRAME_TAKES_CSUM);
    CHECK_EQ(command(5, 0, &other, 8), 1);
    CHECK_EQ(command(5, 0, &tso, 7), 1);
}

/* --- link --- */

static uint64_t config_field(unsigned offset, unsigned size)
{
    return machine_mmio_read(&vm, d.common + 0x2000 + offset, size);
}

TEST(the_link_is_shown_and_announced)
{
    begin_with(STATUS | CVQ | ANN, 1);
    CHECK_EQ(config_field(0, 4), 0x01005452);
    CHECK_EQ(config_field(4, 2), 0x0302);
    CHECK_EQ(config_field(8, 2), 1);
    CHECK_EQ(config_field(10, 2), 1500);
    CHECK_EQ(config_field(6, 2) & 1, 1);
    command(3, 0, "", 0);
    CHECK_EQ(config_field(6, 2), 1);
    sim.channel->link = 0;
    sim.channel->generation++;
    sim_signal();
    CHECK_EQ(config_field(6, 2), 0);
    CHECK(card()->card.virtio.virtio.isr & 2);
    sim.channel->link = 1;
    sim.channel->generation++;
    sim_signal();
    CHECK_EQ(config_field(6, 2), 3);
    CHECK_EQ(command(3, 0, "", 0), 0);
    CHECK_EQ(config_field(6, 2), 1);
    machine_net_announce(&vm);
    CHECK_EQ(config_field(6, 2), 3);
}

TEST(the_mtu_changes_between_drivers_only)
{
    begin_with(1u << 3, 1);
    sim.channel->mtu = 9000;
    sim.channel->generation++;
    sim_signal();
    CHECK_EQ(config_field(10, 2), 1500);
    common_write(&d, 20, 1, 0);
    sim_follow();
    CHECK_EQ(config_field(10, 2), 9000);
    sim.channel->mtu = 10; /* no network has that */
    sim.channel->generation++;
    sim_signal();
    CHECK_EQ(config_field(10, 2), 9000);
}
