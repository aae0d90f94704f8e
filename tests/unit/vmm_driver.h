/* SPDX-License-Identifier: BSD-2-Clause */
/* A small virtio driver for tests: brings a device up and lays descriptors into the fake RAM. */
#ifndef TESTS_UNIT_VMM_DRIVER_H
#define TESTS_UNIT_VMM_DRIVER_H

#include "vmm_machine.h"

#define QUEUE_AT(q) (0x10000u + (q)*0x4000u) /* desc; avail at +0x1000, used at +0x2000 */
#define DATA_AT     0x100000u

struct driver {
    unsigned slot, size;
    uint32_t common, io;
    uint16_t avail[VIRTIO_QUEUES], used[VIRTIO_QUEUES];
};

static inline void put16(uint32_t at, unsigned value)
{
    fake_ram[at] = (uint8_t)value;
    fake_ram[at + 1] = (uint8_t)(value >> 8);
}

static inline void put64(uint32_t at, uint64_t value)
{
    memcpy(fake_ram + at, &value, 8);
}

static inline unsigned get16(uint32_t at)
{
    return fake_ram[at] | (unsigned)fake_ram[at + 1] << 8;
}

static inline uint32_t get32(uint32_t at)
{
    uint32_t value;
    memcpy(&value, fake_ram + at, 4);
    return value;
}

static inline uint32_t common_read(const struct driver *d, unsigned offset, unsigned size)
{
    return (uint32_t)machine_mmio_read(&vm, d->common + offset, size);
}

static inline void common_write(const struct driver *d, unsigned offset, unsigned size,
                                uint32_t value)
{
    machine_mmio_write(&vm, d->common + offset, size, value);
}

static inline void driver_find(struct driver *d, unsigned slot)
{
    *d = (struct driver){.slot = slot};
    d->common = cfg_read(slot, 0x20, 4);
    d->io = cfg_read(slot, 0x10, 4) & ~3u;
    cfg_write(slot, 4, 2, 7);
}

/* Up to FEATURES_OK, with VERSION_1 and the given low features. */
static inline void driver_features(struct driver *d, uint32_t low)
{
    common_write(d, 20, 1, 0);
    common_write(d, 20, 1, 3);
    common_write(d, 8, 4, 0);
    common_write(d, 12, 4, low);
    common_write(d, 8, 4, 1);
    common_write(d, 12, 4, 1);
    common_write(d, 20, 1, 11);
}

static inline void driver_queue(struct driver *d, unsigned queue, unsigned size)
{
    common_write(d, 22, 2, queue);
    common_write(d, 24, 2, size);
    d->size = size;
    for (unsigned i = 0; i < 3; i++) {
        common_write(d, 32 + 8 * i, 4, QUEUE_AT(queue) + 0x1000 * i);
        common_write(d, 36 + 8 * i, 4, 0);
    }
    common_write(d, 28, 2, 1);
}

static inline void driver_start(struct driver *d, unsigned slot, uint32_t features, unsigned queues)
{
    driver_find(d, slot);
    driver_features(d, features);
    for (unsigned i = 0; i < queues; i++)
        driver_queue(d, i, 8);
    common_write(d, 20, 1, 15);
}

static inline void set_desc(uint32_t table, unsigned index, uint64_t address, uint32_t length,
                            unsigned flags, unsigned next)
{
    uint32_t at = table + 16 * index;
    put64(at, address);
    memcpy(fake_ram + at + 8, &length, 4);
    put16(at + 12, flags);
    put16(at + 14, next);
}

static inline void offer(struct driver *d, unsigned queue, unsigned head)
{
    put16(QUEUE_AT(queue) + 0x1000 + 4 + 2 * (d->avail[queue] % d->size), head);
    put16(QUEUE_AT(queue) + 0x1000 + 2, ++d->avail[queue]);
}

static inline void kick(struct driver *d, unsigned queue)
{
    machine_pio_write(&vm, (uint16_t)(d->io + 4 * queue), 2, queue);
}

static inline unsigned used_index(unsigned queue)
{
    return get16(QUEUE_AT(queue) + 0x2000 + 2);
}

static inline uint32_t used_length(unsigned queue, unsigned entry)
{
    return get32(QUEUE_AT(queue) + 0x2000 + 4 + 8 * entry + 4);
}

static inline bool needs_reset(const struct driver *d)
{
    return common_read(d, 20, 1) & VIRTIO_NEEDS_RESET;
}

#endif
