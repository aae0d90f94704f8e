/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/disk.h"

/* So much of a second's share may come at once. */
#define BURST_NS (NS_PER_S / 10)

/* --- limits --- */

/* What a request counts towards a limit; 0: nothing. */
static uint64_t cost(enum vmm_disk_limit limit, uint32_t op, uint64_t bytes)
{
    bool is_read = op == BLK_READ, is_write = op == BLK_WRITE;
    if (!is_read && !is_write) /* nothing but a slot and the medium's time: counted as a write */
        bytes = 0;
    switch (limit) {
    case VMM_LIMIT_TOTAL_BYTES:
        return bytes;
    case VMM_LIMIT_READ_BYTES:
        return is_read ? bytes : 0;
    case VMM_LIMIT_WRITE_BYTES:
        return is_read ? 0 : bytes;
    case VMM_LIMIT_TOTAL_IOPS:
        return 1;
    case VMM_LIMIT_READ_IOPS:
        return is_read;
    case VMM_LIMIT_WRITE_IOPS:
    default:
        return !is_read;
    }
}

/* Time that a share of `count` takes at `limit` a second. Both fit: bytes of one request are below
 * 2^38, a limit is at least 1 and clamped for what would overflow. */
static uint64_t share_ns(uint64_t count, uint64_t limit)
{
    uint64_t whole = count / limit, rest = count % limit;
    uint64_t scale = NS_PER_S;
    while (rest > UINT64_MAX / NS_PER_S) { /* a limit of many GiB a second: precision to spare */
        rest >>= 1;
        limit >>= 1;
    }
    return whole * scale + rest * scale / limit;
}

/* The bucket as a point in time (the generic cell rate algorithm): a request is let through when
 * that lies at most a burst ahead, and moves it by its own share. So one that is larger than a
 * burst passes too, and is paid for afterwards. 0: now; else when to try again. */
static uint64_t limits_wait(struct disk *disk, uint32_t op, uint64_t bytes)
{
    if (!disk->limited)
        return 0;
    uint64_t now = clock_ns(disk->machine), until = 0;
    for (unsigned i = 0; i < VMM_LIMITS; i++) {
        if (disk->config->limit[i] && cost(i, op, bytes) && disk->limit_ns[i] > now + BURST_NS &&
            disk->limit_ns[i] - BURST_NS > until)
            until = disk->limit_ns[i] - BURST_NS;
    }
    if (until)
        return until;
    for (unsigned i = 0; i < VMM_LIMITS; i++) {
        uint64_t count = disk->config->limit[i] ? cost(i, op, bytes) : 0;
        if (count) {
            uint64_t from = disk->limit_ns[i] > now ? disk->limit_ns[i] : now;
            disk->limit_ns[i] = from + share_ns(count, disk->config->limit[i]);
        }
    }
    return 0;
}

static void limit_over(void *dev)
{
    struct disk *disk = dev;
    disk->owner.go_on(disk->owner.owner);
}

void disk_yield(struct disk *disk)
{
    if (disk->limit_timer.place == 0)
        timer_arm(disk->machine, &disk->limit_timer, clock_ns(disk->machine) + 1);
}

/* --- requests --- */

static uint64_t bytes_of(const struct disk_request *request)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < request->segments; i++)
        bytes += request->segment[i].len;
    return bytes;
}

static enum blk_status check(const struct disk *disk, const struct disk_request *request,
                             uint64_t bytes)
{
    const struct blk_geometry *geometry = &disk->geometry;
    uint64_t unit = geometry->block_size / BLK_SECTOR;
    bool writes = request->op != BLK_READ && request->op != BLK_FLUSH;
    if (writes && geometry->flags & BLK_GEOMETRY_READ_ONLY)
        return BLK_READ_ONLY;
    if (request->op == BLK_FLUSH)
        return BLK_OK;
    if (request->op == BLK_DISCARD && !(geometry->flags & BLK_GEOMETRY_DISCARD))
        return BLK_UNSUPPORTED;
    if (request->op == BLK_WRITE_ZEROES && !(geometry->flags & BLK_GEOMETRY_WRITE_ZEROES))
        return BLK_UNSUPPORTED;
    if (request->sectors > geometry->sectors ||
        request->sector > geometry->sectors - request->sectors || request->sector % unit ||
        request->sectors % unit)
        return BLK_RANGE;
    if (request->op > BLK_WRITE)
        return BLK_OK;
    return bytes == request->sectors * BLK_SECTOR && bytes <= UINT32_MAX ? BLK_OK : BLK_INVALID;
}

