/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/disk_image.h"

#define CLUSTER OVERLAY_CLUSTER

/* --- the image --- */

static void read_image(const struct disk_image *backing, uint64_t offset, uint8_t *to, uint32_t len)
{
    uint32_t part = len;
    if (offset >= backing->size)
        part = 0;
    else if (len > backing->size - offset)
        part = (uint32_t)(backing->size - offset);
    memcpy(to, backing->image + offset, part);
    memset(to + part, 0, len - part);
}

/* --- the overlay --- */

static uint8_t *cluster_at(const struct disk_image *backing, uint32_t number)
{
    return backing->cluster + (uint64_t)number * CLUSTER;
}

/* Number of the overlay's cluster behind a word of the map; false: there is none there. */
static bool valid(const struct disk_image *backing, uint32_t word, uint32_t *number)
{
    *number = word - 1;
    return word && *number < backing->capacity;
}

/* UINT32_MAX: all are used. */
static uint32_t take_cluster(struct disk_image *backing)
{
    struct overlay_header *header = backing->header;
    uint32_t number;
    if (valid(backing, header->free, &number)) {
        memcpy(&header->free, cluster_at(backing, number), sizeof header->free);
        return number;
    }
    if (header->clusters >= backing->capacity)
        return UINT32_MAX;
    return header->clusters++;
}

static void free_cluster(struct disk_image *backing, uint32_t number)
{
    memcpy(cluster_at(backing, number), &backing->header->free, sizeof backing->header->free);
    backing->header->free = number + 1;
}

static enum blk_status read_part(const struct disk_image *backing, uint64_t offset, uint8_t *to,
                                 uint32_t len)
{
    uint32_t word = backing->header ? backing->map[offset / CLUSTER] : 0, number;
    if (word == 0)
        read_image(backing, offset, to, len);
    else if (word == OVERLAY_ZERO)
        memset(to, 0, len);
    else if (valid(backing, word, &number))
        memcpy(to, cluster_at(backing, number) + offset % CLUSTER, len);
    else
        return BLK_IO_ERROR;
    return BLK_OK;
}

/* The cluster that a write goes to, with what was there before in the parts that it leaves. It is
 * linked into the map only when it is complete: this process may end at any instant. */
static enum blk_status write_part(struct disk_image *backing, uint64_t offset, const uint8_t *from,
                                  uint32_t len)
{
    uint32_t *word = &backing->map[offset / CLUSTER], number;
    if (*word && *word != OVERLAY_ZERO) {
        if (!valid(backing, *word, &number))
            return BLK_IO_ERROR;
        memcpy(cluster_at(backing, number) + offset % CLUSTER, from, len);
        return BLK_OK;
    }
    number = take_cluster(backing);
    if (number == UINT32_MAX)
        return BLK_NO_SPACE;
    uint8_t *to = cluster_at(backing, number);
    if (len < CLUSTER)
        read_part(backing, offset - offset % CLUSTER, to, CLUSTER);
    memcpy(to + offset % CLUSTER, from, len);
    __atomic_store_n(word, number + 1, __ATOMIC_RELEASE);
    return BLK_OK;
}

static enum blk_status zero_part(struct disk_image *backing, uint64_t offset, uint32_t len)
{
    static const uint8_t zeroes[CLUSTER];
    uint32_t *word = &backing->map[offset / CLUSTER], number;
    if (*word == OVERLAY_ZERO)
        return BLK_OK;
    if (len < CLUSTER)
        return write_part(backing, offset, zeroes, len);
    bool had = valid(backing, *word, &number);
    __atomic_store_n(word, OVERLAY_ZERO, __ATOMIC_RELEASE);
    if (had)
        free_cluster(backing, number);
    return BLK_OK;
}

/* --- requests --- */

static uint32_t until_cluster_end(uint64_t offset, uint64_t len)
{
    uint32_t rest = CLUSTER - (uint32_t)(offset % CLUSTER);
    return len < rest ? (uint32_t)len : rest;
}

