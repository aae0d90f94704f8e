/* SPDX-License-Identifier: BSD-2-Clause */
#include <time.h>
#include "test.h"
#include "vmm_host.h"
#include "vmm/calendar.c"
#include "vmm/mc146818.c"

static struct mc146818 rtc;

static unsigned rd(unsigned index)
{
    outb(0x70, index);
    return inb(0x71);
}

static void wr(unsigned index, unsigned value)
{
    outb(0x70, index);
    outb(0x71, value);
}

/* 2023-11-14 22:13:20, a Tuesday, on a second's edge. */
static void start(void)
{
    fake_start();
    fake.ns = 5 * NS_PER_S;
    mc146818_init(&rtc, &vm, 1700000000ll * (int64_t)NS_PER_S);
}

TEST(calendar)
{
    for (int64_t t = -62000000000; t < 253000000000; t += 86400 * 97 + 12345) {
        struct calendar date;
        struct tm tm;
        time_t when = t;
        gmtime_r(&when, &tm);
        calendar_from_unix(&date, t);
        CHECK_EQ(date.year, tm.tm_year + 1900);
        CHECK_EQ(date.month, tm.tm_mon + 1);
        CHECK_EQ(date.day, tm.tm_mday);
        CHECK_EQ(date.hour * 3600 + date.minute * 60 + date.second,
                 tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec);
        CHECK_EQ(date.weekday, tm.tm_wday + 1);
        CHECK_EQ(calendar_to_unix(&date), t);
    }
}

TEST(time_in_bcd_and_binary)
{
    start();
    CHECK_EQ(rd(0), 0x20);
    CHECK_EQ(rd(2), 0x13);
    CHECK_EQ(rd(4), 0x22);
    CHECK_EQ(rd(6), 3);
    CHECK_EQ(rd(7), 0x14);
    CHECK_EQ(rd(8), 0x11);
    CHECK_EQ(rd(9), 0x23);
    CHECK_EQ(rd(0x32), 0x20);
    wr(0x0b, 0x06);
    CHECK_EQ(rd(4), 22);
    wr(0x0b, 0x04); /* 12 hours */
    CHECK_EQ(rd(4), 0x80 | 10);
    fake_advance(2 * 3600 * NS_PER_S);
    CHECK_EQ(rd(4), 12); /* midnight */
    wr(0x0b, 0x00);
    CHECK_EQ(rd(4), 0x12);
    CHECK_EQ(rd(7), 0x15);
    CHECK_EQ(rd(0x0d), 0x80);
}

TEST(set_stops_the_clock)
{
    start();
    wr(0x0b, 0x82);
    fake_advance(10 * NS_PER_S);
    CHECK_EQ(rd(0), 0x20);
    wr(0, 0x58), wr(2, 0x59), wr(4, 0x23), wr(7, 0x31), wr(8, 0x12), wr(9, 0x99), wr(0x32, 0x19);
    wr(0x0b, 0x02);
    fake_advance(3 * NS_PER_S);
    CHECK_EQ(rd(0), 0x01);
    CHECK_EQ(rd(8), 0x01);
    CHECK_EQ(rd(9), 0x00);
    CHECK_EQ(rd(0x32), 0x20);
}

TEST(divider_reset_gives_half_a_second)
{
    start();
    wr(0x0a, 0x76);
    fake_advance(10 * NS_PER_S + 123456789);
    CHECK_EQ(rd(0), 0x20);
    wr(0x0a, 0x26);
    fake_advance(NS_PER_S / 2 - 1000);
    CHECK_EQ(rd(0), 0x20);
    fake_advance(2000);
    CHECK_EQ(rd(0), 0x21);
}

TEST(update_in_progress)
{
    start();
    CHECK_EQ(rd(0x0a), 0x26);
    fake_advance(NS_PER_S - 245000);
    CHECK_EQ(rd(0x0a), 0x26);
    fake_advance(2000);
    CHECK_EQ(rd(0x0a), 0xa6);
    fake_advance(243000);
    CHECK_EQ(rd(0x0a), 0x26);
    CHECK_EQ(rd(0), 0x21);
}

TEST(update_interrupt)
{
    start();
    CHECK_EQ(fake.deadline, UINT64_MAX); /* nothing enabled: no timer */
    fake_advance(3 * NS_PER_S);
    CHECK_EQ(rd(0x0c), 0x10 | 0x40); /* flags are there to be polled */
    CHECK_EQ(rd(0x0c), 0);
    wr(0x0b, 0x12);
    fake_advance(NS_PER_S);
    CHECK(fake.line[8]);
    CHECK_EQ(rd(0x0c) & 0x90, 0x90);
    CHECK(!fake.line[8]);
    for (unsigned i = 0; i < 10; i++) {
        fake_advance(NS_PER_S);
        rd(0x0c);
    }
    CHECK_EQ(fake.edges[8], 11);
}

TEST(alarm)
{
    start();
    wr(1, 0x25), wr(3, 0x13), wr(5, 0x22);
    wr(0x0b, 0x22);
    fake_advance(4 * NS_PER_S);
    CHECK(!fake.line[8]);
    fake_advance(NS_PER_S);
    CHECK(fake.line[8]);
    CHECK_EQ(rd(0x0c) & 0xa0, 0xa0);
    fake_advance(86400 * NS_PER_S - 10 * NS_PER_S);
    CHECK_EQ(fake.edges[8], 1);
    fake_advance(10 * NS_PER_S);
    CHECK_EQ(fake.edges[8], 2);
    rd(0x0c);
    wr(1, 0xff), wr(3, 0xff), wr(5, 0xc0); /* every second */
    fake_advance(NS_PER_S);
    CHECK_EQ(fake.edges[8], 3);
    rd(0x0c);
    wr(3, 0x77); /* never */
    fake_advance(100000 * NS_PER_S);
    CHECK_EQ(fake.edges[8], 3);
}

TEST(periodic)
{
    start();
    wr(0x0a, 0x26); /* 1024 Hz */
    wr(0x0b, 0x42);
    unsigned count = 0;
    for (unsigned i = 0; i < 1000; i++) {
        fake_advance(NS_PER_S / 1024);
        count += (rd(0x0c) & 0xc0u) == 0xc0;
    }
    CHECK(count >= 998);
    rd(0x0c);
    fake.timer_programs = 0;
    fake_advance(NS_PER_S);
    CHECK(fake.timer_programs <= 3); /* not acknowledged: no more of them */
    wr(0x0a, 0x20);
    rd(0x0c);
    fake_advance(NS_PER_S);
    CHECK_EQ(rd(0x0c) & 0x40, 0);
}

TEST(cmos_bytes)
{
    start();
    wr(0x0f, 0x5a);
    CHECK_EQ(rd(0x0f), 0x5a);
    CHECK_EQ(rd(0x8f), 0x5a); /* bit 7 is the NMI gate */
    mc146818_set(&rtc, 0x10, 0xff);
    mc146818_set(&rtc, 0x11, 0x02);
    mc146818_set(&rtc, 0x0a, 0);
    mc146818_set(&rtc, 200, 0);
    mc146818_checksum(&rtc);
    CHECK_EQ(rd(0x2e), 0x01);
    CHECK_EQ(rd(0x2f), 0x01);
}
