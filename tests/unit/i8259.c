/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "vmm_host.h"
#include "vmm/i8259.c"

static struct i8259 pic;

static void program(unsigned icw4)
{
    fake_start();
    i8259_init(&pic, &vm);
    outb(0x20, 0x11), outb(0x21, 0x30), outb(0x21, 4), outb(0x21, icw4);
    outb(0xa0, 0x11), outb(0xa1, 0x38), outb(0xa1, 2), outb(0xa1, icw4);
}

static void raise(unsigned irq)
{
    i8259_set_irq(&pic, irq, false);
    i8259_set_irq(&pic, irq, true);
}

TEST(silent_until_programmed)
{
    fake_start();
    i8259_init(&pic, &vm);
    raise(0);
    CHECK(!fake.extint);
}

TEST(vectors_and_cascade)
{
    program(1);
    raise(4);
    CHECK(fake.extint);
    CHECK_EQ(i8259_ack(&pic), 0x34);
    CHECK(!fake.extint);
    outb(0x20, 0x20);
    raise(12);
    CHECK(fake.extint);
    CHECK_EQ(i8259_ack(&pic), 0x3c);
    outb(0x20, 0x0b), outb(0xa0, 0x0b);
    CHECK_EQ(inb(0x20), 0x04);
    CHECK_EQ(inb(0xa0), 0x10);
}

TEST(priorities_nest)
{
    program(1);
    raise(5);
    CHECK_EQ(i8259_ack(&pic), 0x35);
    raise(6);
    CHECK(!fake.extint); /* lower waits */
    raise(3);
    CHECK(fake.extint); /* higher interrupts */
    CHECK_EQ(i8259_ack(&pic), 0x33);
    raise(5);
    outb(0x20, 0x20); /* ends 3 */
    CHECK(!fake.extint);
    outb(0x20, 0x20); /* ends 5, the new 5 comes before 6 */
    CHECK_EQ(i8259_ack(&pic), 0x35);
    outb(0x20, 0x65); /* specific EOI of 5 */
    CHECK_EQ(i8259_ack(&pic), 0x36);
}

TEST(slave_comes_at_input_2)
{
    program(1);
    raise(3), raise(8);
    CHECK_EQ(i8259_ack(&pic), 0x38);
    CHECK(!fake.extint); /* 3 is below 2 */
    outb(0xa0, 0x20), outb(0x20, 0x20);
    CHECK_EQ(i8259_ack(&pic), 0x33);
}

TEST(spurious)
{
    program(1);
    raise(3);
    i8259_set_irq(&pic, 3, false); /* falls before INTA */
    CHECK(!fake.extint);
    CHECK_EQ(i8259_ack(&pic), 0x37);
    outb(0x20, 0x0b);
    CHECK_EQ(inb(0x20), 0); /* no in-service bit */
    CHECK_EQ(pic.spurious, 1);
    /* IRQ 15 is spurious for the slave, while the master has its input 2 in service. */
    program(1);
    raise(9);
    outb(0xa1, 0xff);
    CHECK_EQ(i8259_ack(&pic), 0x37);
}

TEST(mask)
{
    program(1);
    outb(0x21, 0x10);
    raise(4);
    CHECK(!fake.extint);
    CHECK_EQ(inb(0x21), 0x10);
    CHECK_EQ(inb(0x20), 0x10); /* requested, though */
    outb(0x21, 0);
    CHECK(fake.extint);
    CHECK_EQ(i8259_ack(&pic), 0x34);
}

