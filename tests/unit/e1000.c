/* SPDX-License-Identifier: BSD-2-Clause */
/* The 82540EM over a channel whose switch is simulated. */
#include "frame_sim.h"
#include "test.h"

#define CARD    MACHINE_SLOT_NET
#define TX_RING 0x20000u
#define RX_RING 0x30000u
#define ENTRIES 16u
#define DATA    0x100000u
#define RX_DATA 0x140000u
#define STEP    0x1000u

static uint32_t base;
static uint32_t tail, rx_tail;
static uint8_t pattern[FRAME_BYTES_MAX];

static struct e1000 *chip(void)
{
    return &the_devices.nets.net[0].card.e1000;
}

static uint32_t take(uint32_t at)
{
    return (uint32_t)machine_mmio_read(&vm, base + at, 4);
}

static void put(uint32_t at, uint32_t value)
{
    machine_mmio_write(&vm, base + at, 4, value);
}

static void power_on(void)
{
    sim_setup(VMM_NET_E1000, 1);
    machine_start();
    cfg_write(CARD, 4, 2, 7);
    base = cfg_read(CARD, 0x10, 4);
    for (uint32_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 7 + i / 251);
    tail = rx_tail = 0;
}

/* Rings of 16, receive buffers of 2048 bytes, all but one given to the chip. */
static void up(uint32_t rctl)
{
    power_on();
    put(E1000_TDBAL, TX_RING);
    put(E1000_TDLEN, ENTRIES * 16);
    put(E1000_RDBAL, RX_RING);
    put(E1000_RDLEN, ENTRIES * 16);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        uint64_t at = RX_DATA + i * STEP;
        memcpy(fake_ram + RX_RING + 16 * i, &at, 8);
    }
    put(E1000_TCTL, TCTL_EN);
    put(E1000_RCTL, RCTL_EN | RCTL_BAM | rctl);
    put(E1000_RDT, rx_tail = ENTRIES - 1);
    sim_follow();
}

static void describe(uint64_t address, uint32_t low, uint32_t high)
{
    uint8_t *to = fake_ram + TX_RING + 16 * tail;
    memcpy(to, &address, 8);
    memcpy(to + 8, &low, 4);
    memcpy(to + 12, &high, 4);
    tail = (tail + 1) % ENTRIES;
}

static uint8_t tx_status(uint32_t i)
{
    return fake_ram[TX_RING + 16 * i + 12];
}

#define EOP    (1u << 24)
#define TSE    (4u << 24)
#define RS     (8u << 24)
#define DEXT   (0x20u << 24)
#define VLE    (0x40u << 24)
#define DATA_D (1u << 20)
#define CONTEXT(ipcss, ipcso, ipcse, tucss, tucso)                          \
    ((uint64_t)(ipcss) | (uint64_t)(ipcso) << 8 | (uint64_t)(ipcse) << 16 | \
     (uint64_t)(tucss) << 32 | (uint64_t)(tucso) << 40)
#define TUCMD_SEND_TCP4 (7u << 24)

TEST(a_frame_is_sent_where_it_lies)
{
    up(0);
    memcpy(fake_ram + DATA, pattern, 1000);
    memcpy(fake_ram + DATA + STEP, pattern + 1000, 400);
    describe(DATA, 1000 | RS, 0);
    describe(DATA + STEP, 400 | EOP | RS, 0);
    CHECK(!sim_take(0));
    put(E1000_TDT, tail);
    CHECK(sim_take(0));
    CHECK_EQ(sim.length, 1400);
    CHECK(!memcmp(sim.frame, pattern, 1400));
    CHECK_EQ(sim.first.offset, DATA);
    CHECK_EQ(sim.first.flags, FRAME_MORE);
    CHECK_EQ(take(E1000_TDH), 2);
    CHECK_EQ(tx_status(1), 0);
    put(E1000_IMS, ICR_TXDW);
    sim_end(0);
    sim_signal();
    CHECK_EQ(tx_status(0) & tx_status(1) & 1, 1);
    CHECK(chip()->pci.intx);
    CHECK_EQ(take(E1000_ICR) & ICR_TXDW, ICR_TXDW);
    CHECK(!chip()->pci.intx);
    CHECK_EQ(take(E1000_GPTC), 1);
    CHECK_EQ(take(E1000_GPTC), 0); /* cleared by reading */
}

