/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile driver of a disk, and behind the disk a hostile driver process. Four bytes of header
 * (backing, features, limits), then records of eight bytes: place (2), what (2), value (4). */
#include "tests/fuzz/hostile_disk.h"
#include "tests/fuzz/virtio_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DISK MACHINE_SLOT_DISK

static void set_up(const uint8_t *data)
{
    struct vmm_disk disk = {.backing = data[0] & 1u, .discard = 1, .target = "vda"};
    disk.cache = data[0] >> 1 & 1u;
    if (data[0] & 8u)
        disk.backing = VMM_DISK_LAYER;
    disk.limit[data[2] % VMM_LIMITS] = data[3];
    config.disk_count = 1;
    disk_set_up(disk, (struct blk_geometry){.sectors = 1000, .flags = data[2]}, !(data[0] & 4u));
}

/* What an earlier run left in the overlay, or a driver wrote into the channel. */
static void peer(unsigned place, uint32_t value)
{
    if (config.disk[0].backing == VMM_DISK_IMAGE) {
        memcpy(overlay + 16 + place % (OVERLAY - 20), &value, 4);
        return;
    }
    switch (place >> 8 & 3u) {
    case 0:
        hostile_end(place, value);
        break;
    case 1:
        channel.ended = (uint64_t)value << (place & 31u);
        if (config.disk[0].backing == VMM_DISK_LAYER && place & 0x400u) /* "read" from the volume */
            memcpy(overlay + place * 8 % (OVERLAY - 4), &value, 4);
        break;
    case 2:
        hostile_geometry(place, value);
        channel.generation += value & 1u;
        break;
    default:
        memcpy((uint8_t *)&channel + place * 4 % (sizeof channel - 3), &value, 4);
        break;
    }
    machine_disk_event(&vm);
}

/* A whole request: header, data in or out, status. */
static void request(struct driver *d, unsigned queue, uint32_t type, uint32_t value)
{
    uint32_t header = DATA_AT - 0x100 + 0x10 * (value & 7u), table = QUEUE_AT(queue);
    memcpy(fake_ram + header, &type, 4);
    put64(header + 8, value >> 16);
    set_desc(table, 0, header, 16, 1, 1);
    set_desc(table, 1, DATA_AT, (value & 0xffu) * 512, type & 1u ? 1 : 3, 2);
    set_desc(table, 2, DATA_AT - 1, 1, 2, 0);
    offer(d, queue, 0);
    kick(d, queue);
}

static void step(struct driver *d, struct record r)
{
    unsigned queue = r.byte[2] % 2, what = r.byte[2] >> 2 & 7u;
    switch (what) {
    case 0:
    case 1:
    case 2:
    case 3:
        hostile_queue(d, queue, what, r, r.byte[3], 16);
        break;
    case 4:
        peer(r.place, r.value);
        break;
    case 5:
        fake_advance(r.value % NS_PER_S);
        break;
    case 6:
        hostile_registers(d, r);
        break;
    default:
        request(d, queue, r.byte[3] % 16, r.value);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct driver d;
    if (size < 4)
        return 0;
    set_up(data);
    machine_start();
    driver_start(&d, DISK, (data[1] & 3u) << 28 | (data[1] & 4u) << 7, 2);
    for (size_t at = 4; at + 8 <= size && at < 8 * 512; at += 8)
        step(&d, record_at(data + at));
    return 0;
}
