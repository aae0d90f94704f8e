/* SPDX-License-Identifier: BSD-2-Clause */
/* Backing of a disk: a driver, over a block channel. */
#ifndef VMM_DISK_CHANNEL_H
#define VMM_DISK_CHANNEL_H

#include "user/block_client.h"
#include "vmm/disk.h"

/* A piece of RAM that the PCI hole cuts makes two of them. */
#define DISK_RANGES (BLK_MEMORIES_MAX + 1u)

/* Where guest memory lies in the memory objects that the driver has, too. */
struct disk_range {
    uint64_t gpa, size, offset;
    uint32_t memory;
};

struct disk_channel {
    struct disk *disk;
    struct blk_client client;
    struct disk_range range[DISK_RANGES];
    uint32_t ranges;
    uint64_t flush_after; /* by tag: a write that the driver cannot make durable by itself */
};

#endif
