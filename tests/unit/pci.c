/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "vmm_machine.h"

TEST(identity_and_absent_slots)
{
    machine_start();
    CHECK_EQ(cfg_read(0, 0, 4), 0x29c08086);
    CHECK_EQ(cfg_read(31, 0, 4), 0x29188086);
    CHECK_EQ(cfg_read(1, 0, 4), 0x10431af4);
    CHECK_EQ(cfg_read(7, 0, 4), 0xffffffff);
    CHECK_EQ(cfg_read(1, 0, 2), 0x1af4);
    CHECK_EQ(cfg_read(1, 3, 1), 0x10);
    cfg_write(1, 0, 4, 0);
    CHECK_EQ(cfg_read(1, 0, 4), 0x10431af4);
    /* Function 1 and bus 1 are empty; without the enable bit there is no cycle. */
    machine_pio_write(&vm, 0xcf8, 4, 0x80000900);
    CHECK_EQ(machine_pio_read(&vm, 0xcfc, 4), 0xffffffff);
    machine_pio_write(&vm, 0xcf8, 4, 0x80010800);
    CHECK_EQ(machine_pio_read(&vm, 0xcfc, 4), 0xffffffff);
    machine_pio_write(&vm, 0xcf8, 4, 0x00000800);
    CHECK_EQ(machine_pio_read(&vm, 0xcfc, 4), 0xffffffff);
    CHECK_EQ(machine_pio_read(&vm, 0xcf8, 4), 0x800);
}

TEST(ecam)
{
    machine_start();
    CHECK_EQ(machine_mmio_read(&vm, GUEST_ECAM + (1u << 15), 4), 0x10431af4);
    CHECK_EQ(machine_mmio_read(&vm, GUEST_ECAM + (1u << 15) + 0x100, 4), 0); /* no extended list */
    CHECK_EQ(machine_mmio_read(&vm, GUEST_ECAM + (1u << 15) + 0x1000, 4), 0xffffffff);
    machine_mmio_write(&vm, GUEST_ECAM + (1u << 15) + 0x3c, 1, 5);
    CHECK_EQ(cfg_read(1, 0x3c, 1), 5);
    machine_mmio_read(&vm, GUEST_ECAM + (1u << 15) + 0xffe, 4);
    machine_mmio_write(&vm, GUEST_ECAM + (1u << 15) + 0xffe, 4, 0xffffffff);
}

TEST(bar_sizing_and_relocation)
{
    machine_start();
    uint32_t io = cfg_read(1, 0x10, 4), memory = cfg_read(1, 0x20, 4);
    CHECK_EQ(io & 3, 1);
    CHECK_EQ(memory & 15, 0);
    CHECK_EQ(machine_mmio_read(&vm, memory + 0x12, 2),
             2); /* num_queues: decoded after direct boot */
    cfg_write(1, 0x04, 2, 0);
    CHECK_EQ(machine_mmio_read(&vm, memory + 0x12, 2), 0xffff);
    cfg_write(1, 0x10, 4, 0xffffffff);
    cfg_write(1, 0x20, 4, 0xffffffff);
    CHECK_EQ(cfg_read(1, 0x10, 4), 0xfffffff1);
    CHECK_EQ(cfg_read(1, 0x20, 4), 0xffffc000);
    cfg_write(1, 0x18, 4, 0xffffffff);
    CHECK_EQ(cfg_read(1, 0x18, 4), 0); /* no such BAR */
    cfg_write(1, 0x20, 4, 0xc8000000);
    cfg_write(1, 0x04, 2, 2);
    CHECK_EQ(machine_mmio_read(&vm, 0xc8000012, 2), 2);
    CHECK_EQ(machine_mmio_read(&vm, memory + 0x12, 2), 0xffff);
    cfg_write(1, 0x20, 4, 0xc9000000); /* moved while decoded */
    CHECK_EQ(machine_mmio_read(&vm, 0xc9000012, 2), 2);
    CHECK_EQ(machine_mmio_read(&vm, 0xc8000012, 2), 0xffff);
    cfg_write(1, 0x10, 4, 0x12340000); /* beyond the 64 Ki ports */
    cfg_write(1, 0x04, 2, 3);
    CHECK_EQ(vm.pio.region[0] != NULL, 1);
}

TEST(bars_do_not_hide_fixed_devices)
{
    machine_start();
    cfg_write(1, 0x10, 4, 0x20);
    cfg_write(1, 0x20, 4, GUEST_IOAPIC);
    outb(0x21, 0xa5);
    CHECK_EQ(inb(0x21), 0xa5);
    machine_mmio_write(&vm, GUEST_IOAPIC, 4, 1);
    CHECK_EQ(machine_mmio_read(&vm, GUEST_IOAPIC + 0x10, 4), 0x170020);
}

TEST(capability_list_ends)
{
    machine_start();
    CHECK_EQ(cfg_read(1, 6, 2) & 0x10, 0x10);
    unsigned at = cfg_read(1, 0x34, 1), types = 0, count = 0;
    while (at && count++ < 48) {
        if (cfg_read(1, at, 1) == 9)
            types |= 1u << cfg_read(1, at + 3, 1);
        if (cfg_read(1, at, 1) == 0x11)
            types |= 1;
        at = cfg_read(1, at + 1, 1);
    }
    CHECK_EQ(types, 0x3f); /* MSI-X, and common, notify, ISR, device, PCI access */
    CHECK_EQ(count, 6);
}

