/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio device on PCI, as a driver sees it, and one queue of it. */
#ifndef GUEST_VIRTIO_H
#define GUEST_VIRTIO_H

#include "guest.h"

#define VIRTIO_VENDOR 0x1af4u
#define VIRTIO_BLOCK  0x1042u

#define DESCRIPTOR_NEXT  1u
#define DESCRIPTOR_WRITE 2u /* by the device */

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

/* Offsets in the common configuration (Virtual I/O Device 1.2, "Common configuration structure
 * layout"). */
#define COMMON_FEATURES_SELECT 0x08
#define COMMON_FEATURES        0x0c
#define COMMON_STATUS          0x14
#define COMMON_QUEUE_SELECT    0x16
#define COMMON_QUEUE_SIZE      0x18
#define COMMON_QUEUE_ENABLE    0x1c
#define COMMON_QUEUE_DESC      0x20
#define COMMON_QUEUE_DRIVER    0x28
#define COMMON_QUEUE_DEVICE    0x30
#define STATUS_DRIVER_OK       15u

struct virtio_device {
    uint32_t bdf;
    uint64_t common, notify, isr, config;
    uint32_t notify_port, notify_step;
};

static inline void write8(uint64_t base, uint32_t offset, uint8_t value)
{
    *(volatile uint8_t *)(base + offset) = value;
}

static inline void write16(uint64_t base, uint32_t offset, uint16_t value)
{
    *(volatile uint16_t *)(base + offset) = value;
}

static inline void write32(uint64_t base, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(base + offset) = value;
}

static inline void write64(uint64_t base, uint32_t offset, uint64_t value)
{
    write32(base, offset, (uint32_t)value);
    write32(base, offset + 4, (uint32_t)(value >> 32));
}

/* True if there is a virtio device at d->bdf: it is switched on, the rest of *d filled in. */
bool virtio_find(struct virtio_device *d);
/* Resets it and accepts VERSION_1 and nothing else. Queues are to be set up, then DRIVER_OK. */
void virtio_negotiate(const struct virtio_device *d);
void virtio_reset(const struct virtio_device *d);
void virtio_set_queue(const struct virtio_device *d, uint16_t index, uint16_t size,
                      const volatile void *table, const volatile void *available,
                      const volatile void *used);
/* Each queue has a place of its own. */
void virtio_notify(const struct virtio_device *d, uint16_t index);

#endif
