/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio 1.2 over PCI, the modern interface only (virtio 1.2, "Virtio Over PCI Bus").
 *
 * BAR 0, I/O: the notification area, one port group a queue, so that a notification is a port write
 * (the cheapest exit everywhere, and a doorbell in the kernel). BAR 1: MSI-X. BAR 4: common, ISR
 * and device configuration, a page each. */
#ifndef VMM_VIRTIO_PCI_H
#define VMM_VIRTIO_PCI_H

#include "vmm/pci_msix.h"
#include "vmm/virtqueue.h"

#define VIRTIO_QUEUES      17u /* at most: a network card's pairs, and its control queue */
#define VIRTIO_CONFIG_SIZE 64u

#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)

/* Device status. */
#define VIRTIO_ACKNOWLEDGE 0x01u
#define VIRTIO_DRIVER      0x02u
#define VIRTIO_DRIVER_OK   0x04u
#define VIRTIO_FEATURES_OK 0x08u
#define VIRTIO_NEEDS_RESET 0x40u
#define VIRTIO_FAILED      0x80u

#define VIRTIO_NO_VECTOR 0xffffu

/* What a device type is made of. Callbacks run under the device lock. */
struct virtio_type {
    const char *name;
    uint8_t id; /* virtio device ID */
    uint32_t class_code;
    uint8_t queues;
    uint16_t queue_size;
    uint64_t features;
    uint8_t config_size;
    /* The driver notified queue, or the device became ready with it. */
    void (*queue_notify)(void *dev, unsigned queue);
    /* Device-specific configuration was written, bytes [offset, offset + size); NULL: read-only. */
    void (*config_written)(void *dev, unsigned offset, unsigned size);
    /* Forget everything about queues. */
    void (*reset)(void *dev);
    /* True while requests of before a reset may still touch guest memory: the driver sees the reset
     * end only after them. NULL: never. */
    bool (*busy)(void *dev);
};

struct virtio_queue {
    struct virtqueue ring;
    uint16_t size, vector;
    uint64_t desc, avail, used;
    int doorbell;
};

struct virtio_pci {
    struct machine *machine;
    const struct virtio_type *type;
    void *dev;
    struct pci_device pci;
    struct pci_msix msix;
    uint8_t config[VIRTIO_CONFIG_SIZE];          /* device-specific, little-endian */
    uint8_t config_writable[VIRTIO_CONFIG_SIZE]; /* bits the driver may change */
    struct virtio_queue queue[VIRTIO_QUEUES];
    uint64_t driver_features;
    uint32_t device_feature_select, driver_feature_select;
    uint16_t config_vector, queue_select;
    uint8_t status, isr, generation;
    uint8_t status_before;   /* the reset: what is read while the device is busy */
    unsigned cfg_capability; /* offset of the PCI configuration access capability */
    uint32_t complaints;     /* log lines about this driver, bounded */
    uint64_t notifications, resets;
};

void virtio_pci_init(struct virtio_pci *virtio, struct pci_bus *bus, unsigned slot,
                     uint8_t interrupt_line, const struct virtio_type *type, void *dev);
void virtio_pci_reset(struct virtio_pci *virtio);

/* A reset is under way: requests of before it have not ended. */
static inline bool virtio_resetting(const struct virtio_pci *virtio)
{
    return virtio->type->busy && virtio->type->busy(virtio->dev);
}

static inline bool virtio_has(const struct virtio_pci *virtio, uint64_t feature)
{
    return (virtio->driver_features & feature) == feature;
}

/* Next chain of a queue, while the driver is up. A broken queue makes the device need a reset. */
bool virtio_pop(struct virtio_pci *virtio, unsigned queue, struct vq_chain *chain);
/* The same by virtqueue_pop_quiet(). */
bool virtio_pop_quiet(struct virtio_pci *virtio, unsigned queue, struct vq_chain *chain);
void virtio_push(struct virtio_pci *virtio, unsigned queue, const struct vq_chain *chain,
                 uint32_t written);
/* After a batch of pushes. */
void virtio_interrupt(struct virtio_pci *virtio, unsigned queue);
/* Changes device-specific configuration and tells the driver. */
void virtio_set_config(struct virtio_pci *virtio, unsigned offset, unsigned size, uint32_t value);
uint32_t virtio_get_config(const struct virtio_pci *virtio, unsigned offset, unsigned size);
/* The driver did what it must not: log line with the reason, NEEDS_RESET. */
void virtio_fail(struct virtio_pci *virtio, const char *reason);

#endif
