/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/disk_layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The tag of what this does for itself. A request that has it waits meanwhile. */
#define OWN_TAG   (DISK_REQUESTS - 1)
#define MAP_CHUNK 256u /* pages that are read at once */
/* What no guest has flushed is flushed after so long. */
#define SYNC_NS     NS_PER_S
#define DATA_ALIGN  128u /* sectors */
#define MAP_DIRTY   1u
#define MAP_WRITING 2u

static uint64_t tag_bit(uint32_t tag)
{
    return 1ull << tag;
}

/* --- the map --- */

static bool is_written(const struct disk_layer *layer, uint64_t sector)
{
    return layer->live[sector / 8] >> (sector % 8) & 1;
}

/* The end of the sectors from `at` on of which the map says the same. */
static uint64_t same_until(const struct disk_layer *layer, uint64_t at, uint64_t end)
{
    bool written = is_written(layer, at);
    uint8_t whole = written ? 0xff : 0;
    while (++at < end) {
        while (at % 8 == 0 && end - at >= 8 && layer->live[at / 8] == whole)
            at += 8;
        if (at == end || is_written(layer, at) != written)
            break;
    }
    return at;
}

static void sync_soon(struct disk_layer *layer)
{
    if (!layer->timer.place)
        timer_arm(layer->disk->machine, &layer->timer, clock_ns(layer->disk->machine) + SYNC_NS);
}

static void set_written(struct disk_layer *layer, uint64_t first, uint64_t count)
{
    for (uint64_t s = first; s < first + count; s++) {
        if (is_written(layer, s))
            continue;
        layer->live[s / 8] |= (uint8_t)(1u << (s % 8));
        layer->dirty[s / LAYER_SPAN] |= MAP_DIRTY;
        sync_soon(layer);
    }
}

/* --- the volume --- */

static void ask_volume(struct disk_layer *layer, const struct disk_request *request, uint32_t tag)
{
    layer->asking |= tag_bit(tag);
    disk_submit(&layer->lower, request, tag); /* which has no limits */
}

static void own_start(struct disk_layer *layer)
{
    layer->own_waits = layer->asking & tag_bit(OWN_TAG);
    if (layer->own_waits)
        return;
    layer->own_busy = true;
    ask_volume(layer, &layer->own, OWN_TAG);
}

static void own_io(struct disk_layer *layer, uint32_t op, uint64_t sector, void *data,
                   uint32_t bytes, void (*then)(struct disk_layer *, enum blk_status))
{
    layer->own = (struct disk_request){.op = op, .sector = sector, .sectors = bytes / BLK_SECTOR};
    layer->own.segments = data != NULL;
    layer->own.segment[0] = (struct disk_segment){data, bytes};
    layer->then = then;
    own_start(layer);
}

static uint64_t map_sector(uint32_t page)
{
    return (page + 1ull) * LAYER_SECTORS;
}

/* --- requests --- */

static void sync_start(struct disk_layer *layer);

static void join_sync(struct disk_layer *layer, uint32_t tag)
{
    layer->joining |= tag_bit(tag);
    if (!layer->syncing)
        sync_start(layer);
}

/* [skip, skip + bytes) of the data. */
static void slice_data(const struct disk_request *from, uint64_t skip, uint64_t bytes,
                       struct disk_request *to)
{
    to->segments = 0;
    for (uint32_t i = 0; i < from->segments && bytes; i++) {
        struct disk_segment segment = from->segment[i];
        if (skip >= segment.len) {
            skip -= segment.len;
            continue;
        }
        segment.data += skip;
        segment.len -= (uint32_t)skip;
        if (segment.len > bytes)
            segment.len = (uint32_t)bytes;
        skip = 0;
        bytes -= segment.len;
        to->segment[to->segments++] = segment;
    }
}

/* Of the image; behind its end are zeroes. */
static void read_base(const struct disk_layer *layer, const struct disk_request *part)
{
    uint64_t offset = part->sector * BLK_SECTOR, size = layer->disk->config->image.size;
    for (uint32_t i = 0; i < part->segments; i++) {
        const struct disk_segment *to = &part->segment[i];
        uint64_t have = offset < size ? size - offset : 0;
        uint32_t n = have < to->len ? (uint32_t)have : to->len;
        if (n)
            memcpy(to->data, layer->image + offset, n);
        memset(to->data + n, 0, to->len - n);
        offset += to->len;
    }
}