TEST(intx_routing_and_disable)
{
    machine_start();
    struct pci_device *device = &the_devices.rng.virtio.pci;
    struct ioapic *ioapic = &the_devices.ioapic;
    unsigned gsi = machine_pci_gsi(MACHINE_SLOT_RNG, 0);
    CHECK_EQ(gsi, 18);
    pci_set_intx(device, true);
    CHECK_EQ(ioapic->lines, 1u << gsi);
    CHECK_EQ(the_devices.pic.chip[1].lines, 1u << 2); /* IRQ 10, as the routing register says */
    CHECK_EQ(cfg_read(2, 6, 2) & 8, 8);
    cfg_write(2, 4, 2, 0x400);
    CHECK_EQ(ioapic->lines, 0);
    CHECK_EQ(cfg_read(2, 6, 2) & 8, 8); /* pending, though */
    cfg_write(2, 4, 2, 0);
    CHECK_EQ(ioapic->lines, 1u << gsi);
    cfg_write(31, 0x62, 1, 0x05); /* PIRQC to IRQ 5 */
    CHECK_EQ(the_devices.pic.chip[1].lines, 0);
    CHECK_EQ(the_devices.pic.chip[0].lines & 0x20, 0x20);
    cfg_write(31, 0x62, 1, 0x80);
    CHECK_EQ(the_devices.pic.chip[0].lines & 0x20, 0);
    pci_set_intx(device, false);
    CHECK_EQ(ioapic->lines, 0);
}

TEST(shared_interrupt_line)
{
    machine_start();
    /* Slot 31 would share with 3; the LPC bridge has no pin, so borrow one. */
    struct pci_device *a = &the_devices.balloon.virtio.pci, *b = &the_devices.q35.lpc;
    b->config[PCI_INTERRUPT_PIN] = 1;
    pci_set_intx(a, true);
    pci_set_intx(b, true);
    pci_set_intx(a, false);
    CHECK_EQ(the_devices.ioapic.lines, 1u << 19);
    pci_set_intx(b, false);
    CHECK_EQ(the_devices.ioapic.lines, 0);
}

TEST(msix_masks_and_pends)
{
    machine_start();
    struct pci_msix *msix = &the_devices.rng.virtio.msix;
    uint32_t table = cfg_read(2, 0x14, 4);
    cfg_write(2, 4, 2, 7);
    CHECK_EQ(cfg_read(2, 0x42, 2), 1);                  /* two vectors: N - 1 */
    CHECK_EQ(machine_mmio_read(&vm, table + 12, 4), 1); /* masked after reset */
    machine_mmio_write(&vm, table + 16, 8, 0x00000000fee01000);
    machine_mmio_write(&vm, table + 24, 4, 0x55);
    pci_msix_send(msix, 1); /* not enabled: nothing */
    CHECK_EQ(msix->pending, 0);
    cfg_write(2, 0x42, 2, 0x8000);
    pci_msix_send(msix, 1);
    CHECK_EQ(fake.msis, 0);
    CHECK_EQ(machine_mmio_read(&vm, table + 0x800, 4), 2);
    machine_mmio_write(&vm, table + 28, 4, 0); /* unmask: sent */
    CHECK_EQ(fake.msis, 1);
    CHECK_EQ(fake.msi[0].address, 0xfee01000);
    CHECK_EQ(fake.msi[0].data, 0x55);
    CHECK_EQ(machine_mmio_read(&vm, table + 0x800, 4), 0);
    cfg_write(2, 0x42, 2, 0xc000); /* function mask */
    pci_msix_send(msix, 1);
    CHECK_EQ(fake.msis, 1);
    cfg_write(2, 0x42, 2, 0x8000);
    CHECK_EQ(fake.msis, 2);
    cfg_write(2, 4, 2, 3); /* not a bus master: no message leaves */
    pci_msix_send(msix, 1);
    CHECK_EQ(fake.msis, 2);
    cfg_write(2, 4, 2, 7);
    CHECK_EQ(fake.msis, 3);
    pci_msix_send(msix, 77);
    machine_mmio_write(&vm, table + 0xffc, 4, 1);
    machine_mmio_write(&vm, table + 0x400, 4, 1);
    CHECK_EQ(machine_mmio_read(&vm, table + 0x400, 4), 0);
}

TEST(reset_port_is_inside_the_address_port)
{
    machine_start();
    machine_pio_write(&vm, 0xcf8, 4, 0x80000600);
    CHECK_EQ(fake.events[MACHINE_RESET], 0);
    outb(0xcf9, 0x02);
    CHECK_EQ(fake.events[MACHINE_RESET], 0);
    outb(0xcf9, 0x06);
    CHECK_EQ(fake.events[MACHINE_RESET], 1);
    CHECK_EQ(machine_pio_read(&vm, 0xcf8, 4), 0x80000600);
}

/* SeaBIOS: off, high half, low half with the enable bit. */
TEST(the_configuration_window_moves)
{
    machine_start();
    uint32_t id = (uint32_t)machine_mmio_read(&vm, 0xe0000000, 4);
    CHECK_EQ(id, 0x29c08086);
    cfg_write(0, 0x60, 4, 0);
    CHECK_EQ(machine_mmio_read(&vm, 0xe0000000, 4), 0xffffffff);
    cfg_write(0, 0x64, 4, 0xfffffff1); /* 36 address bits */
    cfg_write(0, 0x60, 4, 0xb0000001);
    CHECK_EQ(machine_mmio_read(&vm, 0x1b0000000, 4), id);
    cfg_write(0, 0x64, 4, 0);
    CHECK_EQ(machine_mmio_read(&vm, 0xb0000000, 4), id);
    CHECK_EQ(machine_mmio_read(&vm, 0xb0100000, 4), 0xffffffff); /* no second bus */
    machine_mmio_write(&vm, 0xb0000060, 4, 0xe0000001);          /* through itself */
    CHECK_EQ(machine_mmio_read(&vm, 0xb0000000, 4), 0xffffffff);
    CHECK_EQ(machine_mmio_read(&vm, 0xe0000000, 4), id);
}
