/* SPDX-License-Identifier: BSD-2-Clause */
/* The common configuration structure of a virtio PCI device: status, features, queues. */
#ifndef VMM_VIRTIO_COMMON_H
#define VMM_VIRTIO_COMMON_H

#include "vmm/virtio_pci.h"

#define VIRTIO_COMMON_SIZE 60u

/* Any size and offset; fields are assembled of what an access covers. */
uint32_t virtio_common_read(struct virtio_pci *virtio, unsigned offset, unsigned size);
void virtio_common_write(struct virtio_pci *virtio, unsigned offset, unsigned size, uint32_t value);
/* Up-call to virtio_pci.c: the driver has just set DRIVER_OK. */
void virtio_driver_ready(struct virtio_pci *virtio);

#endif