static enum blk_status transfer(struct disk_image *backing, const struct disk_request *request)
{
    uint64_t offset = request->sector * BLK_SECTOR;
    for (uint32_t i = 0; i < request->segments; i++) {
        uint8_t *data = request->segment[i].data;
        uint32_t len = request->segment[i].len;
        while (len) {
            uint32_t part = until_cluster_end(offset, len);
            enum blk_status status = request->op == BLK_READ
                                         ? read_part(backing, offset, data, part)
                                         : write_part(backing, offset, data, part);
            if (status != BLK_OK)
                return status;
            offset += part;
            data += part;
            len -= part;
        }
    }
    return BLK_OK;
}

/* Discarded clusters read as zeroes, too: what the guest threw away does not come back. Parts of a
 * cluster stay as they are. */
static enum blk_status clear(struct disk_image *backing, const struct disk_request *request)
{
    uint64_t offset = request->sector * BLK_SECTOR, len = request->sectors * BLK_SECTOR;
    enum blk_status status = BLK_OK;
    while (len && status == BLK_OK) {
        uint32_t part = until_cluster_end(offset, len);
        if (part == CLUSTER || request->op == BLK_WRITE_ZEROES)
            status = zero_part(backing, offset, part);
        offset += part;
        len -= part;
    }
    return status;
}

static void image_submit(struct disk *disk, const struct disk_request *request, uint32_t tag)
{
    struct disk_image *backing = disk->backing_dev;
    enum blk_status status = BLK_OK;
    if (request->op <= BLK_WRITE)
        status = transfer(backing, request);
    else if (request->op != BLK_FLUSH) /* whose promise RAM keeps by itself */
        status = clear(backing, request);
    disk_ended(disk, tag, status);
}

static void image_ring(struct disk *disk)
{
    (void)disk;
}

static void open_overlay(struct disk_image *backing, uint8_t *overlay, uint64_t size)
{
    uint64_t words = (backing->disk->geometry.sectors * BLK_SECTOR + CLUSTER - 1) / CLUSTER;
    uint64_t start = CLUSTER + (words * sizeof(uint32_t) + CLUSTER - 1) / CLUSTER * CLUSTER;
    if (!overlay || words >= OVERLAY_ZERO - 1 || start >= size) {
        backing->disk->geometry.flags |= BLK_GEOMETRY_READ_ONLY;
        return;
    }
    uint64_t clusters = (size - start) / CLUSTER;
    backing->header = (void *)overlay;
    backing->map = (void *)(overlay + CLUSTER);
    backing->cluster = overlay + start;
    backing->map_size = (uint32_t)words;
    backing->capacity = clusters < OVERLAY_ZERO - 1 ? (uint32_t)clusters : OVERLAY_ZERO - 2;
    struct overlay_header *header = backing->header;
    if (header->magic == OVERLAY_MAGIC && header->image_size == backing->size)
        return;
    *header = (struct overlay_header){.magic = OVERLAY_MAGIC, .image_size = backing->size};
    memset(backing->map, 0, words * sizeof(uint32_t));
}

void disk_image_init(struct disk_image *backing, struct disk *disk, const uint8_t *image,
                     uint64_t size, void *overlay, uint64_t overlay_size)
{
    static const struct disk_backing ops = {image_submit, image_ring};
    memset(backing, 0, sizeof *backing);
    backing->disk = disk;
    backing->image = image;
    backing->size = size;
    disk->backing = &ops;
    disk->backing_dev = backing;
    disk->geometry = (struct blk_geometry){.sectors = (size + BLK_SECTOR - 1) / BLK_SECTOR,
                                           .block_size = BLK_SECTOR,
                                           .physical_size = CLUSTER,
                                           .discard_align = CLUSTER,
                                           .flags = BLK_GEOMETRY_FLUSH | BLK_GEOMETRY_DISCARD |
                                                    BLK_GEOMETRY_WRITE_ZEROES,
                                           .model = "image"};
    open_overlay(backing, overlay, overlay_size);
    disk_geometry_changed(disk);
}