/* Ethernet, IPv4 without length and sum, TCP with the pseudo header's sum without length. */
static void put_tcp(uint32_t at)
{
    static const uint8_t ip[20] = {0x45, 0, 0,  0, 0, 1, 0x40, 0, 64, 6,
                                   0,    0, 10, 0, 0, 1, 10,   0, 0,  2};
    memcpy(fake_ram + at, pattern, 65000);
    memset(fake_ram + at + 12, 0, 42);
    fake_ram[at + 12] = 8;
    memcpy(fake_ram + at + 14, ip, sizeof ip);
    fake_ram[at + 46] = 0x50;
    /* 0a00 + 0001 + 0a00 + 0002 + 0006 */
    fake_ram[at + 50] = 0x14;
    fake_ram[at + 51] = 0x09;
}

static uint16_t be16(const uint8_t *at)
{
    return (uint16_t)((uint32_t)at[0] << 8 | at[1]);
}

static void send_tcp(uint32_t bytes, uint32_t mss, uint32_t flags)
{
    put_tcp(DATA);
    describe(CONTEXT(14, 24, 33, 34, 50), TUCMD_SEND_TCP4 | DEXT, 54u << 8 | mss << 16);
    describe(DATA, 54 | TSE | DEXT | DATA_D, 0x300);
    describe(DATA + 54, (bytes - 54) | TSE | EOP | RS | DEXT | DATA_D | flags, 0x300 | 0x2a0b0000);
    put(E1000_TDT, tail);
}

TEST(segments_stay_whole)
{
    up(0);
    send_tcp(30054, 1460, 0);
    CHECK(sim_take(0));
    CHECK_EQ(sim.length, 30054);
    CHECK_EQ(sim.first.flags, FRAME_MORE | FRAME_NEEDS_CSUM | FRAME_GSO_TCP4);
    CHECK_EQ(sim.first.gso_size, 1460);
    CHECK_EQ(sim.first.header_length, 54);
    CHECK_EQ(sim.first.csum_start, 34);
    CHECK_EQ(sim.first.csum_offset, 16);
    CHECK_EQ(be16(sim.frame + 16), 30040);
    CHECK_EQ(be16(sim.frame + 50), 0x1409 + 30020);
    CHECK_EQ(fold_sum(sum_words(sim.frame + 14, 20, 0)), 0xffff);
    CHECK(!memcmp(sim.frame + 54, pattern + 54, 30000));
    /* The guest's own headers are as they were. */
    CHECK_EQ(be16(fake_ram + DATA + 16), 0);
    sim_end(0);
    sim_signal();
    CHECK_EQ(tx_status(2) & 1, 1);
    /* One segment alone is no segmentation. */
    send_tcp(1054, 1460, 0);
    CHECK(sim_take(0));
    CHECK_EQ(sim.first.flags, FRAME_MORE | FRAME_NEEDS_CSUM);
    CHECK_EQ(be16(sim.frame + 16), 1040);
}

TEST(a_tag_is_put_in)
{
    up(0);
    send_tcp(3054, 1460, VLE);
    CHECK(sim_take(0));
    CHECK_EQ(sim.length, 3058);
    CHECK_EQ(be16(sim.frame + 12), 0x8100);
    CHECK_EQ(be16(sim.frame + 14), 0x2a0b);
    CHECK_EQ(be16(sim.frame + 16), 0x0800);
    CHECK_EQ(be16(sim.frame + 20), 3040);
    CHECK_EQ(sim.first.csum_start, 38);
    CHECK_EQ(sim.first.header_length, 58);
    /* And in a plain frame. */
    memcpy(fake_ram + DATA, pattern, 200);
    describe(DATA, 200 | EOP | RS | VLE, 0x00110000);
    put(E1000_TDT, tail);
    CHECK(sim_take(0));
    CHECK_EQ(sim.length, 204);
    CHECK(!memcmp(sim.frame, pattern, 12));
    CHECK_EQ(be16(sim.frame + 14), 0x11);
    CHECK(!memcmp(sim.frame + 16, pattern + 12, 188));
}

TEST(sums_are_asked_for)
{
    up(0);
    put_tcp(DATA);
    describe(CONTEXT(14, 24, 33, 34, 50), (3u << 24) | DEXT, 0);
    describe(DATA, 300 | EOP | RS | DEXT | DATA_D, 0x200); /* TXSM */
    put(E1000_TDT, tail);
    CHECK(sim_take(0));
    CHECK_EQ(sim.first.flags, FRAME_NEEDS_CSUM);
    CHECK_EQ(sim.first.csum_start, 34);
    CHECK_EQ(sim.first.offset, DATA); /* nothing is copied for it */
    /* Legacy: CSO 50, CSS 34. */
    describe(DATA, 300 | 50u << 16 | EOP | (4u << 24), 34u << 8);
    put(E1000_TDT, tail);
    CHECK(sim_take(0));
    CHECK_EQ(sim.first.flags, FRAME_NEEDS_CSUM);
    CHECK_EQ(sim.first.csum_start, 34);
    CHECK_EQ(sim.first.csum_offset, 16);
}

