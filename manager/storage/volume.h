/* SPDX-License-Identifier: BSD-2-Clause */
/* What guests can have of disks: whole disks and GPT partitions, by the names that udev gives them
 * on Linux: /dev/disk/by-id/ata-MODEL_SERIAL[-partN], by-partlabel/LABEL, by-partuuid/UUID. */
#ifndef MANAGER_STORAGE_VOLUME_H
#define MANAGER_STORAGE_VOLUME_H

#include <stdbool.h>
#include <stdint.h>
#include "drivers/gpt/gpt.h"
#include "manager/storage/ahci.h"

#define VOLUME_REASON 256u
#define VOLUME_ID     96u
/* Bit of the manager's notification: a disk has given what was asked of it. */
#define VOLUME_BIT (1ull << 60)

/* A part of a disk, in units of BLK_SECTOR. */
struct volume {
    struct ahci *ahci;
    uint32_t port;
    uint64_t first_sector, sectors;
    bool read_only;
    struct ahci_disk disk;
};

/* notif: the manager's, signalled with VOLUME_BIT. */
void volume_init(uint32_t notif);
/* Looks at disks that came, forgets those that went. The TSC at which to be called again, 0: none.
 */
uint64_t volume_tick(uint64_t now);
/* True while disks are still being looked for: a volume that is not there may yet come. */
bool volume_searching(uint64_t now);
/* Finds a volume by the path of a definition. NULL, or why not. */
const char *volume_find(const char *path, struct volume *volume, char reason[VOLUME_REASON]);

/* The partition at the volume's place gets so many sectors, or with 0 all that are free behind it:
 * pool_partition_grown() tells the end. NULL, or why it is not even tried. */
const char *volume_grow(const struct volume *volume, uint64_t sectors);

/* "ata-QEMU_HARDDISK_QM00001", as udev makes it. */
void volume_disk_id(const struct ahci_disk *disk, char id[VOLUME_ID]);

#endif
