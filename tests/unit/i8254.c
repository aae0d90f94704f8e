/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "vmm_host.h"
#include "vmm/i8254.c"

static struct i8254 pit;

static uint64_t clocks_ns(uint64_t clocks)
{
    return (clocks * NS_PER_S + I8254_HZ - 1) / I8254_HZ;
}

static void start(void)
{
    fake_start();
    fake.ns = 7 * NS_PER_S; /* a clock's edge */
    i8254_init(&pit, &vm);
}

static void program(unsigned channel, unsigned mode, unsigned count)
{
    outb(0x43, channel << 6 | 3u << 4 | mode << 1);
    outb((uint16_t)(0x40 + channel), count & 0xff);
    outb((uint16_t)(0x40 + channel), count >> 8);
}

static unsigned latched(unsigned channel)
{
    outb(0x43, channel << 6);
    unsigned low = inb((uint16_t)(0x40 + channel));
    return low | (unsigned)inb((uint16_t)(0x40 + channel)) << 8;
}

static unsigned status(unsigned channel)
{
    outb(0x43, 0xe0 | 2u << channel);
    return inb((uint16_t)(0x40 + channel));
}

TEST(mode_0_counts_once)
{
    start();
    program(0, 0, 1000);
    CHECK(!fake.line[0]);
    CHECK_EQ(latched(0), 1000);
    fake_advance(clocks_ns(400));
    CHECK_EQ(latched(0), 600);
    CHECK_EQ(status(0), 0x30);
    fake_advance(clocks_ns(600));
    CHECK_EQ(fake.edges[0], 1);
    CHECK_EQ(status(0), 0xb0);
    fake_advance(clocks_ns(10));
    CHECK(latched(0) >= 0xfff5 && latched(0) <= 0xfff7); /* goes on below 0 */
    fake_advance(NS_PER_S);
    CHECK_EQ(fake.edges[0], 1);
}

TEST(mode_2_ticks)
{
    start();
    program(0, 2, 11932); /* 100 Hz */
    unsigned before = fake.edges[0];
    fake_advance(NS_PER_S + NS_PER_S / 200);
    CHECK_EQ(fake.edges[0] - before, 100);
    CHECK(latched(0) >= 1 && latched(0) <= 11932);
    CHECK_EQ(status(0) & 0x3f, 0x34);
}

TEST(mode_2_new_count_waits_for_the_period)
{
    start();
    program(0, 2, 1000);
    fake_advance(clocks_ns(300));
    outb(0x40, 5000 & 0xff), outb(0x40, 5000 >> 8);
    CHECK_EQ(status(0) & 0x40, 0x40); /* null count */
    CHECK_EQ(latched(0), 700);
    fake_advance(clocks_ns(701));
    CHECK(latched(0) >= 4998);
    CHECK_EQ(status(0) & 0x40, 0);
}

TEST(mode_3_square_wave)
{
    start();
    program(2, 3, 1000);
    CHECK_EQ(inb(0x61) & 0x21, 0x20); /* gate low: OUT high */
    outb(0x61, 1);
    CHECK_EQ(inb(0x61) & 0x20, 0x20);
    fake_advance(clocks_ns(100));
    CHECK_EQ(latched(2), 800); /* by two */
    fake_advance(clocks_ns(500));
    CHECK_EQ(inb(0x61) & 0x20, 0);
    fake_advance(clocks_ns(450));
    CHECK_EQ(inb(0x61) & 0x20, 0x20);
}

TEST(mode_0_on_channel_2_as_calibration_uses_it)
{
    start();
    outb(0x61, 0);
    program(2, 0, 0xffff);
    fake_advance(clocks_ns(5000));
    CHECK_EQ(latched(2), 0xffff); /* the gate holds it */
    outb(0x61, 1);
    fake_advance(clocks_ns(0xfffe));
    CHECK_EQ(inb(0x61) & 0x20, 0);
    fake_advance(clocks_ns(2));
    CHECK_EQ(inb(0x61) & 0x20, 0x20);
}

TEST(gate_pauses_mode_0)
{
    start();
    outb(0x61, 1);
    program(2, 0, 1000);
    fake_advance(clocks_ns(400));
    outb(0x61, 0);
    fake_advance(NS_PER_S);
    CHECK_EQ(latched(2), 600);
    outb(0x61, 1);
    fake_advance(clocks_ns(100));
    CHECK(latched(2) >= 499 && latched(2) <= 501);
}

TEST(mode_1_waits_for_the_trigger)
{
    start();
    outb(0x61, 0);
    program(2, 1, 100);
    fake_advance(clocks_ns(1000));
    CHECK_EQ(inb(0x61) & 0x20, 0x20);
    outb(0x61, 1);
    CHECK_EQ(inb(0x61) & 0x20, 0);
    fake_advance(clocks_ns(101));
    CHECK_EQ(inb(0x61) & 0x20, 0x20);
    outb(0x61, 0), outb(0x61, 1);
    CHECK_EQ(inb(0x61) & 0x20, 0);
}

TEST(mode_4_strobes_once)
{
    start();
    program(0, 4, 1000);
    fake_advance(clocks_ns(900));
    CHECK_EQ(status(0) & 0x80, 0x80);
    unsigned before = fake.edges[0];
    fake_advance(NS_PER_S);
    CHECK_EQ(fake.edges[0] - before, 1);
}

TEST(read_back_and_latches)
{
    start();
    program(0, 2, 0x1234);
    program(2, 2, 0x4000);
    outb(0x61, 1);
    outb(0x43, 0xc2 | 8); /* both: count and status of 0 and 2 */
    fake_advance(clocks_ns(50));
    outb(0x43, 0x00); /* ignored: a latch stands */
    CHECK_EQ(inb(0x40) & 0x3f, 0x34);
    CHECK_EQ(inb(0x40), 0x34);
    CHECK_EQ(inb(0x40), 0x12);
    CHECK_EQ(inb(0x42) & 0x3f, 0x34);
    CHECK_EQ(inb(0x42), 0x00);
    CHECK_EQ(inb(0x42), 0x40);
}

TEST(bcd_and_single_bytes)
{
    start();
    outb(0x43, 0x31); /* channel 0, both bytes, mode 0, BCD */
    outb(0x40, 0x00), outb(0x40, 0x10);
    fake_advance(clocks_ns(1));
    CHECK_EQ(latched(0), 0x0999);
    outb(0x43, 0x20); /* high byte only */
    outb(0x40, 2);
    CHECK_EQ(inb(0x40), 2);
    outb(0x43, 0x10); /* low byte only */
    outb(0x40, 9);
    CHECK_EQ(inb(0x40), 9);
}

TEST(fast_periods_are_bounded)
{
    start();
    program(0, 2, 1);
    fake.timer_programs = 0;
    fake_advance(NS_PER_S / 10);
    CHECK(fake.timer_programs <= 2100);
    CHECK(fake.edges[0] > 100);
}

TEST(refresh_toggles)
{
    start();
    unsigned before = inb(0x61) & 0x10, changes = 0;
    for (unsigned i = 0; i < 100; i++) {
        fake_advance(15085);
        changes += (inb(0x61) & 0x10u) != before;
        before = inb(0x61) & 0x10;
    }
    CHECK(changes >= 99);
}
