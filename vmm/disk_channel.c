/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/disk_channel.h"
#include "vmm/guest_mem.h"

/* --- guest memory to segments --- */

static void add_range(struct disk_channel *backing, uint64_t gpa, uint64_t size, uint64_t offset,
                      uint32_t memory)
{
    if (size && backing->ranges < DISK_RANGES)
        backing->range[backing->ranges++] =
            (struct disk_range){.gpa = gpa, .size = size, .offset = offset, .memory = memory};
}

/* As space.c lays the pieces out. */
static void find_ranges(struct disk_channel *backing, const struct vmm_config *config)
{
    uint64_t limit = guest_low_limit(config->boot == VMM_BOOT_FIRMWARE), low = 0, high = 0;
    for (uint32_t i = 0; i < config->ram_count && i < BLK_MEMORIES_MAX; i++) {
        uint64_t size = config->ram_size[i], below = limit - low;
        if (below > size)
            below = size;
        add_range(backing, low, below, 0, i);
        add_range(backing, GUEST_HIGH_BASE + high, size - below, below, i);
        low += below;
        high += size - below;
    }
}

/* Appends [gpa, gpa + len). Number of segments then, or 0: not memory that the driver can reach, or
 * too many pieces. */
static uint32_t add_memory(const struct disk_channel *backing, struct blk_segment *segment,
                           uint32_t used, uint64_t gpa, uint32_t len)
{
    if (gpa % 2 || len % 2)
        return 0;
    for (uint32_t i = 0; i < backing->ranges && len; i++) {
        const struct disk_range *range = &backing->range[i];
        uint64_t at = gpa - range->gpa;
        if (at >= range->size)
            continue;
        uint32_t part = len < range->size - at ? len : (uint32_t)(range->size - at);
        struct blk_segment next = {
            .offset = range->offset + at, .length = part, .memory = range->memory};
        if (used == BLK_SEGMENTS_MAX)
            return 0;
        segment[used++] = next;
        gpa += part;
        len -= part;
    }
    return len ? 0 : used;
}

/* --- requests --- */

static void channel_send(struct disk_channel *backing, const struct disk_request *request,
                         uint32_t segments, uint32_t tag, bool fua)
{
    struct blk_request out = {.op = request->op,
                              .flags = fua ? BLK_FUA : 0,
                              .sector = request->sector,
                              .sectors = request->sectors,
                              .segments = segments,
                              .tag = tag};
    blk_client_submit(&backing->client, &out);
}

static void channel_submit(struct disk *disk, const struct disk_request *request, uint32_t tag)
{
    struct disk_channel *backing = disk->backing_dev;
    struct blk_segment *segment = blk_client_segments(&backing->client);
    const uint8_t *base = disk->machine->guest_base;
    uint32_t used = 0;
    for (uint32_t i = 0; i < request->segments && request->op <= BLK_WRITE; i++) {
        const struct disk_segment *from = &request->segment[i];
        used = segment
                   ? add_memory(backing, segment, used, (uint64_t)(from->data - base), from->len)
                   : 0;
        if (!used)
            break;
    }
    if (!segment || (request->op <= BLK_WRITE && !used)) {
        disk_ended(disk, tag, BLK_INVALID);
        return;
    }
    bool durable = request->durable && request->op == BLK_WRITE;
    bool fua = durable && disk->geometry.flags & BLK_GEOMETRY_FUA;
    if (durable && !fua && disk->geometry.flags & BLK_GEOMETRY_FLUSH)
        backing->flush_after |= 1ull << tag;
    channel_send(backing, request, used, tag, fua);
}

static void channel_ring(struct disk *disk)
{
    struct disk_channel *backing = disk->backing_dev;
    blk_client_ring(&backing->client);
}

static void channel_answer(struct disk_channel *backing, uint32_t tag, enum blk_status status)
{
    bool flush = backing->flush_after >> tag & 1;
    backing->flush_after &= ~(1ull << tag);
    if (flush && status == BLK_OK) {
        /* The slot that has just become free is there for it. */
        static const struct disk_request request = {.op = BLK_FLUSH};
        channel_send(backing, &request, 0, tag, false);
        return;
    }
    disk_ended(backing->disk, tag, status);
}

static void read_geometry(struct disk_channel *backing)
{
    blk_client_geometry(&backing->client, &backing->disk->geometry);
    disk_geometry_changed(backing->disk);
}

void disk_channel_event(struct disk_channel *backing)
{
    uint32_t tag;
    enum blk_status status;
    if (blk_client_differs(&backing->client) && blk_client_changed(&backing->client))
        read_geometry(backing);
    while (blk_client_take(&backing->client, &tag, &status))
        channel_answer(backing, tag, status);
    blk_client_ring(&backing->client);
}

void disk_channel_reach(struct disk_channel *backing, const void *memory, uint64_t size,
                        uint32_t index)
{
    const uint8_t *base = backing->disk->machine->guest_base;
    add_range(backing, (uint64_t)((const uint8_t *)memory - base), size, 0, index);
}

void disk_channel_init(struct disk_channel *backing, struct disk *disk,
                       const struct vmm_config *config, void *channel, uint32_t notif)
{
    static const struct disk_backing ops = {channel_submit, channel_ring};
    memset(backing, 0, sizeof *backing);
    backing->disk = disk;
    disk->backing = &ops;
    disk->backing_dev = backing;
    find_ranges(backing, config);
    blk_client_init(&backing->client, channel, notif, disk->config->driver_bits);
    backing->client.bell = disk->machine->bell;
    read_geometry(backing);
}