TEST(level_triggered)
{
    program(1);
    outb(0x4d1, 0xff);
    CHECK_EQ(inb(0x4d1), 0xde); /* RTC and coprocessor stay edge-triggered */
    outb(0x4d0, 0xff);
    CHECK_EQ(inb(0x4d0), 0xf8);
    i8259_set_irq(&pic, 10, true);
    CHECK_EQ(i8259_ack(&pic), 0x3a);
    outb(0xa0, 0x20), outb(0x20, 0x20);
    CHECK(fake.extint); /* still active */
    CHECK_EQ(i8259_ack(&pic), 0x3a);
    i8259_set_irq(&pic, 10, false);
    outb(0xa0, 0x20), outb(0x20, 0x20);
    CHECK(!fake.extint);
    /* An edge-triggered one asks once only. */
    i8259_set_irq(&pic, 1, true);
    i8259_ack(&pic);
    outb(0x20, 0x20);
    CHECK(!fake.extint);
}

TEST(automatic_eoi_and_rotation)
{
    program(3);
    raise(4);
    CHECK_EQ(i8259_ack(&pic), 0x34);
    raise(5);
    CHECK_EQ(i8259_ack(&pic), 0x35); /* nothing is in service */
    outb(0x20, 0x80);                /* rotate */
    raise(4), raise(5);
    CHECK_EQ(i8259_ack(&pic), 0x34); /* now lowest */
    raise(4);
    CHECK_EQ(i8259_ack(&pic), 0x35);
    CHECK_EQ(i8259_ack(&pic), 0x34);
    /* Two slave requests behind automatic EOI: neither is lost. */
    raise(8), raise(9);
    CHECK_EQ(i8259_ack(&pic), 0x38);
    CHECK(fake.extint);
    CHECK_EQ(i8259_ack(&pic), 0x39);
    CHECK(!fake.extint);
}

TEST(rotate_and_set_priority)
{
    program(1);
    raise(4);
    i8259_ack(&pic);
    outb(0x20, 0xa0); /* rotate on non-specific EOI: 4 is lowest, 5 highest */
    raise(4), raise(5);
    CHECK_EQ(i8259_ack(&pic), 0x35);
    outb(0x20, 0xe5); /* rotate on specific EOI of 5 */
    raise(6);
    CHECK_EQ(i8259_ack(&pic), 0x36);
    outb(0x20, 0x20);
    outb(0x20, 0xc3); /* 3 is lowest: 4 is highest */
    raise(0);
    CHECK_EQ(i8259_ack(&pic), 0x34);
}

TEST(special_mask_mode)
{
    program(1);
    raise(1);
    CHECK_EQ(i8259_ack(&pic), 0x31);
    raise(6);
    CHECK(!fake.extint);
    outb(0x21, 0x02);
    CHECK(!fake.extint); /* masking alone does not unblock lower ones */
    outb(0x20, 0x68);
    CHECK(fake.extint);
    CHECK_EQ(i8259_ack(&pic), 0x36);
    outb(0x20, 0x20); /* ends 6, not the masked 1 */
    outb(0x20, 0x0b);
    CHECK_EQ(inb(0x20), 0x02);
}

TEST(poll)
{
    program(1);
    outb(0x20, 0x0c);
    CHECK_EQ(inb(0x20), 0);
    raise(6);
    outb(0x20, 0x0c);
    CHECK_EQ(inb(0x20), 0x86);
    CHECK(!fake.extint);
    CHECK_EQ(inb(0x20), 0); /* IRR again */
}

TEST(special_fully_nested)
{
    program(0x11);
    raise(12);
    CHECK_EQ(i8259_ack(&pic), 0x3c);
    raise(9); /* of higher priority within the slave */
    CHECK(fake.extint);
    CHECK_EQ(i8259_ack(&pic), 0x39);
}

TEST(initialisation_words)
{
    program(1);
    outb(0x21, 0xff);
    outb(0x20, 0x12); /* single, no ICW4 */
    CHECK_EQ(inb(0x21), 0);
    outb(0x21, 0x5f);
    outb(0x21, 0xaa); /* already OCW1 */
    CHECK_EQ(inb(0x21), 0xaa);
    outb(0x21, 0);
    raise(1);
    CHECK_EQ(i8259_ack(&pic), 0x59);
}
