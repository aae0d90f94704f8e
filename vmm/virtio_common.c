/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/virtio_common.h"

/* struct virtio_pci_common_cfg */
#define DEVICE_FEATURE_SELECT 0u
#define DEVICE_FEATURE        4u
#define DRIVER_FEATURE_SELECT 8u
#define DRIVER_FEATURE        12u
#define CONFIG_MSIX_VECTOR    16u
#define NUM_QUEUES            18u
#define DEVICE_STATUS         20u
#define CONFIG_GENERATION     21u
#define QUEUE_SELECT          22u
#define QUEUE_SIZE            24u
#define QUEUE_MSIX_VECTOR     26u
#define QUEUE_ENABLE          28u
#define QUEUE_NOTIFY_OFF      30u
#define QUEUE_DESC            32u
#define QUEUE_DRIVER          40u
#define QUEUE_DEVICE          48u

static uint64_t offered(const struct virtio_pci *virtio)
{
    return virtio->type->features | VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC |
           VIRTIO_F_EVENT_IDX;
}

static struct virtio_queue *selected(struct virtio_pci *virtio)
{
    return virtio->queue_select < virtio->type->queues ? &virtio->queue[virtio->queue_select]
                                                       : NULL;
}

static uint32_t half(uint64_t features, uint32_t select)
{
    return select == 0 ? (uint32_t)features : select == 1 ? (uint32_t)(features >> 32) : 0;
}

static uint32_t read_queue(struct virtio_pci *virtio, unsigned offset)
{
    const struct virtio_queue *queue = selected(virtio);
    if (!queue) /* a size of 0 says that there is no such queue */
        return offset == QUEUE_MSIX_VECTOR ? VIRTIO_NO_VECTOR : 0;
    switch (offset) {
    case QUEUE_SIZE:
        return queue->size;
    case QUEUE_MSIX_VECTOR:
        return queue->vector;
    case QUEUE_ENABLE:
        return queue->ring.enabled;
    case QUEUE_NOTIFY_OFF:
        return virtio->queue_select;
    case QUEUE_DESC:
        return (uint32_t)queue->desc;
    case QUEUE_DESC + 4:
        return (uint32_t)(queue->desc >> 32);
    case QUEUE_DRIVER:
        return (uint32_t)queue->avail;
    case QUEUE_DRIVER + 4:
        return (uint32_t)(queue->avail >> 32);
    case QUEUE_DEVICE:
        return (uint32_t)queue->used;
    case QUEUE_DEVICE + 4:
        return (uint32_t)(queue->used >> 32);
    default: /* queue_notify_data, queue_reset: their features are not offered */
        return 0;
    }
}

static uint32_t read_field(struct virtio_pci *virtio, unsigned offset)
{
    switch (offset) {
    case DEVICE_FEATURE_SELECT:
        return virtio->device_feature_select;
    case DEVICE_FEATURE:
        return half(offered(virtio), virtio->device_feature_select);
    case DRIVER_FEATURE_SELECT:
        return virtio->driver_feature_select;
    case DRIVER_FEATURE:
        return half(virtio->driver_features, virtio->driver_feature_select);
    case CONFIG_MSIX_VECTOR:
        return virtio->config_vector;
    case NUM_QUEUES:
        return virtio->type->queues;
    case DEVICE_STATUS:
        return virtio_resetting(virtio) ? virtio->status_before : virtio->status;
    case CONFIG_GENERATION:
        return virtio->generation;
    case QUEUE_SELECT:
        return virtio->queue_select;
    default:
        return read_queue(virtio, offset);
    }
}

/* Start of the field that holds a byte. */
static unsigned field_of(unsigned offset)
{
    if (offset < CONFIG_MSIX_VECTOR || offset >= QUEUE_DESC)
        return offset & ~3u;
    if (offset == DEVICE_STATUS || offset == CONFIG_GENERATION)
        return offset;
    return offset & ~1u;
}

uint32_t virtio_common_read(struct virtio_pci *virtio, unsigned offset, unsigned size)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < size && offset + i < VIRTIO_COMMON_SIZE; i++) {
        unsigned field = field_of(offset + i);
        uint32_t byte = read_field(virtio, field) >> (8 * (offset + i - field)) & 0xffu;
        value |= byte << (8 * i);
    }
    return value;
}

/* --- writes --- */

static void write_driver_feature(struct virtio_pci *virtio, uint32_t value)
{
    if (virtio->status & VIRTIO_FEATURES_OK)
        return; /* settled */
    uint64_t *features = &virtio->driver_features;
    if (virtio->driver_feature_select == 0)
        *features = (*features & 0xffffffff00000000ull) | value;
    else if (virtio->driver_feature_select == 1)
        *features = (*features & 0xffffffffull) | (uint64_t)value << 32;
}

