/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole machine of devices in one translation unit, over the fake host. */
#ifndef TESTS_UNIT_VMM_MACHINE_H
#define TESTS_UNIT_VMM_MACHINE_H

#include "fake_syscalls.h"
#include "vmm_host.h"
#include "vmm_ring.h"
#include "vmm/i8259.c"
#include "vmm/i8254.c"
#include "vmm/ioapic.c"
#include "vmm/calendar.c"
#include "vmm/mc146818.c"
#include "vmm/ns16550.c"
#include "vmm/i8042.c"
#include "vmm/acpi_pm.c"
#include "vmm/reset_cf9.c"
#include "vmm/pvpanic.c"
#include "vmm/debug_port.c"
#include "vmm/kvmclock.c"
#include "vmm/pci.c"
#include "vmm/pci_msix.c"
#include "vmm/pci_msi.c"
#include "vmm/q35.c"
#include "vmm/virtqueue.c"
#include "vmm/virtio_common.c"
#include "vmm/virtio_pci.c"
#include "vmm/virtio_console.c"
#include "vmm/random_pool.c"
#include "vmm/virtio_rng.c"
#include "vmm/virtio_balloon.c"
#include "user/block.c"
#include "vmm/disk.c"
#include "vmm/disk_channel.c"
#include "vmm/disk_image.c"
#include "vmm/disk_layer.c"
#include "vmm/virtio_blk.c"
#include "vmm/ahci.c"
#include "vmm/ahci_port.c"
#include "vmm/ahci_data.c"
#include "vmm/ata.c"
#include "vmm/atapi.c"
#include "vmm/disks.c"
#include "user/frame_owner.c"
#include "vmm/net.c"
#include "vmm/virtio_net.c"
#include "vmm/virtio_net_tx.c"
#include "vmm/virtio_net_rx.c"
#include "vmm/virtio_net_control.c"
#include "vmm/e1000.c"
#include "vmm/e1000_eeprom.c"
#include "vmm/e1000_tx.c"
#include "vmm/e1000_rx.c"
#include "vmm/nets.c"
#include "vmm/machine.c"

/* Signals that left the machine of devices, whatever the notification. */
static uint64_t fake_signals;

int64_t sys_notif_signal(uint32_t notif, uint64_t bits)
{
    (void)notif, (void)bits;
    fake_signals++;
    return 0;
}

/* A test fills in disks before it starts the machine. */
static struct vmm_config config;
static struct disk_source disk_source[VMM_MAX_DISKS];
static struct net_source net_source[VMM_MAX_NETS];

static inline void machine_start(void)
{
    config.vcpus = 2;
    config.boot = VMM_BOOT_LINUX;
    config.has_serial = config.has_virtio_console = config.has_rng = config.has_balloon = 1;
    config.rtc_base = 1700000000;
    config.rtc_tsc = 0;
    fake_start();
    fake_ring_start();
    config.rtc_tsc = fake.ns * 3;
    config.ram_count = 1;
    config.ram_size[0] = FAKE_RAM;
    vm.disk_source = disk_source;
    vm.net_source = net_source;
    vm.serial = vm.hvc = &fake_channel;
    machine_devices_init(&vm, &config);
}

/* Configuration space by mechanism #1. */
static inline uint32_t cfg_read(unsigned slot, unsigned offset, unsigned size)
{
    machine_pio_write(&vm, 0xcf8, 4, 0x80000000u | slot << 11 | (offset & 0xfcu));
    return machine_pio_read(&vm, (uint16_t)(0xcfc + (offset & 3u)), size);
}

static inline void cfg_write(unsigned slot, unsigned offset, unsigned size, uint32_t value)
{
    machine_pio_write(&vm, 0xcf8, 4, 0x80000000u | slot << 11 | (offset & 0xfcu));
    machine_pio_write(&vm, (uint16_t)(0xcfc + (offset & 3u)), size, value);
}

#endif
