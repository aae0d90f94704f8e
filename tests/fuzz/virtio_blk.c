/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile driver of a disk, and behind the disk a hostile driver process. Four bytes of header
 * (backing, features, limits), then records of eight bytes: place (2), what (2), value (4). */
#include "../unit/vmm_driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DISK    MACHINE_SLOT_DISK
#define IMAGE   (40u * 4096 + 100)
#define OVERLAY (16u * 4096)

static uint8_t image[IMAGE], overlay[OVERLAY];
static struct blk_channel channel;

static void set_up(const uint8_t *data)
{
    struct vmm_disk *disk = &config.disk[0];
    config.disk_count = 1;
    *disk = (struct vmm_disk){.backing = data[0] & 1u, .discard = 1, .target = "vda"};
    disk->cache = data[0] >> 1 & 1u;
    disk->limit[data[2] % VMM_LIMITS] = data[3];
    memset(&channel, 0, sizeof channel);
    channel.present = 1;
    channel.geometry = (struct blk_geometry){.sectors = 1000, .flags = data[2]};
    disk_source[0] = (struct disk_source){.memory = &channel};
    if (disk->backing == VMM_DISK_IMAGE) {
        disk->image.size = IMAGE;
        disk->overlay_size = data[0] & 4u ? 0 : OVERLAY;
        memset(overlay, 0, sizeof overlay);
        disk_source[0] = (struct disk_source){image, data[0] & 4u ? NULL : overlay, 0};
    }
}

/* What an earlier run left in the overlay, or a driver wrote into the channel. */
static void peer(unsigned place, uint32_t value)
{
    if (config.disk[0].backing == VMM_DISK_IMAGE) {
        memcpy(overlay + 16 + place % (OVERLAY - 20), &value, 4);
        return;
    }
    unsigned slot = place % BLK_SLOTS;
    switch (place >> 8 & 3u) {
    case 0:
        channel.slot[slot].status = value;
        channel.slot[slot].state = BLK_ENDED;
        channel.ended |= 1ull << slot;
        break;
    case 1:
        channel.ended = (uint64_t)value << (place & 31u);
        break;
    case 2:
        memcpy((uint8_t *)&channel.geometry + place % (sizeof channel.geometry - 3), &value, 4);
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

static void step(struct driver *d, const uint8_t *s)
{
    unsigned place = s[0] | (unsigned)s[1] << 8, queue = s[2] % 2;
    uint32_t value;
    memcpy(&value, s + 4, 4);
    switch (s[2] >> 2 & 7u) {
    case 0:
        memcpy(fake_ram + QUEUE_AT(queue) + place % 0x3ff0, &value, 4);
        break;
    case 1:
        set_desc(QUEUE_AT(queue), place % 8, DATA_AT + (value & 0xffffu), value >> 16, s[3], s[1]);
        break;
    case 2:
        set_desc(QUEUE_AT(queue), place % 8, QUEUE_AT(queue) + 0x3000, 16 * (value % 16), 4, 0);
        break;
    case 3:
        offer(d, queue, place % 9);
        kick(d, queue);
        break;
    case 4:
        peer(place, value);
        break;
    case 5:
        fake_advance(value % NS_PER_S);
        break;
    case 6:
        if (s[3] & 0x80u)
            machine_mmio_write(&vm, d->common + 0x2000 + place % 64, 1u << s[3] % 3, value);
        else
            common_write(d, place % 64, 1u << s[3] % 3, value);
        break;
    default:
        request(d, queue, s[3] % 16, value);
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
        step(&d, data + at);
    return 0;
}
