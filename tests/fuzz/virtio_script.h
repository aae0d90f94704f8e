/* SPDX-License-Identifier: BSD-2-Clause */
/* What fuzz targets of virtio devices let a hostile driver do, from records of eight bytes. */
#ifndef TESTS_FUZZ_VIRTIO_SCRIPT_H
#define TESTS_FUZZ_VIRTIO_SCRIPT_H

#include "tests/unit/vmm_driver.h"

struct record {
    unsigned place;
    const uint8_t *byte;
    uint32_t value;
};

static inline struct record record_at(const uint8_t *byte)
{
    struct record r = {byte[0] | (unsigned)byte[1] << 8, byte, 0};
    memcpy(&r.value, byte + 4, 4);
    return r;
}

/* Something is written into a queue, or a chain offered; entries: of an indirect table, at most. */
static inline void hostile_queue(struct driver *d, unsigned queue, unsigned what, struct record r,
                                 uint16_t flags, unsigned entries)
{
    uint64_t at = QUEUE_AT(queue);
    switch (what) {
    case 0:
        memcpy(fake_ram + at + r.place % 0x3ff0, &r.value, 4);
        break;
    case 1:
        set_desc(at, r.place % 8, DATA_AT + (r.value & 0xffffu), r.value >> 16, flags, r.byte[1]);
        break;
    case 2:
        set_desc(at, r.place % 8, at + 0x3000, 16 * (r.value % entries), 4, 0);
        break;
    default:
        offer(d, queue, r.place % 9);
        kick(d, queue);
        break;
    }
}

/* A register of the common configuration, or one behind it. */
static inline void hostile_registers(struct driver *d, struct record r)
{
    unsigned size = 1u << r.byte[3] % 3;
    if (r.byte[3] & 0x80u)
        machine_mmio_write(&vm, d->common + 0x2000 + r.place % 64, size, r.value);
    else
        common_write(d, r.place % 64, size, r.value);
}

#endif
