/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/virtio_common.h"
#include "vmm/virtio_pci.h"

#define BAR_NOTIFY 0u
#define BAR_MSIX   1u
#define BAR_MEMORY 4u

#define PAGE        0x1000u
#define ISR_PAGE    1u
#define DEVICE_PAGE 2u
#define MEMORY_SIZE (4 * PAGE)
#define NOTIFY_STEP 4u  /* notify_off_multiplier: ports a queue */
#define NOTIFY_MIN  16u /* ports */

#define ISR_QUEUE  1u
#define ISR_CONFIG 2u

#define CAP_VENDOR     0x09u
#define CFG_COMMON     1u
#define CFG_NOTIFY     2u
#define CFG_ISR        3u
#define CFG_DEVICE     4u
#define CFG_PCI        5u
#define COMPLAINTS_MAX 8u

/* --- interrupts --- */

static void interrupt(struct virtio_pci *virtio, uint8_t cause, uint16_t vector)
{
    if (pci_msix_enabled(&virtio->msix)) {
        if (vector != VIRTIO_NO_VECTOR)
            pci_msix_send(&virtio->msix, vector);
        return;
    }
    virtio->isr |= cause;
    pci_set_intx(&virtio->pci, true);
}

void virtio_interrupt(struct virtio_pci *virtio, unsigned queue)
{
    if (virtqueue_wants_interrupt(&virtio->queue[queue].ring))
        interrupt(virtio, ISR_QUEUE, virtio->queue[queue].vector);
}

static void config_interrupt(struct virtio_pci *virtio)
{
    if (virtio->status & VIRTIO_DRIVER_OK)
        interrupt(virtio, ISR_CONFIG, virtio->config_vector);
}

void virtio_fail(struct virtio_pci *virtio, const char *reason)
{
    if (virtio->complaints++ < COMPLAINTS_MAX)
        log_line("%s: driver error: %s; the device needs a reset", virtio->type->name, reason);
    if (virtio->status & VIRTIO_NEEDS_RESET)
        return;
    virtio->status |= VIRTIO_NEEDS_RESET;
    config_interrupt(virtio);
}

/* --- for device types --- */

static bool usable(const struct virtio_pci *virtio)
{
    return virtio->status & VIRTIO_DRIVER_OK && !(virtio->status & VIRTIO_NEEDS_RESET) &&
           pci_is_master(&virtio->pci);
}

static bool popped(struct virtio_pci *virtio, unsigned queue, bool found)
{
    const char *broken = virtio->queue[queue].ring.broken;
    if (!found && broken)
        virtio_fail(virtio, broken);
    return found;
}

bool virtio_pop(struct virtio_pci *virtio, unsigned queue, struct vq_chain *chain)
{
    return usable(virtio) &&
           popped(virtio, queue, virtqueue_pop(&virtio->queue[queue].ring, chain));
}

bool virtio_pop_quiet(struct virtio_pci *virtio, unsigned queue, struct vq_chain *chain)
{
    return usable(virtio) &&
           popped(virtio, queue, virtqueue_pop_quiet(&virtio->queue[queue].ring, chain));
}

void virtio_push(struct virtio_pci *virtio, unsigned queue, const struct vq_chain *chain,
                 uint32_t written)
{
    virtqueue_push(&virtio->queue[queue].ring, chain->head, written);
}

uint32_t virtio_get_config(const struct virtio_pci *virtio, unsigned offset, unsigned size)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < size && offset + i < virtio->type->config_size; i++)
        value |= (uint32_t)virtio->config[offset + i] << (8 * i);
    return value;
}

void virtio_set_config(struct virtio_pci *virtio, unsigned offset, unsigned size, uint32_t value)
{
    if (virtio_get_config(virtio, offset, size) == value)
        return;
    for (unsigned i = 0; i < size && offset + i < virtio->type->config_size; i++)
        virtio->config[offset + i] = (uint8_t)(value >> (8 * i));
    virtio->generation++;
    config_interrupt(virtio);
}

static void notify(void *dev, unsigned queue)
{
    struct virtio_pci *virtio = dev;
    virtio->notifications++;
    if (usable(virtio) && virtio->queue[queue].ring.enabled)
        virtio->type->queue_notify(virtio->dev, queue);
}

void virtio_driver_ready(struct virtio_pci *virtio)
{
    /* Buffers may have been offered before DRIVER_OK; nobody notifies about them again. */
    for (unsigned i = 0; i < virtio->type->queues; i++)
        notify(virtio, i);
}

