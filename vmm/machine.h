/* SPDX-License-Identifier: BSD-2-Clause */
/* The standard PC of a guest: all chips, wired together. */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include "vmm/config.h"
#include "vmm/device.h"

/* Resets and connects all devices that the definition asks for. The first part of struct machine
 * must be filled; the rest may be garbage. One machine a process: the chips are static. */
void machine_devices_init(struct machine *machine, const struct vmm_config *config);

/* PCI slots on bus 0; devices that the definition lacks are not there. */
enum machine_slot {
    MACHINE_SLOT_HOST_BRIDGE = 0,
    MACHINE_SLOT_CONSOLE = 1,
    MACHINE_SLOT_RNG = 2,
    MACHINE_SLOT_BALLOON = 3,
    MACHINE_SLOT_DISK = 4, /* first of VMM_MAX_DISKS */
    MACHINE_SLOT_NET = 12, /* first of VMM_MAX_NETS */
    MACHINE_SLOT_AHCI = 30,
    MACHINE_SLOT_LPC = 31
};

extern const struct disk_slots machine_disk_slots; /* vmm/disks.h */

/* The GSI that INTx pin (0 = INTA#) of a slot arrives at, for _PRT. */
unsigned machine_pci_gsi(unsigned slot, unsigned pin);

/* Where the configuration window is. Under machine.lock, or before vCPUs run. */
uint32_t machine_ecam(const struct machine *machine);

/* --- for vCPU threads and the event thread [all take the lock] --- */
/* The vCPU takes the ExtINT: INTA cycles of the 8259 pair. Vector. */
uint8_t machine_pic_ack(struct machine *machine);
/* VCPU_EXIT_EOI: the I/O APIC's broadcast EOI. */
void machine_eoi(struct machine *machine, uint8_t vector);
/* VMM_CTL_SHUTDOWN. */
void machine_power_button(struct machine *machine);
/* VMM_CTL_SERIAL_IN, _ROOM; VMM_CTL_HVC_IN, _ROOM: look at the rings again. */
void machine_serial_event(struct machine *machine);
void machine_hvc_event(struct machine *machine);
/* VMM_CTL_DISK: look at the channels. */
void machine_disk_event(struct machine *machine);
/* Size in sectors of disk number `disk`, and its counters. */
uint64_t machine_disk_stats(struct machine *machine, uint32_t disk, uint64_t stat[DISK_STATS]);
/* VMM_CTL_NET: look at the channels. */
void machine_net_event(struct machine *machine);
/* The guest stood still: its interfaces announce themselves. */
void machine_net_announce(struct machine *machine);
/* Guest memory the balloon holds, in 4 KiB pages. */
uint64_t machine_balloon_pages(struct machine *machine);
/* What the host wants the balloon to hold. */
void machine_balloon_target(struct machine *machine, uint32_t pages);

/* WRMSR of a KVM clock MSR (0x11, 0x12, 0x4b564d00, 0x4b564d01). false: #GP. vcpu is the number of
 * the vCPU. The read side returns what was written last. */
bool machine_kvmclock_write(struct machine *machine, unsigned vcpu, uint32_t msr, uint64_t value);
bool machine_kvmclock_read(struct machine *machine, unsigned vcpu, uint32_t msr, uint64_t *value);
/* The guest stood still (suspend/resume): tells its watchdogs, at the next run of each vCPU. */
void machine_kvmclock_stopped(struct machine *machine);

#endif