enum disk_verdict disk_submit(struct disk *disk, const struct disk_request *request, uint32_t tag)
{
    uint64_t bytes = request->op <= BLK_WRITE ? bytes_of(request) : 0;
    enum blk_status wrong = check(disk, request, bytes);
    uint64_t until = wrong == BLK_OK ? limits_wait(disk, request->op, bytes) : 0;
    if (until) {
        disk->stat[DISK_STAT_DELAYED]++;
        timer_arm(disk->machine, &disk->limit_timer, until);
        return DISK_DELAYED;
    }
    disk->running[tag] = (struct disk_running){.op = (uint8_t)request->op,
                                               .busy = true,
                                               .bytes = (uint32_t)bytes,
                                               .since_ns = clock_ns(disk->machine)};
    disk->in_flight++;
    if (wrong != BLK_OK)
        disk_ended(disk, tag, wrong);
    else if (request->op <= BLK_WRITE && bytes == 0)
        disk_ended(disk, tag, BLK_OK);
    else
        disk->backing->submit(disk, request, tag);
    return DISK_TAKEN;
}

static void count(struct disk *disk, const struct disk_running *running)
{
    static const struct {
        uint8_t number, bytes, ns;
    } where[] = {
        [BLK_READ] = {DISK_STAT_READS, DISK_STAT_READ_BYTES, DISK_STAT_READ_NS},
        [BLK_WRITE] = {DISK_STAT_WRITES, DISK_STAT_WRITTEN_BYTES, DISK_STAT_WRITE_NS},
        [BLK_FLUSH] = {DISK_STAT_FLUSHES, DISK_STATS, DISK_STAT_FLUSH_NS},
        [BLK_DISCARD] = {DISK_STAT_DISCARDS, DISK_STATS, DISK_STATS},
        [BLK_WRITE_ZEROES] = {DISK_STAT_DISCARDS, DISK_STATS, DISK_STATS},
    };
    disk->stat[where[running->op].number]++;
    if (where[running->op].bytes < DISK_STATS)
        disk->stat[where[running->op].bytes] += running->bytes;
    if (where[running->op].ns < DISK_STATS)
        disk->stat[where[running->op].ns] += clock_ns(disk->machine) - running->since_ns;
}

void disk_ended(struct disk *disk, uint32_t tag, enum blk_status status)
{
    if (tag >= DISK_REQUESTS || !disk->running[tag].busy)
        return;
    disk->running[tag].busy = false;
    disk->in_flight--;
    if (status == BLK_OK)
        count(disk, &disk->running[tag]);
    else
        disk->stat[DISK_STAT_ERRORS]++;
    if (status == BLK_NO_SPACE && !disk->full_reported) {
        disk->full_reported = true;
        log_line("%s: there is no space left for what the guest writes", disk->config->target);
    }
    disk->owner.ended(disk->owner.owner, tag, status);
}

/* --- geometry --- */

void disk_geometry_changed(struct disk *disk)
{
    struct blk_geometry *geometry = &disk->geometry;
    if (disk->config->read_only || disk->config->cdrom)
        geometry->flags |= BLK_GEOMETRY_READ_ONLY;
    if (!disk->config->discard || geometry->flags & BLK_GEOMETRY_READ_ONLY)
        geometry->flags &= ~BLK_GEOMETRY_DISCARD;
    if (geometry->flags & BLK_GEOMETRY_READ_ONLY)
        geometry->flags &= ~BLK_GEOMETRY_WRITE_ZEROES;
    if (disk->config->serial[0]) {
        memset(geometry->serial, 0, sizeof geometry->serial);
        memcpy(geometry->serial, disk->config->serial,
               strnlen(disk->config->serial, sizeof geometry->serial - 1));
    }
    if (disk->owner.changed)
        disk->owner.changed(disk->owner.owner);
}

void disk_init(struct disk *disk, struct machine *machine, const struct vmm_disk *config)
{
    memset(disk, 0, sizeof *disk);
    disk->config = config;
    disk->machine = machine;
    for (unsigned i = 0; i < VMM_LIMITS; i++)
        disk->limited |= config->limit[i] != 0;
    disk->limit_timer = (struct dev_timer){.fire = limit_over, .dev = disk};
    disk->geometry.block_size = disk->geometry.physical_size = BLK_SECTOR;
}