void virtio_pci_reset(struct virtio_pci *virtio)
{
    virtio->type->reset(virtio->dev);
    for (unsigned i = 0; i < virtio->type->queues; i++) {
        struct virtio_queue *queue = &virtio->queue[i];
        virtqueue_disable(&queue->ring);
        queue->size = virtio->type->queue_size;
        queue->vector = VIRTIO_NO_VECTOR;
        queue->desc = queue->avail = queue->used = 0;
    }
    virtio->driver_features = 0;
    virtio->device_feature_select = virtio->driver_feature_select = 0;
    virtio->config_vector = VIRTIO_NO_VECTOR;
    virtio->queue_select = 0;
    if (virtio->status)
        virtio->status_before = virtio->status;
    virtio->status = virtio->isr = 0;
    virtio->resets++;
    pci_set_intx(&virtio->pci, false);
}

/* --- BAR 4: common, ISR and device configuration --- */

static uint32_t read_isr(struct virtio_pci *virtio)
{
    uint8_t isr = virtio->isr;
    virtio->isr = 0;
    pci_set_intx(&virtio->pci, false);
    return isr;
}

static void write_config(struct virtio_pci *virtio, unsigned offset, unsigned size, uint32_t value)
{
    for (unsigned i = 0; i < size && offset + i < virtio->type->config_size; i++) {
        uint8_t mask = virtio->config_writable[offset + i];
        virtio->config[offset + i] =
            (uint8_t)((virtio->config[offset + i] & ~mask) | (value >> (8 * i) & mask));
    }
    if (virtio->type->config_written && offset < virtio->type->config_size)
        virtio->type->config_written(virtio->dev, offset, size);
}

static uint64_t memory_read(void *dev, uint64_t offset, unsigned size)
{
    struct virtio_pci *virtio = dev;
    unsigned at = (unsigned)(offset % PAGE);
    switch (offset / PAGE) {
    case 0:
        return virtio_common_read(virtio, at, size);
    case ISR_PAGE:
        return at == 0 ? read_isr(virtio) : 0;
    case DEVICE_PAGE:
        return virtio_get_config(virtio, at, size);
    default:
        return 0;
    }
}

static void memory_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct virtio_pci *virtio = dev;
    unsigned at = (unsigned)(offset % PAGE);
    if (offset / PAGE == 0)
        virtio_common_write(virtio, at, size, (uint32_t)value);
    else if (offset / PAGE == DEVICE_PAGE)
        write_config(virtio, at, size, (uint32_t)value);
}

/* --- BAR 0: notifications --- */

static uint64_t notify_read(void *dev, uint64_t offset, unsigned size)
{
    (void)dev, (void)offset, (void)size;
    return 0;
}

static void notify_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    (void)size, (void)value; /* the place says which queue; the value repeats it */
    struct virtio_pci *virtio = dev;
    if (offset / NOTIFY_STEP < virtio->type->queues)
        notify(virtio, (unsigned)(offset / NOTIFY_STEP));
}

static void notify_moved(void *dev, bool mapped, uint32_t address)
{
    struct virtio_pci *virtio = dev;
    for (unsigned i = 0; i < virtio->type->queues; i++) {
        struct virtio_queue *queue = &virtio->queue[i];
        doorbell_remove(virtio->machine, queue->doorbell);
        queue->doorbell = -1;
        uint16_t port = (uint16_t)(address + i * NOTIFY_STEP);
        /* A BAR laid over a fixed device gets no doorbell: the device's port stays its own. */
        if (mapped && pio_owner(virtio->machine, port) == &virtio->pci.bar[BAR_NOTIFY].pio)
            queue->doorbell = doorbell_add(virtio->machine, port, notify, virtio, i);
    }
}

/* --- PCI configuration space --- */

/* The window of VIRTIO_PCI_CAP_PCI_CFG: length, BAR and offset are the driver's. */
static bool window(struct virtio_pci *virtio, struct region_ops *ops, void **dev, unsigned *offset,
                   unsigned *size)
{
    unsigned cap = virtio->cfg_capability;
    unsigned bar = virtio->pci.config[cap + 4];
    uint32_t at = pci_get(&virtio->pci, cap + 8, 4), length = pci_get(&virtio->pci, cap + 12, 4);
    if (bar >= PCI_BARS || (length != 1 && length != 2 && length != 4) || at % length)
        return false;
    const struct pci_bar *target = &virtio->pci.bar[bar];
    if (target->kind == PCI_BAR_NONE || at >= target->size || length > target->size - at)
        return false;
    *ops = target->kind == PCI_BAR_IO ? *target->pio.ops : *target->mmio.ops;
    *dev = target->kind == PCI_BAR_IO ? target->pio.dev : target->mmio.dev;
    *offset = at;
    *size = length;
    return true;
}

static bool hits_window(const struct virtio_pci *virtio, unsigned offset, unsigned size)
{
    unsigned data = virtio->cfg_capability + 16;
    return offset < data + 4 && offset + size > data;
}