TEST(frames_that_cannot_be_are_lost_and_ended)
{
    static const struct {
        uint64_t context;
        uint32_t high, length, popts;
    } wrong[] = {
        {CONTEXT(14, 24, 33, 34, 50), 54u << 8, 3000, 0x300},        /* MSS 0 */
        {CONTEXT(14, 24, 33, 34, 50), 0 | 1000u << 16, 3000, 0x300}, /* no header */
        {CONTEXT(14, 24, 33, 34, 50), 255u << 8 | 1000u << 16, 3000, 0x300},
        {CONTEXT(14, 24, 33, 34, 50), 54u << 8 | 1000u << 16, 40, 0x300}, /* shorter than it */
        {CONTEXT(14, 24, 900, 34, 50), 54u << 8 | 1000u << 16, 3000, 0x300},
        {CONTEXT(30, 24, 33, 34, 50), 54u << 8 | 1000u << 16, 3000, 0x300},
        {CONTEXT(14, 24, 33, 34, 200), 54u << 8 | 1000u << 16, 3000, 0x300},
        {CONTEXT(14, 24, 33, 60, 50), 54u << 8 | 1000u << 16, 3000, 0x300},
        {CONTEXT(14, 53, 33, 34, 50), 54u << 8 | 1000u << 16, 3000, 0x300},
    };
    up(0);
    for (uint32_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        put_tcp(DATA);
        describe(wrong[i].context, TUCMD_SEND_TCP4 | DEXT, wrong[i].high);
        describe(DATA, wrong[i].length | EOP | RS | TSE | DEXT | DATA_D, wrong[i].popts);
        uint32_t at = (tail + ENTRIES - 1) % ENTRIES;
        put(E1000_TDT, tail);
        CHECK(!sim_take(0));
        CHECK_EQ(chip()->malformed, i + 1);
        CHECK_EQ(tx_status(at) & 1, 1);
    }
    describe(UINT64_MAX - 10, 100 | EOP | RS, 0); /* outside RAM */
    describe(FAKE_RAM - 50, 100 | EOP | RS, 0);
    put(E1000_TDT, tail);
    CHECK(!sim_take(0));
    describe(DATA, 13 | EOP, 0);
    put(E1000_TDT, tail);
    CHECK(!sim_take(0));
    CHECK_EQ(chip()->malformed, sizeof wrong / sizeof wrong[0] + 3);
}

TEST(frames_come_into_the_ring)
{
    up(0);
    CHECK_EQ(sim_room(0), ENTRIES - 1);
    CHECK_EQ(sim.takes, FRAME_TAKES_MERGE);
    CHECK_EQ(sim.channel->headroom, 0);
    put(E1000_IMS, ICR_RXT0);
    put(E1000_RXCSUM, 0x200);
    CHECK(sim_deliver(0, pattern, 1514, (struct frame_entry){.flags = FRAME_CSUM_GOOD}));
    CHECK(sim_deliver(0, pattern, 42, (struct frame_entry){0}));
    sim_signal();
    const uint8_t *d = fake_ram + RX_RING;
    CHECK_EQ(d[8] | d[9] << 8, 1518); /* with CRC */
    CHECK_EQ(d[12], 0x63);
    CHECK(!memcmp(fake_ram + RX_DATA, pattern, 1514));
    CHECK_EQ(d[24] | d[25] << 8, 64); /* padded */
    CHECK_EQ(d[28], 0x07);
    CHECK_EQ(fake_ram[RX_DATA + STEP + 41], pattern[41]);
    CHECK_EQ(fake_ram[RX_DATA + STEP + 42], 0);
    CHECK_EQ(take(E1000_RDH), 2);
    CHECK(chip()->pci.intx);
    CHECK_EQ(take(E1000_ICR), ICR_RXT0);
    CHECK_EQ(take(E1000_GPRC), 2);
    /* Two more buffers. */
    put(E1000_RDT, 1);
    CHECK_EQ(sim_room(0), ENTRIES - 1);
}

