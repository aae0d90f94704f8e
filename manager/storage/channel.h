/* SPDX-License-Identifier: BSD-2-Clause */
/* Block channels between disk drivers and their clients, as the manager hands them out. A channel
 * belongs to its client: it outlives the driver, and the driver that comes next gets it again. Its
 * memory, and the client's, is free for others when the driver has said so, or is dead and its
 * controller reaches no memory any more. */
#ifndef MANAGER_STORAGE_CHANNEL_H
#define MANAGER_STORAGE_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>
#include "drivers/ahci/protocol.h"
#include "manager/host/physmem.h"

enum channel_state {
    CHANNEL_FREE,
    CHANNEL_PREPARED, /* memory is there, the driver has not been told */
    CHANNEL_ATTACH,   /* the driver will be told when it asks */
    CHANNEL_ATTACHING,
    CHANNEL_ATTACHED,
    CHANNEL_RESIZING,
    CHANNEL_REFUSED, /* by the driver; tried again when its disks change */
    CHANNEL_DETACH,
    CHANNEL_DETACHING
};

struct channel {
    enum channel_state state;
    const void *owner; /* who uses it, for ahci_close_all() */
    bool claims;       /* its sectors are the owner's; else it only looks at them */
    bool resized;      /* attach.sectors has changed since the driver was told */
    struct ahci_attach attach;
    struct mem_block memory; /* struct blk_channel */
    uint32_t notif;          /* slot: the client's notification as the driver gets it */
    uint64_t disk_sectors;   /* of the disk it was made for, which must be the same later on */
    char serial[24], model[44];
};

struct channel_request {
    const void *owner;
    uint32_t port;
    struct blk_geometry disk; /* the whole disk's */
    uint64_t first_sector, sectors;
    bool read_only, claims;
    const struct mem_block *memory; /* of the client, for its segments */
    uint32_t memory_count;
    const char *name;
};

/* NULL, or why not. The channel's geometry is filled in, so the client may look at it before the
 * driver has seen the channel. */
const char *channel_prepare(struct channel *channel, const struct channel_request *request);
/* The client exists: the driver may be told, and signals `bits` there. Status of the copy. */
int64_t channel_attach(struct channel *channel, uint32_t notif, uint64_t bits);
/* Its volume has another size: the driver is told when it asks. */
void channel_resize(struct channel *channel, uint64_t sectors);
/* No driver serves it with an earlier size. */
bool channel_has_size(const struct channel *channel);
/* True if it becomes free by itself, when the driver has answered. */
bool channel_close(struct channel *channel);
/* The driver said that a job is done; refusal: enum ahci_refusal. False: it was told of none. */
bool channel_done(struct channel *channel, uint64_t job, uint64_t refusal);
/* The driver died and its controller is silent. */
void channel_driver_died(struct channel *channel);
/* Some disk came or went. True if there is something to tell the driver. */
bool channel_disks_changed(struct channel *channel);
/* True if both use some sector of one disk, and one of them writes. */
bool channel_conflicts(const struct channel *channel, uint32_t port, uint64_t first_sector,
                       uint64_t sectors, bool read_only);
bool channel_is_for(const struct channel *channel, const struct blk_geometry *disk);

#endif