static void virtio_config_read(struct pci_device *device, unsigned offset, unsigned size)
{
    struct virtio_pci *virtio = (void *)((char *)device - offsetof(struct virtio_pci, pci));
    struct region_ops ops;
    void *dev;
    unsigned at, length;
    if (hits_window(virtio, offset, size) && window(virtio, &ops, &dev, &at, &length))
        pci_put(device, virtio->cfg_capability + 16, length, (uint32_t)ops.read(dev, at, length));
}

static void virtio_config_written(struct pci_device *device, unsigned offset, unsigned size)
{
    struct virtio_pci *virtio = (void *)((char *)device - offsetof(struct virtio_pci, pci));
    struct region_ops ops;
    void *dev;
    unsigned at, length;
    if (hits_window(virtio, offset, size) && window(virtio, &ops, &dev, &at, &length))
        ops.write(dev, at, length, pci_get(device, virtio->cfg_capability + 16, length));
    pci_msix_config_written(&virtio->msix);
}

/* struct virtio_pci_cap */
static unsigned add_capability(struct virtio_pci *virtio, unsigned type, unsigned bar,
                               uint32_t offset, uint32_t length, unsigned extra)
{
    struct pci_device *pci = &virtio->pci;
    unsigned at = pci_add_capability(pci, CAP_VENDOR, 16 + extra);
    pci->config[at + 2] = (uint8_t)(16 + extra);
    pci->config[at + 3] = (uint8_t)type;
    pci->config[at + 4] = (uint8_t)bar;
    pci_put(pci, at + 8, 4, offset);
    pci_put(pci, at + 12, 4, length);
    return at;
}

static void add_capabilities(struct virtio_pci *virtio, uint32_t notify_size)
{
    struct pci_device *pci = &virtio->pci;
    add_capability(virtio, CFG_COMMON, BAR_MEMORY, 0, VIRTIO_COMMON_SIZE, 0);
    unsigned at = add_capability(virtio, CFG_NOTIFY, BAR_NOTIFY, 0, notify_size, 4);
    pci_put(pci, at + 16, 4, NOTIFY_STEP);
    add_capability(virtio, CFG_ISR, BAR_MEMORY, ISR_PAGE * PAGE, 1, 0);
    if (virtio->type->config_size)
        add_capability(virtio, CFG_DEVICE, BAR_MEMORY, DEVICE_PAGE * PAGE,
                       virtio->type->config_size, 0);
    at = add_capability(virtio, CFG_PCI, 0, 0, 0, 4);
    virtio->cfg_capability = at;
    pci->writable[at + 4] = 0xff;
    memset(pci->writable + at + 8, 0xff, 12);
    pci->config_read = virtio_config_read;
    pci->config_written = virtio_config_written;
}

void virtio_pci_init(struct virtio_pci *virtio, struct pci_bus *bus, unsigned slot,
                     uint8_t interrupt_line, const struct virtio_type *type, void *dev)
{
    static const struct region_ops memory_ops = {memory_read, memory_write};
    static const struct region_ops notify_ops = {notify_read, notify_write};
    struct pci_identity identity = {.vendor = 0x1af4,
                                    .device = (uint16_t)(0x1040 + type->id),
                                    .subsystem_vendor = 0x1af4,
                                    .subsystem = type->id,
                                    .class_code = type->class_code,
                                    .revision = 1,
                                    .interrupt_pin = 1};
    uint32_t notify_size = NOTIFY_MIN;
    while (notify_size < NOTIFY_STEP * type->queues)
        notify_size *= 2;
    memset(virtio, 0, sizeof *virtio);
    virtio->machine = bus->machine;
    virtio->type = type;
    virtio->dev = dev;
    for (unsigned i = 0; i < VIRTIO_QUEUES; i++)
        virtio->queue[i].doorbell = -1;
    pci_device_init(&virtio->pci, bus, slot, type->name, &identity);
    virtio->pci.config[PCI_INTERRUPT_LINE] = interrupt_line;
    pci_add_bar(&virtio->pci, BAR_NOTIFY, PCI_BAR_IO, notify_size, &notify_ops, virtio);
    virtio->pci.bar[BAR_NOTIFY].moved = notify_moved;
    virtio->pci.bar[BAR_NOTIFY].moved_dev = virtio;
    pci_msix_init(&virtio->msix, &virtio->pci, BAR_MSIX, type->queues + 1u);
    pci_add_bar(&virtio->pci, BAR_MEMORY, PCI_BAR_MEMORY, MEMORY_SIZE, &memory_ops, virtio);
    add_capabilities(virtio, notify_size);
    virtio_pci_reset(virtio);
}
