/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's disk behind whatever controller the guest sees: checks, limits, counters, and one of
 * three backings. disk_channel.c: a driver serves it, straight from and to guest memory.
 * disk_image.c: a file of the boot package, with an overlay in RAM. disk_layer.c: such a file, with
 * an overlay on a volume.
 *
 * All functions and callbacks run under machine.lock. */
#ifndef VMM_DISK_H
#define VMM_DISK_H

#include "user/block.h"
#include "vmm/config.h"
#include "vmm/device.h"

/* Data of one request: at most this many pieces of guest memory. Fewer than BLK_SEGMENTS_MAX,
 * because one that lies across two pieces of RAM becomes two segments of a channel. */
#define DISK_SEGMENTS    60u
#define DISK_REQUESTS    BLK_SLOTS /* in flight; tags are below */
#define DISK_SERIAL_SIZE 20u       /* what virtio and ATA have room for */

struct disk_segment {
    uint8_t *data; /* in the VMM's mapping of guest RAM */
    uint32_t len;
};

struct disk_request {
    uint32_t op;  /* enum blk_op */
    bool durable; /* a write that ends is on the medium */
    uint64_t sector, sectors;
    uint32_t segments; /* reads and writes: together sectors * BLK_SECTOR bytes */
    struct disk_segment segment[DISK_SEGMENTS];
};

struct disk;

struct disk_backing {
    /* Takes a request that disk_submit() has checked. The answer comes by disk_ended(), perhaps
     * before this returns. */
    void (*submit)(struct disk *disk, const struct disk_request *request, uint32_t tag);
    /* The batch is complete: tell the driver. */
    void (*ring)(struct disk *disk);
};

/* The controller of the guest. */
struct disk_owner {
    void (*ended)(void *owner, uint32_t tag, enum blk_status status);
    /* Limits let the next request through. */
    void (*go_on)(void *owner);
    /* disk->geometry changed. */
    void (*changed)(void *owner);
    void *owner;
};

struct disk_running {
    uint8_t op;
    bool busy;
    uint32_t bytes;
    uint64_t since_ns;
};

struct disk {
    const struct vmm_disk *config;
    struct machine *machine;
    struct disk_owner owner;
    const struct disk_backing *backing;
    void *backing_dev;
    struct blk_geometry geometry;  /* flags: what the backing can do and the definition allows */
    uint64_t limit_ns[VMM_LIMITS]; /* per limit: when what was let through is paid for */
    struct dev_timer limit_timer;
    uint32_t in_flight;
    struct disk_running running[DISK_REQUESTS];
    uint64_t stat[DISK_STATS];
    bool limited; /* by anything at all */
    bool full_reported;
};

enum disk_verdict {
    DISK_TAKEN,  /* disk_owner.ended tells the end */
    DISK_DELAYED /* a limit: try again when disk_owner.go_on says so */
};

void disk_init(struct disk *disk, struct machine *machine, const struct vmm_disk *config);
/* A tag is below DISK_REQUESTS and not in use. What is wrong with a request is its status. */
enum disk_verdict disk_submit(struct disk *disk, const struct disk_request *request, uint32_t tag);
/* disk_owner.go_on is called soon, with the lock free in between. */
void disk_yield(struct disk *disk);
static inline void disk_ring(struct disk *disk)
{
    disk->backing->ring(disk);
}

/* --- for backings --- */
void disk_ended(struct disk *disk, uint32_t tag, enum blk_status status);
/* The backing wrote disk->geometry: applies what the definition says. */
void disk_geometry_changed(struct disk *disk);

/* --- disk_channel.c --- */
struct disk_channel;
/* config->ram_size says how guest memory is cut. channel: mapped, filled in by the driver. */
void disk_channel_init(struct disk_channel *backing, struct disk *disk,
                       const struct vmm_config *config, void *channel, uint32_t notif);
/* The driver has this memory of the VMM, too, as number `index`. */
void disk_channel_reach(struct disk_channel *backing, const void *memory, uint64_t size,
                        uint32_t index);
/* VMM_CTL_DISK. */
void disk_channel_event(struct disk_channel *backing);

/* --- disk_image.c --- */
struct disk_image;
/* image: size bytes; overlay: NULL, or overlay_size bytes, zeroed or as an earlier run left them.
 */
void disk_image_init(struct disk_image *backing, struct disk *disk, const uint8_t *image,
                     uint64_t size, void *overlay, uint64_t overlay_size);

/* --- disk_layer.c --- */
struct disk_layer;
struct disk_layer_source {
    const void *image;
    void *channel, *memory; /* memory: config->overlay_size, zeroed or as an earlier run left it */
    uint32_t notif;
};
void disk_layer_init(struct disk_layer *layer, struct disk *disk, const struct vmm_config *config,
                     const struct disk_layer_source *source);
void disk_layer_free(struct disk_layer *layer);
/* VMM_CTL_DISK. */
void disk_layer_event(struct disk_layer *layer);

#endif
