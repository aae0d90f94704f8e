/* SPDX-License-Identifier: BSD-2-Clause */
/* All disks of a guest: backing, limits and controller of each. Under machine.lock. */
#ifndef VMM_DISKS_H
#define VMM_DISKS_H

#include "vmm/config.h"
#include "vmm/pci.h"

struct guest_disk;

/* What backs a disk, as this process sees it. */
struct disk_source {
    void *memory;      /* the channel, or the image */
    void *overlay;     /* NULL: none */
    const void *image; /* VMM_DISK_LAYER, beside the channel */
    uint32_t notif;    /* slot of the driver's notification */
};

struct ahci;

struct disks {
    struct guest_disk *disk;
    uint32_t count;
    struct ahci *ahci; /* NULL: no disk is on the SATA bus */
};

/* Where controllers go: virtio disk number i to first_virtio + i, SATA disks to one. */
struct disk_slots {
    unsigned first_virtio, ahci;
    uint8_t (*irq)(unsigned slot); /* interrupt line register of a slot */
};

/* source: one for each of config->disk[]. fatal() without memory. */
void disks_init(struct disks *disks, struct pci_bus *bus, const struct vmm_config *config,
                const struct disk_source *source, const struct disk_slots *slots);
void disks_free(struct disks *disks);
/* VMM_CTL_DISK. */
void disks_event(struct disks *disks);
/* Size in sectors; counters by enum vmm_disk_stat. */
uint64_t disks_stats(const struct disks *disks, uint32_t disk, uint64_t stat[DISK_STATS]);

/* Where firmware finds a disk, as QEMU's file "bootorder" has it, with the newline. Its length. */
uint32_t disks_boot_path(const struct vmm_config *config, const struct disk_slots *slots,
                         uint32_t disk, char *text, uint32_t size);

#endif
