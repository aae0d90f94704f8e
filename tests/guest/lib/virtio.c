/* SPDX-License-Identifier: BSD-2-Clause */
#include "virtio.h"

#define CAPABILITIES 48u
#define RESET_SPINS  4000000u

static uint64_t bar_address(uint32_t bdf, uint32_t bar)
{
    uint32_t low = pci_read(bdf, 0x10 + 4 * bar);
    if (low & 1)
        return 0;
    uint64_t address = low & ~0xfu;
    if ((low & 6) == 4)
        address |= (uint64_t)pci_read(bdf, 0x14 + 4 * bar) << 32;
    return address < 1ull << 32 ? address : 0;
}

static void find_structures(struct virtio_device *d)
{
    uint32_t p = pci_read(d->bdf, 0x34) & 0xfc;
    for (unsigned hops = 0; p && hops < CAPABILITIES; hops++) {
        uint32_t head = pci_read(d->bdf, p);
        if ((head & 0xff) == 9) {
            uint32_t bar = pci_read(d->bdf, p + 4) & 0xff;
            uint64_t offset = pci_read(d->bdf, p + 8);
            uint64_t base = bar < 6 ? bar_address(d->bdf, bar) : 0;
            uint32_t type = head >> 24;
            if (type == 1 && base)
                d->common = base + offset;
            if (type == 2)
                d->notify_step = pci_read(d->bdf, p + 16);
            if (type == 2 && base)
                d->notify = base + offset;
            if (type == 2 && bar < 6 && (pci_read(d->bdf, 0x10 + 4 * bar) & 1))
                d->notify_port = (pci_read(d->bdf, 0x10 + 4 * bar) & 0xfffcu) + (uint32_t)offset;
            if (type == 3 && base)
                d->isr = base + offset;
            if (type == 4 && base)
                d->config = base + offset;
        }
        p = head >> 8 & 0xfc;
    }
}

bool virtio_find(struct virtio_device *d)
{
    *d = (struct virtio_device){.bdf = d->bdf};
    if ((pci_read(d->bdf, 0) & 0xffff) != VIRTIO_VENDOR)
        return false;
    pci_write(d->bdf, 4, 7);
    find_structures(d);
    return d->common != 0;
}

/* A reset ends when no request of before can touch memory any more. */
void virtio_reset(const struct virtio_device *d)
{
    write8(d->common, COMMON_STATUS, 0);
    for (uint32_t i = 0; i < RESET_SPINS && *(volatile uint8_t *)(d->common + COMMON_STATUS); i++)
        __asm__ volatile("pause");
}

void virtio_negotiate(const struct virtio_device *d)
{
    virtio_reset(d);
    write8(d->common, COMMON_STATUS, 1);
    write8(d->common, COMMON_STATUS, 3);
    write32(d->common, COMMON_FEATURES_SELECT, 0);
    write32(d->common, COMMON_FEATURES, 0);
    write32(d->common, COMMON_FEATURES_SELECT, 1);
    write32(d->common, COMMON_FEATURES, 1);
    write8(d->common, COMMON_STATUS, 11);
}

void virtio_set_queue(const struct virtio_device *d, uint16_t index, uint16_t size,
                      const volatile void *table, const volatile void *available,
                      const volatile void *used)
{
    write16(d->common, COMMON_QUEUE_SELECT, index);
    write16(d->common, COMMON_QUEUE_SIZE, size);
    write64(d->common, COMMON_QUEUE_DESC, (uint64_t)table);
    write64(d->common, COMMON_QUEUE_DRIVER, (uint64_t)available);
    write64(d->common, COMMON_QUEUE_DEVICE, (uint64_t)used);
    write16(d->common, COMMON_QUEUE_ENABLE, 1);
}

void virtio_notify(const struct virtio_device *d, uint16_t index)
{
    uint32_t offset = d->notify_step * index;
    if (d->notify)
        write16(d->notify, offset, index);
    else if (d->notify_port)
        outw((uint16_t)(d->notify_port + offset), index);
}
