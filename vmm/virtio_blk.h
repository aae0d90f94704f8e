/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio block device (virtio 1.2, "Block Device"). */
#ifndef VMM_VIRTIO_BLK_H
#define VMM_VIRTIO_BLK_H

#include "vmm/disk.h"
#include "vmm/virtio_pci.h"

/* One that the disk works on, or that waits for a limit. */
struct virtio_blk_request {
    uint16_t queue, head;
    uint32_t written; /* of its in-buffers, when all goes well */
    uint8_t *status;  /* in guest memory */
};

struct virtio_blk {
    struct virtio_pci virtio;
    struct virtio_type type; /* features and queues are this disk's own */
    struct disk *disk;
    uint64_t used;     /* tags: bit set, request[] is in use */
    uint64_t lost;     /* of them, those of before a reset: nobody waits for the answer */
    uint32_t answered; /* queues that may want an interrupt */
    uint32_t next_queue;
    bool blocked; /* queues may hold what there was no room for */
    bool held;    /* request[held_tag] waits for a limit; `next` is what it asks */
    uint32_t held_tag;
    struct virtio_blk_request request[DISK_REQUESTS];
    struct disk_request next;
    struct vq_chain chain;
};

/* The disk has its backing; queues: at least 1. */
void virtio_blk_init(struct virtio_blk *blk, struct pci_bus *bus, unsigned slot,
                     uint8_t interrupt_line, struct disk *disk, unsigned queues);
/* Requests of the disk have ended: answers, and takes more. */
void virtio_blk_event(struct virtio_blk *blk);

#endif
