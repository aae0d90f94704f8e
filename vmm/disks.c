/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/disks.h"

#include <stdlib.h>
#include <string.h>
#include "vmm/disk_channel.h"
#include "vmm/disk_image.h"
#include "vmm/virtio_blk.h"

struct guest_disk {
    struct disk disk;
    struct virtio_blk blk;
    union {
        struct disk_channel channel;
        struct disk_image image;
    } backing;
};

static void init_one(struct guest_disk *guest_disk, struct machine *machine,
                     const struct vmm_config *config, const struct vmm_disk *setup,
                     const struct disk_source *source)
{
    disk_init(&guest_disk->disk, machine, setup);
    if (setup->backing == VMM_DISK_CHANNEL)
        disk_channel_init(&guest_disk->backing.channel, &guest_disk->disk, config, source->memory,
                          source->notif);
    else
        disk_image_init(&guest_disk->backing.image, &guest_disk->disk, source->memory,
                        setup->image.size, source->overlay, setup->overlay_size);
}

void disks_init(struct disks *disks, struct pci_bus *bus, const struct vmm_config *config,
                const struct disk_source *source, unsigned first_slot, uint8_t (*irq)(unsigned))
{
    unsigned queues = config->vcpus < VIRTIO_QUEUES ? config->vcpus : VIRTIO_QUEUES;
    *disks = (struct disks){.count = config->disk_count};
    if (!disks->count)
        return;
    disks->disk = calloc(disks->count, sizeof(*disks->disk));
    if (!disks->disk)
        fatal("no memory for %u disks", disks->count);
    for (uint32_t i = 0; i < disks->count; i++) {
        struct guest_disk *guest_disk = &disks->disk[i];
        init_one(guest_disk, bus->machine, config, &config->disk[i], &source[i]);
        virtio_blk_init(&guest_disk->blk, bus, first_slot + i, irq(first_slot + i),
                        &guest_disk->disk, queues);
    }
}

void disks_free(struct disks *disks)
{
    free(disks->disk);
    *disks = (struct disks){0};
}

void disks_event(struct disks *disks)
{
    for (uint32_t i = 0; i < disks->count; i++) {
        struct guest_disk *guest_disk = &disks->disk[i];
        if (guest_disk->disk.config->backing != VMM_DISK_CHANNEL)
            continue;
        disk_channel_event(&guest_disk->backing.channel);
        virtio_blk_event(&guest_disk->blk);
    }
}

uint64_t disks_stats(const struct disks *disks, uint32_t disk, uint64_t stat[DISK_STATS])
{
    if (disk >= disks->count)
        return 0;
    memcpy(stat, disks->disk[disk].disk.stat, sizeof disks->disk[disk].disk.stat);
    return disks->disk[disk].disk.geometry.sectors;
}