/* True: the volume has been asked for a part of it. */
static bool read_on(struct disk_layer *layer, uint32_t tag)
{
    struct layer_request *r = &layer->request[tag];
    uint64_t end = r->request.sector + r->request.sectors;
    while (r->at < end) {
        uint64_t first = r->at, until = same_until(layer, first, end);
        struct disk_request part = {.op = BLK_READ, .sector = first, .sectors = until - first};
        slice_data(&r->request, (first - r->request.sector) * BLK_SECTOR, part.sectors * BLK_SECTOR,
                   &part);
        r->at = until;
        if (is_written(layer, first)) {
            part.sector += layer->data_first;
            ask_volume(layer, &part, tag);
            return true;
        }
        read_base(layer, &part);
    }
    return false;
}

static void write_whole(struct disk_layer *layer, uint32_t tag)
{
    struct disk_request whole = layer->request[tag].request;
    whole.sector += layer->data_first;
    whole.durable = false; /* the map has to follow it first */
    ask_volume(layer, &whole, tag);
}

static void layer_step(struct disk_layer *layer, uint32_t tag)
{
    struct disk_request *request = &layer->request[tag].request;
    if (layer->own_busy && tag == OWN_TAG)
        layer->waiting |= tag_bit(tag);
    else if (request->op == BLK_FLUSH)
        join_sync(layer, tag);
    else if (request->op != BLK_READ)
        write_whole(layer, tag);
    else if (!read_on(layer, tag))
        disk_ended(layer->disk, tag, BLK_OK);
}

static void start_waiting(struct disk_layer *layer)
{
    uint64_t waiting = layer->waiting;
    if (layer->state != LAYER_OPEN && layer->state != LAYER_BROKEN)
        return;
    layer->waiting = 0;
    for (; waiting; waiting &= waiting - 1) {
        uint32_t tag = (uint32_t)__builtin_ctzll(waiting);
        if (layer->state == LAYER_BROKEN)
            disk_ended(layer->disk, tag, BLK_IO_ERROR);
        else
            layer_step(layer, tag);
    }
}

static void request_answered(struct disk_layer *layer, uint32_t tag, enum blk_status status)
{
    const struct disk_request *request = &layer->request[tag].request;
    if (status == BLK_OK && request->op == BLK_READ) {
        layer_step(layer, tag);
        return;
    }
    if (status == BLK_OK) {
        set_written(layer, request->sector, request->sectors);
        if (request->durable) {
            join_sync(layer, tag);
            return;
        }
    }
    disk_ended(layer->disk, tag, status);
}

static void lower_ended(void *owner, uint32_t tag, enum blk_status status)
{
    struct disk_layer *layer = owner;
    layer->asking &= ~tag_bit(tag);
    if (tag == OWN_TAG && layer->own_busy) {
        layer->own_busy = false;
        layer->then(layer, status);
        start_waiting(layer);
        return;
    }
    request_answered(layer, tag, status);
    if (tag == OWN_TAG && layer->own_waits)
        own_start(layer);
}

static void layer_submit(struct disk *disk, const struct disk_request *request, uint32_t tag)
{
    struct disk_layer *layer = disk->backing_dev;
    layer->request[tag] = (struct layer_request){.request = *request, .at = request->sector};
    if (layer->state == LAYER_OPEN) {
        layer_step(layer, tag);
        return;
    }
    layer->waiting |= tag_bit(tag);
    start_waiting(layer);
}

static void layer_ring(struct disk *disk)
{
    struct disk_layer *layer = disk->backing_dev;
    disk_ring(&layer->lower);
}

/* --- flushes: the data, then the map that speaks of it --- */

static void sync_ended(struct disk_layer *layer, enum blk_status status)
{
    uint64_t served = layer->served;
    for (uint32_t i = 0; i < layer->pages; i++) {
        if (layer->dirty[i] & MAP_WRITING)
            layer->dirty[i] = status == BLK_OK ? layer->dirty[i] & MAP_DIRTY : MAP_DIRTY;
    }
    layer->syncing = false;
    layer->served = 0;
    for (; served; served &= served - 1)
        disk_ended(layer->disk, (uint32_t)__builtin_ctzll(served), status);
    if (layer->joining && !layer->syncing)
        sync_start(layer);
}

static void sync_next(struct disk_layer *layer, enum blk_status status)
{
    while (layer->page < layer->pages && !(layer->dirty[layer->page] & MAP_WRITING))
        layer->page++;
    if (status != BLK_OK || (layer->page == layer->pages && !layer->wrote)) {
        sync_ended(layer, status);
    } else if (layer->page == layer->pages) {
        own_io(layer, BLK_FLUSH, 0, NULL, 0, sync_ended);
    } else {
        uint32_t page = layer->page++;
        layer->wrote = true;
        own_io(layer, BLK_WRITE, map_sector(page), layer->written + (size_t)page * LAYER_PAGE,
               LAYER_PAGE, sync_next);
    }
}