TEST(a_long_frame_takes_several_descriptors)
{
    up(RCTL_LPE | RCTL_SECRC);
    CHECK(sim_deliver(0, pattern, 5000, (struct frame_entry){0}));
    sim_signal();
    const uint8_t *d = fake_ram + RX_RING;
    uint32_t each = 2048 - 4;
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t length = i < 2 ? each : 5000 - 2 * each;
        CHECK_EQ(d[16 * i + 8] | d[16 * i + 9] << 8, length);
        CHECK_EQ(d[16 * i + 12] & 3, i < 2 ? 1 : 3);
        CHECK(!memcmp(fake_ram + RX_DATA + i * STEP, pattern + i * each, length));
    }
}

TEST(a_tag_is_taken_out)
{
    up(RCTL_SECRC);
    put(E1000_CTRL, CTRL_VME);
    pattern[12] = 0x81;
    pattern[13] = 0;
    CHECK(sim_deliver(0, pattern, 300, (struct frame_entry){0}));
    sim_signal();
    const uint8_t *d = fake_ram + RX_RING;
    CHECK_EQ(d[8] | d[9] << 8, 296);
    CHECK_EQ(d[12] & 8, 8);
    CHECK_EQ(d[14], pattern[15]);
    CHECK_EQ(d[15], pattern[14]);
    CHECK(!memcmp(fake_ram + RX_DATA, pattern, 12));
    CHECK(!memcmp(fake_ram + RX_DATA + 12, pattern + 16, 284));
}

TEST(filters_are_told_to_the_switch)
{
    up(0);
    struct frame_channel *channel = sim.channel;
    CHECK_EQ(channel->listens, FRAME_LISTENS_LIST);
    CHECK_EQ(channel->list_macs, 1);
    CHECK(!memcmp(channel->list_mac[0], config.net[0].mac, 6));
    put(E1000_MTA + 8, 1);
    CHECK_EQ(channel->listens, FRAME_LISTENS_LIST | FRAME_LISTENS_MULTICAST);
    put(E1000_MTA + 8, 0);
    put(E1000_RA + 8, 0x04030201);
    put(E1000_RA + 12, RAH_AV | 0x0605);
    CHECK_EQ(channel->list_macs, 2);
    CHECK_EQ(channel->list_mac[1][5], 6);
    put(E1000_VFTA + 4, 2);
    put(E1000_RCTL, RCTL_EN | RCTL_UPE | RCTL_VFE);
    CHECK_EQ(channel->listens, FRAME_LISTENS_LIST | FRAME_LISTENS_ALL | FRAME_LISTENS_VLANS);
    CHECK_EQ(channel->list_vlan[0], 1ull << 33);
}

/* As Linux's driver reads it: a bit at a time. */
static uint32_t eecd(uint32_t value)
{
    put(E1000_EECD, value);
    return take(E1000_EECD);
}

static uint16_t read_microwire(uint32_t word)
{
    uint32_t request = 6u << 6 | word, data = 0;
    eecd(0x42);
    for (int i = 8; i >= 0; i--) {
        uint32_t bit = request >> i & 1u ? 4 : 0;
        eecd(0x42 | bit);
        eecd(0x43 | bit);
        eecd(0x42 | bit);
    }
    for (int i = 0; i < 16; i++) {
        data = data << 1 | (eecd(0x43) >> 3 & 1u);
        eecd(0x42);
    }
    eecd(0x40);
    return (uint16_t)data;
}

TEST(the_eeprom_holds_the_address)
{
    uint16_t sum = 0;
    power_on();
    CHECK(eecd(0x40) & 0x80); /* granted */
    CHECK_EQ(read_microwire(0), 0x5452);
    CHECK_EQ(read_microwire(2), 0x0302);
    for (uint32_t i = 0; i < 64; i++) {
        put(E1000_EERD, i << 8 | 1);
        uint32_t value = take(E1000_EERD);
        CHECK_EQ(value & 0xffff, i << 8 | 0x10);
        CHECK_EQ(value >> 16, read_microwire(i));
        sum = (uint16_t)(sum + (value >> 16));
    }
    CHECK_EQ(sum, 0xbaba);
    put(E1000_EERD, 200 << 8 | 1); /* beyond */
    CHECK_EQ(take(E1000_EERD) >> 16, 0);
    CHECK_EQ(take(E1000_RA), 0x01005452);
    CHECK_EQ(take(E1000_RA + 4), RAH_AV | 0x0302);
}

