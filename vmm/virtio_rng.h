/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio entropy device (virtio 1.2, "Entropy Device"). */
#ifndef VMM_VIRTIO_RNG_H
#define VMM_VIRTIO_RNG_H

#include "vmm/random_pool.h"
#include "vmm/virtio_pci.h"

struct virtio_rng {
    struct virtio_pci virtio;
    struct random_pool pool;
    struct vq_chain chain;
    uint64_t bytes;
};

void virtio_rng_init(struct virtio_rng *rng, struct pci_bus *bus, unsigned slot,
                     uint8_t interrupt_line);

#endif
