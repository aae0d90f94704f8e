/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "vmm_host.h"
#include "vmm_ring.h"
#include "vmm/ns16550.c"

#define BASE 0x3f8u

static struct ns16550 uart;

static void start(void)
{
    fake_start();
    fake_ring_start();
    ns16550_init(&uart, &vm, BASE, 4, &fake_channel);
    outb(BASE + 4, 8); /* OUT2 */
}

static void type(const char *text)
{
    fake_type(text);
    ns16550_channel_event(&uart);
}

TEST(registers)
{
    start();
    CHECK_EQ(inb(BASE + 5), 0x60);
    CHECK_EQ(inb(BASE + 2), 1);
    outb(BASE + 7, 0xa5);
    CHECK_EQ(inb(BASE + 7), 0xa5);
    outb(BASE + 3, 0x83);
    outb(BASE, 1), outb(BASE + 1, 0);
    CHECK_EQ(inb(BASE), 1);
    CHECK_EQ(inb(BASE + 1), 0);
    outb(BASE + 3, 3);
    CHECK_EQ(inb(BASE + 3), 3);
    outb(BASE + 1, 0xff);
    CHECK_EQ(inb(BASE + 1), 0x0f);
    outb(BASE + 4, 0xff);
    CHECK_EQ(inb(BASE + 4), 0x1f);
    CHECK_EQ(fake_ring.out_len, 0);
}

TEST(output)
{
    start();
    outb(BASE, 'h'), outb(BASE, 'i');
    CHECK_EQ(fake_ring.out_len, 2);
    CHECK(!memcmp(fake_ring.out, "hi", 2));
    CHECK_EQ(inb(BASE + 5) & 0x60, 0x60);
}

TEST(thre_interrupt)
{
    start();
    outb(BASE + 1, 2);
    CHECK(fake.line[4]); /* at once: THR is empty */
    CHECK_EQ(inb(BASE + 2), 2);
    CHECK(!fake.line[4]); /* reading IIR acknowledges */
    CHECK_EQ(inb(BASE + 2), 1);
    outb(BASE, 'x');
    CHECK(fake.line[4]);
    outb(BASE + 1, 0);
    CHECK(!fake.line[4]);
}

TEST(fifo_holds_when_the_ring_is_full)
{
    start();
    outb(BASE + 2, 1);
    outb(BASE + 1, 2);
    inb(BASE + 2);
    fake_ring.room = 0;
    for (unsigned i = 0; i < 17; i++)
        outb(BASE, 'a' + i);
    CHECK_EQ(inb(BASE + 5) & 0x60, 0);
    CHECK(!fake.line[4]);
    CHECK_EQ(uart.dropped, 1);
    fake_ring.room = 100;
    ns16550_channel_event(&uart);
    CHECK_EQ(fake_ring.out_len, 16);
    CHECK(fake.line[4]);
    /* A console that is gone does not stop the guest. */
    fake_ring.room = 0;
    outb(BASE, 'z');
    CHECK_EQ(inb(BASE + 5) & 0x60, 0);
    fake_advance(2 * NS_PER_S);
    CHECK_EQ(inb(BASE + 5) & 0x60, 0x60);
    CHECK_EQ(uart.dropped, 2);
}

TEST(receive_without_fifo)
{
    start();
    outb(BASE + 1, 1);
    type("ab");
    CHECK(fake.line[4]);
    CHECK_EQ(inb(BASE + 2), 4);
    CHECK_EQ(inb(BASE + 5) & 1, 1);
    CHECK_EQ(inb(BASE), 'a');
    CHECK_EQ(inb(BASE), 'b');
    CHECK(!fake.line[4]);
    CHECK_EQ(inb(BASE + 5) & 1, 0);
}

TEST(trigger_level_and_timeout)
{
    start();
    outb(BASE + 2, 0x81); /* 8 bytes */
    outb(BASE + 1, 1);
    type("1234567");
    CHECK(!fake.line[4]);
    CHECK_EQ(inb(BASE + 2), 0xc1);
    fake_advance(2800000); /* 9600 baud, 7 bits: 4 characters are 2.9 ms */
    CHECK(!fake.line[4]);
    fake_advance(1000000);
    CHECK(fake.line[4]);
    CHECK_EQ(inb(BASE + 2), 0xcc);
    CHECK_EQ(inb(BASE), '1');
    CHECK(!fake.line[4]);
    type("89");
    CHECK_EQ(inb(BASE + 2), 0xc4);
    for (unsigned i = 0; i < 8; i++)
        inb(BASE);
    CHECK_EQ(inb(BASE + 2), 0xc1);
}

TEST(input_waits_in_the_ring)
{
    start();
    outb(BASE + 2, 1);
    type("0123456789abcdefXYZ");
    CHECK_EQ(fake_ring.in_len, 3);
    CHECK_EQ(inb(BASE + 5) & 2, 0); /* no overrun */
    inb(BASE);
    CHECK_EQ(fake_ring.in_len, 2);
}

TEST(loopback)
{
    start();
    outb(BASE + 4, 0x10);
    CHECK_EQ(inb(BASE + 6) & 0xf0, 0);
    outb(BASE + 4, 0x1f);
    CHECK_EQ(inb(BASE + 6) & 0xf0, 0xf0);
    outb(BASE + 4, 0x1b); /* OUT1 falls: trailing edge of RI */
    CHECK_EQ(inb(BASE + 6), 0xb4);
    CHECK_EQ(inb(BASE + 6), 0xb0);
    outb(BASE, 0x5a);
    CHECK_EQ(inb(BASE), 0x5a);
    CHECK_EQ(fake_ring.out_len, 0);
    outb(BASE, 1), outb(BASE, 2); /* overrun, no FIFO */
    outb(BASE + 1, 5);
    CHECK_EQ(inb(BASE + 2), 6); /* line status comes first */
    CHECK_EQ(inb(BASE + 5) & 3, 3);
    CHECK_EQ(inb(BASE + 2), 4);
    CHECK_EQ(inb(BASE), 2);
    outb(BASE + 3, 0x43); /* break */
    CHECK_EQ(inb(BASE + 5) & 0x11, 0x11);
}

TEST(modem_status_interrupt)
{
    start();
    outb(BASE + 4, 0x18);
    inb(BASE + 6);
    outb(BASE + 1, 8);
    outb(BASE + 4, 0x1a); /* RTS -> CTS */
    CHECK(fake.line[4]);
    CHECK_EQ(inb(BASE + 2), 0);
    CHECK_EQ(inb(BASE + 6), 0x91);
    CHECK(!fake.line[4]);
}

TEST(fifo_control)
{
    start();
    outb(BASE + 2, 0xc1);
    CHECK_EQ(inb(BASE + 2), 0xc1);
    type("abc");
    outb(BASE + 2, 0xc3); /* clear the receiver */
    CHECK_EQ(inb(BASE + 5) & 1, 0);
    outb(BASE + 2, 0);
    CHECK_EQ(inb(BASE + 2), 1);
}

TEST(out2_gates_the_interrupt)
{
    start();
    outb(BASE + 4, 0);
    outb(BASE + 1, 2);
    CHECK(!fake.line[4]);
    outb(BASE + 4, 8);
    CHECK(fake.line[4]);
}

TEST(without_a_console)
{
    fake_start();
    ns16550_init(&uart, &vm, BASE, 4, NULL);
    outb(BASE, 'x');
    CHECK_EQ(inb(BASE + 5), 0x60);
    ns16550_channel_event(&uart);
}