static uint32_t phy(uint32_t which)
{
    put(E1000_MDIC, 1u << 21 | which << 16 | 0x08000000);
    return take(E1000_MDIC);
}

TEST(the_link_is_the_networks)
{
    up(0);
    put(E1000_IMS, ICR_LSC);
    CHECK_EQ(take(E1000_STATUS) & 2, 2);
    CHECK_EQ(phy(2), 0x10000000u | 1u << 21 | 2u << 16 | 0x08000000 | 0x0141);
    CHECK_EQ(phy(1) & 0x24, 0x24);
    sim.channel->link = 0;
    sim.channel->generation++;
    sim_signal();
    CHECK_EQ(take(E1000_STATUS) & 2, 0);
    CHECK_EQ(phy(1) & 0x24, 0);
    CHECK(chip()->pci.intx);
    CHECK_EQ(take(E1000_ICR), ICR_LSC);
    put(E1000_MDIC, 2u << 21 | 0x08000000); /* no such PHY */
    CHECK(take(E1000_MDIC) & 0x40000000);
}

TEST(interrupts_come_no_faster_than_asked)
{
    up(0);
    put(E1000_IMS, ICR_RXT0);
    put(E1000_ITR, 1000); /* 256 us */
    put(E1000_ICS, ICR_RXT0);
    CHECK(chip()->pci.intx);
    take(E1000_ICR);
    put(E1000_ICS, ICR_RXT0);
    CHECK(!chip()->pci.intx);
    fake.ns += 256000;
    machine_run_timers(&vm);
    CHECK(chip()->pci.intx);
}

/* What is on its way is given back when the receiver's rings change. */
TEST(epochs_lose_no_descriptor)
{
    up(0);
    memcpy(fake_ram + DATA, pattern, 100);
    describe(DATA, 100 | EOP | RS, 0);
    put(E1000_TDT, tail);
    uint32_t epoch = sim.channel->epoch;
    put(E1000_RCTL, RCTL_EN | RCTL_LPE);
    CHECK_EQ(sim.channel->epoch, epoch + 1);
    CHECK_EQ(tx_status(0), 0);
    describe(DATA, 100 | EOP | RS, 0);
    put(E1000_TDT, tail);
    CHECK_EQ(sim.channel->pair[0].send.posted, 1); /* still the old one */
    sim_follow();
    CHECK_EQ(tx_status(0), 1);
    CHECK_EQ(tx_status(1), 0);
    CHECK_EQ(sim.channel->pair[0].send.posted, 1);
    CHECK_EQ(sim_room(0), ENTRIES - 1);
    put(E1000_CTRL, CTRL_RST);
    CHECK_EQ(sim.channel->epoch, epoch + 2);
    sim_follow();
    CHECK_EQ(tx_status(1), 0); /* a reset gives nothing back */
    CHECK_EQ(sim.channel->pair[0].receive.posted, 0);
    CHECK_EQ(take(E1000_RCTL), 0);
}

TEST(the_io_window_reaches_the_registers)
{
    up(0);
    uint16_t io = (uint16_t)(cfg_read(CARD, 0x14, 4) & ~3u);
    machine_pio_write(&vm, io, 4, E1000_STATUS);
    CHECK_EQ(machine_pio_read(&vm, (uint16_t)(io + 4), 4), take(E1000_STATUS));
    machine_pio_write(&vm, io, 4, E1000_CTRL);
    machine_pio_write(&vm, (uint16_t)(io + 4), 4, CTRL_RST);
    CHECK_EQ(take(E1000_TCTL), 0);
}

TEST(rings_that_cannot_be_do_nothing)
{
    up(0);
    put(E1000_TDBAL, 0xfffffff0);
    put(E1000_TDT, 5);
    CHECK(!sim_take(0));
    put(E1000_TDBAL, TX_RING);
    put(E1000_TDT, 0xffff);
    CHECK(!sim_take(0));
    put(E1000_TDLEN, 0);
    put(E1000_TDT, 0);
    CHECK(!sim_take(0));
    put(E1000_RDBAL, 0xfffffff0);
    CHECK(sim_deliver(0, pattern, 100, (struct frame_entry){0}));
    sim_signal(); /* the descriptor is not where it was */
    put(E1000_RDLEN, 0);
    put(E1000_RDT, 3);
    sim.channel->pair[0].receive.ended = 77;
    sim_signal();
    CHECK(strstr(fake.log, "vnet0: the switch counts more"));
}