static void write_status(struct virtio_pci *virtio, uint8_t value)
{
    if (value == 0) {
        virtio_pci_reset(virtio);
        return;
    }
    if (virtio_resetting(virtio))
        return; /* the driver has to wait until it reads 0 */
    uint8_t old = virtio->status;
    if (value & VIRTIO_FEATURES_OK && !(old & VIRTIO_FEATURES_OK)) {
        bool subset = !(virtio->driver_features & ~offered(virtio));
        if (!subset || !virtio_has(virtio, VIRTIO_F_VERSION_1))
            value &= (uint8_t)~VIRTIO_FEATURES_OK; /* which is how the driver learns of it */
    }
    if (value & VIRTIO_DRIVER_OK && !(value & VIRTIO_FEATURES_OK))
        value &= (uint8_t)~VIRTIO_DRIVER_OK;
    /* The driver sets bits, it clears them by a reset only. */
    virtio->status = old | (value & (uint8_t)~VIRTIO_NEEDS_RESET);
    if (!(old & VIRTIO_DRIVER_OK) && virtio->status & VIRTIO_DRIVER_OK)
        virtio_driver_ready(virtio);
}

static void enable_queue(struct virtio_pci *virtio, struct virtio_queue *queue)
{
    if (queue->ring.enabled || !(virtio->status & VIRTIO_FEATURES_OK))
        return;
    const char *wrong =
        virtqueue_enable(&queue->ring, virtio->machine, queue->size, queue->desc, queue->avail,
                         queue->used, virtio_has(virtio, VIRTIO_F_EVENT_IDX));
    if (wrong)
        virtio_fail(virtio, wrong);
}

static uint16_t checked_vector(const struct virtio_pci *virtio, uint32_t value)
{
    return value < virtio->msix.vectors ? (uint16_t)value : VIRTIO_NO_VECTOR;
}

static void set_half(uint64_t *address, bool high, uint32_t value)
{
    if (high)
        *address = (*address & 0xffffffffull) | (uint64_t)value << 32;
    else
        *address = (*address & 0xffffffff00000000ull) | value;
}

static void write_queue(struct virtio_pci *virtio, unsigned offset, uint32_t value)
{
    struct virtio_queue *queue = selected(virtio);
    if (!queue)
        return;
    if (offset == QUEUE_MSIX_VECTOR)
        queue->vector = checked_vector(virtio, value);
    if (queue->ring.enabled)
        return; /* the rest is settled */
    if (offset == QUEUE_SIZE) {
        /* A size that cannot be is refused by keeping the old one; the driver reads it back. */
        if (value && value <= virtio->type->queue_size && !(value & (value - 1)))
            queue->size = (uint16_t)value;
    } else if (offset == QUEUE_ENABLE) {
        if (value == 1)
            enable_queue(virtio, queue);
    } else if (offset >= QUEUE_DESC && offset < QUEUE_DRIVER) {
        set_half(&queue->desc, offset != QUEUE_DESC, value);
    } else if (offset >= QUEUE_DRIVER && offset < QUEUE_DEVICE) {
        set_half(&queue->avail, offset != QUEUE_DRIVER, value);
    } else if (offset >= QUEUE_DEVICE && offset < QUEUE_DEVICE + 8) {
        set_half(&queue->used, offset != QUEUE_DEVICE, value);
    }
}

static void write_field(struct virtio_pci *virtio, unsigned offset, uint32_t value)
{
    switch (offset) {
    case DEVICE_FEATURE_SELECT:
        virtio->device_feature_select = value;
        break;
    case DRIVER_FEATURE_SELECT:
        virtio->driver_feature_select = value;
        break;
    case DRIVER_FEATURE:
        write_driver_feature(virtio, value);
        break;
    case CONFIG_MSIX_VECTOR:
        virtio->config_vector = checked_vector(virtio, value);
        break;
    case DEVICE_STATUS:
        write_status(virtio, (uint8_t)value);
        break;
    case QUEUE_SELECT:
        virtio->queue_select = (uint16_t)value;
        break;
    case DEVICE_FEATURE: /* read-only */
    case NUM_QUEUES:
    case CONFIG_GENERATION:
        break;
    default:
        write_queue(virtio, offset, value);
        break;
    }
}

static unsigned field_size(unsigned field)
{
    return field_of(field + 3) == field ? 4 : field_of(field + 1) == field ? 2 : 1;
}

/* Fields must be written whole (virtio 1.2, "PCI Device Layout"); a wider access covers several,
 * and parts of a field are ignored. */
void virtio_common_write(struct virtio_pci *virtio, unsigned offset, unsigned size, uint32_t value)
{
    unsigned end = offset + size;
    for (unsigned at = offset; at < end && at < VIRTIO_COMMON_SIZE; at++) {
        unsigned length = field_size(at);
        if (field_of(at) != at || at + length > end)
            continue;
        uint32_t part = value >> (8 * (at - offset));
        write_field(virtio, at, length == 4 ? part : part & ((1u << 8 * length) - 1));
    }
}