/* What is set in the map after this speaks of sectors that this flush does not cover. */
static void sync_start(struct disk_layer *layer)
{
    layer->syncing = true;
    layer->wrote = false;
    layer->page = 0;
    layer->served = layer->joining;
    layer->joining = 0;
    for (uint32_t i = 0; i < layer->pages; i++) {
        if (!layer->dirty[i])
            continue;
        memcpy(layer->written + (size_t)i * LAYER_PAGE, layer->live + (size_t)i * LAYER_PAGE,
               LAYER_PAGE);
        layer->dirty[i] = MAP_WRITING;
    }
    own_io(layer, BLK_FLUSH, 0, NULL, 0, sync_next);
}

static void sync_timer(void *dev)
{
    struct disk_layer *layer = dev;
    bool dirty = false;
    for (uint32_t i = 0; i < layer->pages; i++)
        dirty |= layer->dirty[i] & MAP_DIRTY;
    if (dirty && layer->syncing)
        sync_soon(layer);
    else if (dirty)
        sync_start(layer);
    disk_ring(&layer->lower);
}

/* --- opening --- */

static void layer_opened(struct disk_layer *layer)
{
    layer->state = LAYER_OPEN;
    *layer->memory = (struct layer_memory){.magic = LAYER_MAGIC, .sectors = layer->sectors};
}

static void refuse_volume(struct disk_layer *layer, const char *why)
{
    layer->state = LAYER_BROKEN;
    log_line("%s: error: the volume above %s is not used: %s", layer->disk->config->target,
             layer->disk->config->image.name, why);
}

static void refuse_small(struct disk_layer *layer, uint64_t needed)
{
    char why[96];
    snprintf(why, sizeof why, "it has %llu KiB, %llu KiB are needed",
             (unsigned long long)(layer->lower.geometry.sectors / 2),
             (unsigned long long)((needed + 1) / 2));
    refuse_volume(layer, why);
}

static void map_was_read(struct disk_layer *layer, enum blk_status status)
{
    uint32_t first = layer->page, n = layer->pages - first;
    if (status != BLK_OK) {
        refuse_volume(layer, "its map cannot be read");
        return;
    }
    if (!n) {
        memcpy(layer->live, layer->written, (size_t)layer->pages * LAYER_PAGE);
        layer_opened(layer);
        return;
    }
    n = n < MAP_CHUNK ? n : MAP_CHUNK;
    layer->page += n;
    own_io(layer, BLK_READ, map_sector(first), layer->written + (size_t)first * LAYER_PAGE,
           n * LAYER_PAGE, map_was_read);
}

static void new_opened(struct disk_layer *layer, enum blk_status status)
{
    if (status == BLK_OK)
        layer_opened(layer);
    else
        refuse_volume(layer, "it cannot be written");
}

static void new_named(struct disk_layer *layer, enum blk_status status)
{
    if (status == BLK_OK)
        own_io(layer, BLK_FLUSH, 0, NULL, 0, new_opened);
    else
        new_opened(layer, status);
}

static struct layer_header header_for(const struct disk_layer *layer)
{
    struct layer_header header = {.magic = LAYER_MAGIC,
                                  .version = LAYER_VERSION,
                                  .map_pages = layer->pages,
                                  .image_size = layer->disk->config->image.size,
                                  .data_first = layer->data_first};
    memcpy(header.image_sha256, layer->disk->config->image_sha256, sizeof header.image_sha256);
    return header;
}

static void new_cleared(struct disk_layer *layer, enum blk_status status)
{
    *layer->header = header_for(layer);
    if (status == BLK_OK)
        own_io(layer, BLK_WRITE, 0, layer->header, LAYER_PAGE, new_named);
    else
        new_opened(layer, status);
}

/* A new one: the map is cleared before the header says that there is one. */
static void new_clear(struct disk_layer *layer, enum blk_status status)
{
    uint32_t first = layer->page, n = layer->pages - first;
    if (status != BLK_OK) {
        new_opened(layer, status);
        return;
    }
    if (!n) {
        own_io(layer, BLK_FLUSH, 0, NULL, 0, new_cleared);
        return;
    }
    n = n < MAP_CHUNK ? n : MAP_CHUNK;
    layer->page += n;
    own_io(layer, BLK_WRITE, map_sector(first), layer->written + (size_t)first * LAYER_PAGE,
           n * LAYER_PAGE, new_clear);
}

static bool page_is_empty(const uint8_t *page)
{
    for (uint32_t i = 0; i < LAYER_PAGE; i++) {
        if (page[i])
            return false;
    }
    return true;
}

