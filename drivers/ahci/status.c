/* SPDX-License-Identifier: BSD-2-Clause */
/* What the manager reads of disks. */
#include "drivers/ahci/hba.h"

#include <string.h>

static enum ahci_disk_state state_of(const struct port *port)
{
    switch (port->state) {
    case PORT_EMPTY:
        return AHCI_DISK_ABSENT;
    case PORT_FAILED:
        return AHCI_DISK_FAILED;
    case PORT_READY:
    case PORT_LOG:
        return AHCI_DISK_READY;
    default:
        return AHCI_DISK_STARTING;
    }
}

void status_disk(struct port *port)
{
    struct ahci_status *status = port->hba->status;
    struct ahci_disk *to = &status->disk[port->index];
    __atomic_store_n(&status->sequence, status->sequence + 1, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    to->state = state_of(port);
    if (port->known) {
        const struct disk *disk = &port->disk;
        to->kind = disk->packet ? AHCI_DISK_ATAPI : AHCI_DISK_ATA;
        to->depth = disk->depth;
        to->rpm = disk->rpm;
        to->wwn = disk->wwn;
        to->gigabits = SSTS_SPD(port_read(port, PORT_SSTS));
        disk_geometry(disk, &to->geometry, disk_sectors(disk), false);
        memcpy(to->firmware, disk->firmware, sizeof(to->firmware));
    }
    __atomic_store_n(&status->sequence, status->sequence + 1, __ATOMIC_RELEASE);
}
