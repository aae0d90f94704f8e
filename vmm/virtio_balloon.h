/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio memory balloon (virtio 1.2, "Traditional Memory Balloon Device"). */
#ifndef VMM_VIRTIO_BALLOON_H
#define VMM_VIRTIO_BALLOON_H

#include "vmm/virtio_pci.h"

#define BALLOON_STATS 16u /* tags 0..15 */

struct virtio_balloon {
    struct virtio_pci virtio;
    struct vq_chain chain;
    struct vq_chain stats_chain; /* the driver's buffer, held until fresh statistics are wanted */
    bool stats_held;
    uint64_t stat[BALLOON_STATS];           /* by tag; UINT64_MAX: not reported */
    uint64_t inflated, deflated, bad_pages; /* pages, over time */
};

void virtio_balloon_init(struct virtio_balloon *balloon, struct pci_bus *bus, unsigned slot,
                         uint8_t interrupt_line);
/* What the driver says it holds, 4 KiB pages; never more than the guest has. */
uint64_t virtio_balloon_pages(const struct virtio_balloon *balloon);
/* Asks the driver to hold so many pages. */
void virtio_balloon_target(struct virtio_balloon *balloon, uint32_t pages);
/* Asks the driver for fresh statistics; they arrive in stat[] later. */
void virtio_balloon_refresh(struct virtio_balloon *balloon);

#endif