static void header_read(struct disk_layer *layer, enum blk_status status)
{
    const struct layer_header *found = layer->header, wanted = header_for(layer);
    layer->page = 0;
    if (status != BLK_OK)
        refuse_volume(layer, "it cannot be read");
    else if (page_is_empty((const uint8_t *)found))
        new_clear(layer, BLK_OK);
    else if (found->magic != LAYER_MAGIC)
        refuse_volume(layer, "it holds something else; a new one begins with 4096 zeroes");
    else if (found->version != LAYER_VERSION)
        refuse_volume(layer, "it is of another version");
    else if (found->image_size != wanted.image_size ||
             memcmp(found->image_sha256, wanted.image_sha256, sizeof wanted.image_sha256))
        refuse_volume(layer, "it was written above another image");
    else if (memcmp(found, &wanted, sizeof wanted))
        refuse_volume(layer, "its header is damaged");
    else
        map_was_read(layer, BLK_OK);
}

static void open_volume(struct disk_layer *layer)
{
    const struct blk_geometry *volume = &layer->lower.geometry;
    uint64_t needed = layer->data_first + layer->sectors;
    layer->state = LAYER_OPENING;
    if (volume->sectors < needed) {
        refuse_small(layer, needed);
    } else if (volume->flags & BLK_GEOMETRY_READ_ONLY) {
        refuse_volume(layer, "it cannot be written");
    } else if (layer->memory->magic == LAYER_MAGIC && layer->memory->sectors == layer->sectors) {
        /* An earlier run of the guest has opened it. */
        memset(layer->dirty, MAP_DIRTY, layer->pages);
        layer_opened(layer);
        sync_soon(layer);
    } else {
        own_io(layer, BLK_READ, 0, layer->header, LAYER_PAGE, header_read);
    }
    start_waiting(layer);
}

void disk_layer_event(struct disk_layer *layer)
{
    disk_channel_event(&layer->channel);
    if (layer->state == LAYER_CLOSED)
        open_volume(layer);
    disk_ring(&layer->lower);
}

/* --- what it looks like --- */

static void lower_changed(void *owner)
{
    struct disk_layer *layer = owner;
    const struct blk_geometry *volume = &layer->lower.geometry;
    layer->disk->geometry = (struct blk_geometry){
        .sectors = layer->sectors,
        .block_size = volume->block_size,
        .physical_size = volume->physical_size,
        .flags = BLK_GEOMETRY_FLUSH | (volume->flags & BLK_GEOMETRY_WRITE_ZEROES),
        .model = "layered image"};
    disk_geometry_changed(layer->disk);
}

static void lower_goes_on(void *owner)
{
    (void)owner; /* it has no limits */
}

/* Where things are in the memory, and on the volume. */
static void lay_out(struct disk_layer *layer, uint8_t *memory)
{
    uint64_t unit = layer->lower.geometry.block_size / BLK_SECTOR;
    uint64_t sectors = (layer->disk->config->image.size + BLK_SECTOR - 1) / BLK_SECTOR;
    layer->sectors = (sectors + unit - 1) / unit * unit;
    layer->pages = (uint32_t)vmm_layer_pages(layer->disk->config->image.size);
    layer->data_first = (map_sector(layer->pages) + DATA_ALIGN - 1) / DATA_ALIGN * DATA_ALIGN;
    layer->memory = (void *)memory;
    layer->header = (void *)(memory + LAYER_PAGE);
    layer->written = memory + 2 * LAYER_PAGE;
    layer->live = layer->written + (size_t)layer->pages * LAYER_PAGE;
}

void disk_layer_init(struct disk_layer *layer, struct disk *disk, const struct vmm_config *config,
                     const struct disk_layer_source *source)
{
    static const struct disk_backing ops = {layer_submit, layer_ring};
    memset(layer, 0, sizeof *layer);
    layer->disk = disk;
    layer->image = source->image;
    layer->lower_config =
        (struct vmm_disk){.backing = VMM_DISK_CHANNEL, .driver_bits = disk->config->driver_bits};
    memcpy(layer->lower_config.target, disk->config->target, sizeof layer->lower_config.target);
    disk_init(&layer->lower, disk->machine, &layer->lower_config);
    disk_channel_init(&layer->channel, &layer->lower, config, source->channel, source->notif);
    disk_channel_reach(&layer->channel, source->memory, disk->config->overlay_size,
                       config->ram_count);
    lay_out(layer, source->memory);
    layer->request = calloc(DISK_REQUESTS, sizeof(*layer->request));
    layer->dirty = calloc(layer->pages, 1);
    if (!layer->request || !layer->dirty)
        fatal("no memory for disk %s", disk->config->target);
    layer->timer = (struct dev_timer){.fire = sync_timer, .dev = layer};
    layer->lower.owner = (struct disk_owner){lower_ended, lower_goes_on, lower_changed, layer};
    disk->backing = &ops;
    disk->backing_dev = layer;
    lower_changed(layer);
}

void disk_layer_free(struct disk_layer *layer)
{
    free(layer->request);
    free(layer->dirty);
}
