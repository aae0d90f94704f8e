/* SPDX-License-Identifier: BSD-2-Clause */
/* The backing of a fuzzed disk: an image with an overlay, or a channel whose driver is hostile, or
 * the two above each other. */
#ifndef TESTS_FUZZ_HOSTILE_DISK_H
#define TESTS_FUZZ_HOSTILE_DISK_H

#include "tests/unit/vmm_driver.h"

#define IMAGE   (40u * 4096 + 100)
#define OVERLAY (16u * 4096)

static uint8_t image[IMAGE], overlay[OVERLAY];
static struct blk_channel channel;

/* As config.disk[0]. */
static void disk_set_up(struct vmm_disk disk, struct blk_geometry geometry, bool has_overlay)
{
    memset(&channel, 0, sizeof channel);
    channel.present = 1;
    channel.geometry = geometry;
    disk_source[0] = (struct disk_source){.memory = &channel};
    if (disk.backing == VMM_DISK_IMAGE) {
        disk.image.size = IMAGE;
        disk.overlay_size = has_overlay ? OVERLAY : 0;
        memset(overlay, 0, sizeof overlay);
        disk_source[0] = (struct disk_source){image, has_overlay ? overlay : NULL, 0};
    }
    if (disk.backing == VMM_DISK_LAYER) {
        disk.image.size = IMAGE;
        disk.overlay_size = vmm_layer_bytes(IMAGE);
        memset(overlay, 0, sizeof overlay);
        disk_source[0].overlay = overlay;
        disk_source[0].image = image;
    }
    config.disk[0] = disk;
}

static void hostile_end(unsigned place, uint32_t value)
{
    unsigned slot = place % BLK_SLOTS;
    channel.slot[slot].status = value;
    channel.slot[slot].state = BLK_ENDED;
    channel.ended |= 1ull << slot;
}

static void hostile_geometry(unsigned place, uint32_t value)
{
    memcpy((uint8_t *)&channel.geometry + place % (sizeof channel.geometry - 3), &value, 4);
}

#endif
