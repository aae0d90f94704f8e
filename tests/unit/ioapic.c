/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "vmm_host.h"
#include "vmm/ioapic.c"

static struct ioapic ioapic;

static void wr(unsigned reg, unsigned value)
{
    machine_mmio_write(&vm, GUEST_IOAPIC, 4, reg);
    machine_mmio_write(&vm, GUEST_IOAPIC + 0x10, 4, value);
}

static unsigned rd(unsigned reg)
{
    machine_mmio_write(&vm, GUEST_IOAPIC, 4, reg);
    return (unsigned)machine_mmio_read(&vm, GUEST_IOAPIC + 0x10, 4);
}

static void start(unsigned pin, unsigned low, unsigned high)
{
    fake_start();
    ioapic_init(&ioapic, &vm);
    wr(0x11 + 2 * pin, high);
    wr(0x10 + 2 * pin, low);
}

TEST(registers)
{
    start(5, 0x0001f9ff, 0xff123456);
    CHECK_EQ(rd(1), 0x170020);
    CHECK_EQ(rd(0x1a), 0x0001a9ff); /* delivery status and remote IRR cannot be written */
    CHECK_EQ(rd(0x1b), 0xff000000);
    wr(0, 0x0f000000);
    CHECK_EQ(rd(0), 0x0f000000);
    CHECK_EQ(rd(2), 0x0f000000);
    CHECK_EQ(rd(0x40), 0);
    wr(0xff, 0xffffffff);
    CHECK_EQ(machine_mmio_read(&vm, GUEST_IOAPIC + 0x7f0, 4), 0);
}

TEST(edge)
{
    start(4, 0x0831, 0x03000000); /* logical, vector 0x31 */
    ioapic_set_irq(&ioapic, 4, true);
    CHECK_EQ(fake.msis, 1);
    CHECK_EQ(fake.msi[0].address, 0xfee03004);
    CHECK_EQ(fake.msi[0].data, 0x31);
    ioapic_set_irq(&ioapic, 4, true);
    CHECK_EQ(fake.msis, 1);
    ioapic_set_irq(&ioapic, 4, false);
    ioapic_set_irq(&ioapic, 4, true);
    CHECK_EQ(fake.msis, 2);
    ioapic_eoi(&ioapic, 0x31);
    CHECK_EQ(fake.msis, 2);
}

TEST(masked_edges_are_lost)
{
    start(4, 0x10031, 0);
    ioapic_set_irq(&ioapic, 4, true);
    wr(0x18, 0x31);
    CHECK_EQ(fake.msis, 0);
    ioapic_set_irq(&ioapic, 4, false);
    ioapic_set_irq(&ioapic, 4, true);
    CHECK_EQ(fake.msis, 1);
}

TEST(level)
{
    start(16, 0x8142, 0x01000000); /* level, lowest priority */
    ioapic_set_irq(&ioapic, 16, true);
    CHECK_EQ(fake.msis, 1);
    CHECK_EQ(fake.msi[0].data, 0xc142);
    CHECK_EQ(fake.msi[0].address, 0xfee01008);
    CHECK_EQ(rd(0x30) & 0x4000, 0x4000);
    ioapic_set_irq(&ioapic, 16, false);
    ioapic_set_irq(&ioapic, 16, true);
    CHECK_EQ(fake.msis, 1); /* remote IRR holds it */
    ioapic_eoi(&ioapic, 0x41);
    CHECK_EQ(fake.msis, 1);
    ioapic_eoi(&ioapic, 0x42);
    CHECK_EQ(fake.msis, 2); /* still active: again */
    ioapic_set_irq(&ioapic, 16, false);
    machine_mmio_write(&vm, GUEST_IOAPIC + 0x40, 4, 0x42);
    CHECK_EQ(fake.msis, 2);
    CHECK_EQ(rd(0x30) & 0x4000, 0);
}

TEST(masked_level_waits)
{
    start(16, 0x18042, 0);
    ioapic_set_irq(&ioapic, 16, true);
    CHECK_EQ(fake.msis, 0);
    wr(0x30, 0x8042);
    CHECK_EQ(fake.msis, 1);
    wr(0x30, 0x18042); /* masked while in service: remote IRR stays */
    CHECK_EQ(rd(0x30), 0x1c042);
    ioapic_eoi(&ioapic, 0x42);
    CHECK_EQ(fake.msis, 1);
    wr(0x30, 0x8042);
    CHECK_EQ(fake.msis, 2);
}

TEST(switch_to_edge_clears_remote_irr)
{
    start(16, 0x8042, 0);
    ioapic_set_irq(&ioapic, 16, true);
    wr(0x30, 0x10042);
    CHECK_EQ(rd(0x30), 0x10042);
    wr(0x30, 0x8042);
    CHECK_EQ(fake.msis, 2);
}

/* A device that nobody serves must not keep the guest from its next instruction for ever. */
TEST(storm)
{
    start(4, 0x8062, 0);
    ioapic_set_irq(&ioapic, 4, true);
    unsigned eois = 0, sent = 0;
    for (; fake.msis > sent && eois < 5000; eois++) {
        sent = fake.msis;
        ioapic_eoi(&ioapic, 0x62);
    }
    CHECK_EQ(eois, 1000);
    fake_advance(999999);
    CHECK_EQ(fake.msis, sent);
    fake_advance(1);
    CHECK_EQ(fake.msis, sent + 1);
    ioapic_eoi(&ioapic, 0x62); /* it goes on, slowly */
    CHECK_EQ(fake.msis, sent + 1);
    wr(0x18, 0x18062);
    fake_advance(1000000);
    CHECK_EQ(fake.msis, sent + 1);
    wr(0x18, 0x8062);
    CHECK_EQ(fake.msis, sent + 2);
    ioapic_set_irq(&ioapic, 4, false);
    ioapic_eoi(&ioapic, 0x62); /* served: at full speed again */
    ioapic_set_irq(&ioapic, 4, true);
    ioapic_eoi(&ioapic, 0x62);
    CHECK_EQ(fake.msis, sent + 4);
}

TEST(extint_is_not_sent)
{
    start(0, 0x700, 0);
    ioapic_set_irq(&ioapic, 0, true);
    ioapic_set_irq(&ioapic, 24, true);
    CHECK_EQ(fake.msis, 0);
}
