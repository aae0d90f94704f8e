/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/disks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "vmm/ahci.h"
#include "vmm/disk_channel.h"
#include "vmm/disk_image.h"
#include "vmm/disk_layer.h"
#include "vmm/virtio_blk.h"

#define QUEUES_MAX 4u /* of a disk: each takes a doorbell */

struct guest_disk {
    struct disk disk;
    struct virtio_blk blk; /* VMM_BUS_VIRTIO */
    uint32_t port;         /* VMM_BUS_SATA */
    bool layered;          /* backing.layer */
    union {
        struct disk_channel channel;
        struct disk_image image;
        struct disk_layer layer;
    } backing;
};

static void init_one(struct guest_disk *guest_disk, struct machine *machine,
                     const struct vmm_config *config, const struct vmm_disk *setup,
                     const struct disk_source *source)
{
    disk_init(&guest_disk->disk, machine, setup);
    guest_disk->layered = setup->backing == VMM_DISK_LAYER;
    if (setup->backing == VMM_DISK_CHANNEL)
        disk_channel_init(&guest_disk->backing.channel, &guest_disk->disk, config, source->memory,
                          source->notif);
    else if (guest_disk->layered)
        disk_layer_init(&guest_disk->backing.layer, &guest_disk->disk, config,
                        &(struct disk_layer_source){source->image, source->memory, source->overlay,
                                                    source->notif});
    else
        disk_image_init(&guest_disk->backing.image, &guest_disk->disk, source->memory,
                        setup->image.size, source->overlay, setup->overlay_size);
}

static void init_ahci(struct disks *disks, struct pci_bus *bus, const struct disk_slots *slots)
{
    struct disk *port[AHCI_PORTS];
    uint32_t ports = 0;
    for (uint32_t i = 0; i < disks->count; i++) {
        struct guest_disk *guest_disk = &disks->disk[i];
        if (guest_disk->disk.config->bus != VMM_BUS_SATA)
            continue;
        guest_disk->port = ports;
        port[ports++] = &guest_disk->disk;
    }
    if (!ports)
        return;
    disks->ahci = calloc(1, sizeof(*disks->ahci));
    if (!disks->ahci)
        fatal("no memory for %u SATA disks", ports);
    ahci_init(disks->ahci, bus, slots->ahci, slots->irq(slots->ahci), port, ports);
}

void disks_init(struct disks *disks, struct pci_bus *bus, const struct vmm_config *config,
                const struct disk_source *source, const struct disk_slots *slots)
{
    unsigned queues = config->vcpus < QUEUES_MAX ? config->vcpus : QUEUES_MAX;
    *disks = (struct disks){.count = config->disk_count};
    if (!disks->count)
        return;
    disks->disk = calloc(disks->count, sizeof(*disks->disk));
    if (!disks->disk)
        fatal("no memory for %u disks", disks->count);
    for (uint32_t i = 0; i < disks->count; i++) {
        struct guest_disk *guest_disk = &disks->disk[i];
        unsigned slot = slots->first_virtio + i;
        init_one(guest_disk, bus->machine, config, &config->disk[i], &source[i]);
        if (config->disk[i].bus == VMM_BUS_VIRTIO)
            virtio_blk_init(&guest_disk->blk, bus, slot, slots->irq(slot), &guest_disk->disk,
                            queues);
    }
    init_ahci(disks, bus, slots);
}

void disks_free(struct disks *disks)
{
    for (uint32_t i = 0; i < disks->count; i++) {
        if (disks->disk[i].layered)
            disk_layer_free(&disks->disk[i].backing.layer);
    }
    free(disks->disk);
    free(disks->ahci);
    *disks = (struct disks){0};
}

void disks_event(struct disks *disks)
{
    for (uint32_t i = 0; i < disks->count; i++) {
        struct guest_disk *guest_disk = &disks->disk[i];
        if (guest_disk->disk.config->backing == VMM_DISK_IMAGE)
            continue;
        if (guest_disk->layered)
            disk_layer_event(&guest_disk->backing.layer);
        else
            disk_channel_event(&guest_disk->backing.channel);
        if (guest_disk->disk.config->bus == VMM_BUS_SATA)
            ahci_event(disks->ahci, guest_disk->port);
        else
            virtio_blk_event(&guest_disk->blk);
    }
}

uint32_t disks_boot_path(const struct vmm_config *config, const struct disk_slots *slots,
                         uint32_t disk, char *text, uint32_t size)
{
    uint32_t port = 0;
    if (config->disk[disk].bus == VMM_BUS_VIRTIO)
        return (uint32_t)snprintf(text, size, "/pci@i0cf8/scsi@%x/disk@0,0\n",
                                  slots->first_virtio + disk);
    for (uint32_t i = 0; i < disk; i++)
        port += config->disk[i].bus == VMM_BUS_SATA;
    return (uint32_t)snprintf(text, size, "/pci@i0cf8/pci8086,2922@%x/drive@%x/disk@0\n",
                              slots->ahci, port);
}

uint64_t disks_stats(const struct disks *disks, uint32_t disk, uint64_t stat[DISK_STATS])
{
    if (disk >= disks->count)
        return 0;
    memcpy(stat, disks->disk[disk].disk.stat, sizeof disks->disk[disk].disk.stat);
    return disks->disk[disk].disk.geometry.sectors;
}
