/* SPDX-License-Identifier: BSD-2-Clause */
/* All disks of a guest: backing, limits and controller of each. Under machine.lock. */
#ifndef VMM_DISKS_H
#define VMM_DISKS_H

#include "vmm/config.h"
#include "vmm/pci.h"

struct guest_disk;

/* What backs a disk, as this process sees it. */
struct disk_source {
    void *memory;   /* the channel, or the image */
    void *overlay;  /* NULL: none */
    uint32_t notif; /* slot of the driver's notification */
};

struct disks {
    struct guest_disk *disk;
    uint32_t count;
};

/* source: one for each of config->disk[]. Slots from first_slot on; irq: interrupt line register of
 * a slot. fatal() without memory. */
void disks_init(struct disks *disks, struct pci_bus *bus, const struct vmm_config *config,
                const struct disk_source *source, unsigned first_slot, uint8_t (*irq)(unsigned));
void disks_free(struct disks *disks);
/* VMM_CTL_DISK. */
void disks_event(struct disks *disks);
/* Size in sectors; counters by enum vmm_disk_stat. */
uint64_t disks_stats(const struct disks *disks, uint32_t disk, uint64_t stat[DISK_STATS]);

#endif
