/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/virtio_blk.h"

#define F_SIZE_MAX     (1ull << 1)
#define F_SEG_MAX      (1ull << 2)
#define F_RO           (1ull << 5)
#define F_BLK_SIZE     (1ull << 6)
#define F_FLUSH        (1ull << 9)
#define F_TOPOLOGY     (1ull << 10)
#define F_CONFIG_WCE   (1ull << 11)
#define F_MQ           (1ull << 12)
#define F_DISCARD      (1ull << 13)
#define F_WRITE_ZEROES (1ull << 14)

/* struct virtio_blk_config */
#define CONFIG_CAPACITY         0u
#define CONFIG_SIZE_MAX         8u
#define CONFIG_SEG_MAX          12u
#define CONFIG_BLK_SIZE         20u
#define CONFIG_PHYSICAL_EXP     24u
#define CONFIG_WRITEBACK        32u
#define CONFIG_NUM_QUEUES       34u
#define CONFIG_MAX_DISCARD      36u
#define CONFIG_MAX_DISCARD_SEG  40u
#define CONFIG_DISCARD_ALIGN    44u
#define CONFIG_MAX_ZEROES       48u
#define CONFIG_MAX_ZEROES_SEG   52u
#define CONFIG_ZEROES_MAY_UNMAP 56u
#define BLK_CONFIG_SIZE         60u

#define T_IN           0u
#define T_OUT          1u
#define T_FLUSH        4u
#define T_GET_ID       8u
#define T_DISCARD      11u
#define T_WRITE_ZEROES 13u

#define S_OK     0u
#define S_IOERR  1u
#define S_UNSUPP 2u

#define BLK_QUEUE_SIZE 128u
#define ROUND          256u /* requests and looks at queues at a time */
#define SIZE_MAX_BYTES (1u << 20)
#define REQUEST_MAX    (32u << 20) /* bytes */
#define CLEAR_MAX      (1u << 22)  /* sectors of one discard or write-zeroes request */
#define CLEAR_UNMAP    1u

struct header {
    uint32_t type, reserved;
    uint64_t sector;
};

struct clear_range {
    uint64_t sector;
    uint32_t sectors, flags;
};

/* --- the chain --- */

static bool add_segment(struct disk_request *request, uint8_t *data, uint32_t len)
{
    if (request->segments) {
        struct disk_segment *last = &request->segment[request->segments - 1];
        if (last->data + last->len == data && len <= REQUEST_MAX - last->len) {
            last->len += len;
            return true;
        }
    }
    if (request->segments == DISK_SEGMENTS || len > REQUEST_MAX)
        return false;
    request->segment[request->segments++] = (struct disk_segment){data, len};
    return true;
}

/* Bytes [skip, skip + len) of the buffers. */
static bool add_buffers(struct disk_request *request, const struct vq_buffer *buffer,
                        uint32_t count, uint64_t skip, uint64_t len)
{
    request->segments = 0;
    if (len > REQUEST_MAX)
        return false;
    for (uint32_t i = 0; i < count && len; i++) {
        if (skip >= buffer[i].len) {
            skip -= buffer[i].len;
            continue;
        }
        uint32_t part = buffer[i].len - (uint32_t)skip;
        if (part > len)
            part = (uint32_t)len;
        if (!add_segment(request, buffer[i].data + skip, part))
            return false;
        len -= part;
        skip = 0;
    }
    return true;
}

static uint8_t *status_byte(const struct vq_chain *chain)
{
    const struct vq_buffer *last = &chain->buffer[chain->out_count + chain->in_count - 1];
    return last->data + last->len - 1;
}

/* --- requests --- */

/* Must what ends be on the medium? A driver that cannot flush relies on it. */
static bool writes_through(const struct virtio_blk *blk)
{
    if (blk->disk->config->cache == VMM_CACHE_UNSAFE)
        return false;
    if (!virtio_has(&blk->virtio, F_FLUSH))
        return true;
    return virtio_has(&blk->virtio, F_CONFIG_WCE) && !blk->virtio.config[CONFIG_WRITEBACK];
}

static void give_back(struct virtio_blk *blk, uint32_t tag, uint8_t status)
{
    const struct virtio_blk_request *request = &blk->request[tag];
    blk->used &= ~(1ull << tag);
    if (blk->lost >> tag & 1) {
        blk->lost &= ~(1ull << tag);
        return;
    }
    *(volatile uint8_t *)request->status = status;
    virtqueue_push(&blk->virtio.queue[request->queue].ring, request->head,
                   status == S_OK ? request->written : 1);
    blk->answered |= 1u << request->queue;
}

static void blk_ended(void *owner, uint32_t tag, enum blk_status status)
{
    struct virtio_blk *blk = owner;
    give_back(blk, tag, status == BLK_OK ? S_OK : status == BLK_UNSUPPORTED ? S_UNSUPP : S_IOERR);
}

static uint8_t get_id(const struct virtio_blk *blk, const struct vq_chain *chain)
{
    char id[DISK_SERIAL_SIZE] = {0};
    uint64_t room = chain->in_len - 1;
    memcpy(id, blk->disk->geometry.serial, sizeof id);
    vq_chain_write(chain, 0, id, room < sizeof id ? (size_t)room : sizeof id);
    return S_OK;
}

/* Discard and write-zeroes: one range each, as the configuration says. */
static bool parse_clear(struct virtio_blk *blk, uint32_t type, uint8_t *status)
{
    const struct vq_chain *chain = &blk->chain;
    struct disk_request *next = &blk->next;
    struct clear_range range;
    *status = S_IOERR;
    if (chain->out_len != sizeof(struct header) + sizeof range)
        return false;
    vq_chain_read(chain, sizeof(struct header), &range, sizeof range);
    uint32_t allowed = type == T_WRITE_ZEROES ? CLEAR_UNMAP : 0;
    *status = range.flags & ~allowed ? S_UNSUPP : S_IOERR;
    if (range.flags & ~allowed || range.sectors > CLEAR_MAX)
        return false;
    next->op = type == T_DISCARD ? BLK_DISCARD : BLK_WRITE_ZEROES;
    next->sector = range.sector;
    next->sectors = range.sectors;
    return true;
}

static bool parse_transfer(struct virtio_blk *blk, const struct header *header, uint8_t *status)
{
    const struct vq_chain *chain = &blk->chain;
    struct disk_request *next = &blk->next;
    bool is_read = header->type == T_IN;
    uint64_t len = is_read ? chain->in_len - 1 : chain->out_len - sizeof *header;
    const struct vq_buffer *from = chain->buffer + (is_read ? chain->out_count : 0);
    *status = S_IOERR;
    if (len % BLK_SECTOR || !add_buffers(next, from, is_read ? chain->in_count : chain->out_count,
                                         is_read ? 0 : sizeof *header, len))
        return false;
    next->op = is_read ? BLK_READ : BLK_WRITE;
    next->sector = header->sector;
    next->sectors = len / BLK_SECTOR;
    next->durable = writes_through(blk);
    return true;
}

/* True: blk->next is to be done. Else the answer is *status. */
static bool parse(struct virtio_blk *blk, const struct header *header, uint8_t *status)
{
    blk->next.segments = 0;
    blk->next.sector = blk->next.sectors = 0;
    blk->next.durable = false;
    switch (header->type) {
    case T_IN:
    case T_OUT:
        return parse_transfer(blk, header, status);
    case T_FLUSH:
        blk->next.op = BLK_FLUSH;
        *status = S_OK; /* when there is nothing that a flush could write */
        return blk->disk->config->cache != VMM_CACHE_UNSAFE &&
               blk->disk->geometry.flags & BLK_GEOMETRY_FLUSH;
    case T_GET_ID:
        *status = get_id(blk, &blk->chain);
        return false;
    case T_DISCARD:
    case T_WRITE_ZEROES:
        return parse_clear(blk, header->type, status);
    default:
        *status = S_UNSUPP;
        return false;
    }
}

static void submit(struct virtio_blk *blk, uint32_t tag)
{
    blk->held = disk_submit(blk->disk, &blk->next, tag) == DISK_DELAYED;
    blk->held_tag = tag;
}

static void start(struct virtio_blk *blk, unsigned queue)
{
    const struct vq_chain *chain = &blk->chain;
    uint32_t tag = (uint32_t)__builtin_ctzll(~blk->used);
    struct header header;
    uint8_t status;
    if (chain->out_len < sizeof header || chain->in_len == 0) {
        virtio_fail(&blk->virtio, "a request has no header or no place for its status");
        return;
    }
    vq_chain_read(chain, 0, &header, sizeof header);
    blk->used |= 1ull << tag;
    blk->request[tag] = (struct virtio_blk_request){
        .queue = (uint16_t)queue,
        .head = chain->head,
        .written = chain->in_len < UINT32_MAX ? (uint32_t)chain->in_len : UINT32_MAX,
        .status = status_byte(chain)};
    if (parse(blk, &header, &status))
        submit(blk, tag);
    else
        give_back(blk, tag, status);
}

static bool can_start(const struct virtio_blk *blk)
{
    return !blk->held && blk->used != ~0ull;
}

/* Takes requests of all queues in turn, as long as there is room for them. After some it lets
 * others have the lock: a guest that never stops asking must not keep its VMM from the manager's
 * orders. */
static void blk_take(struct virtio_blk *blk)
{
    unsigned empty = 0;
    for (unsigned taken = 0; can_start(blk) && empty < blk->type.queues; taken++) {
        if (taken == ROUND) {
            disk_yield(blk->disk);
            break;
        }
        unsigned queue = blk->next_queue;
        blk->next_queue = (queue + 1) % blk->type.queues;
        if (virtio_pop(&blk->virtio, queue, &blk->chain)) {
            start(blk, queue);
            empty = 0;
        } else {
            empty++;
        }
    }
    blk->blocked = empty < blk->type.queues;
    disk_ring(blk->disk);
}

static void blk_answer(struct virtio_blk *blk)
{
    for (; blk->answered; blk->answered &= blk->answered - 1)
        virtio_interrupt(&blk->virtio, (unsigned)__builtin_ctz(blk->answered));
}

static void pump(struct virtio_blk *blk)
{
    blk_take(blk);
    blk_answer(blk);
}

static void blk_notify(void *dev, unsigned queue)
{
    (void)queue; /* all are looked at: another may have waited for room */
    pump(dev);
}

/* Queues that were empty are not looked at: the guest rings when it puts something in. */
void virtio_blk_event(struct virtio_blk *blk)
{
    if (blk->blocked)
        blk_take(blk);
    blk_answer(blk);
}

static void blk_go_on(void *owner)
{
    struct virtio_blk *blk = owner;
    if (blk->held)
        submit(blk, blk->held_tag);
    pump(blk);
}

static uint64_t features_of(const struct disk *disk, unsigned queues)
{
    uint64_t features = F_SIZE_MAX | F_SEG_MAX | F_BLK_SIZE | F_TOPOLOGY;
    bool read_only = disk->geometry.flags & BLK_GEOMETRY_READ_ONLY;
    if (queues > 1)
        features |= F_MQ;
    if (read_only)
        features |= F_RO;
    if (!read_only && disk->config->cache != VMM_CACHE_WRITETHROUGH)
        features |= F_FLUSH | F_CONFIG_WCE;
    if (disk->geometry.flags & BLK_GEOMETRY_DISCARD)
        features |= F_DISCARD;
    if (disk->geometry.flags & BLK_GEOMETRY_WRITE_ZEROES)
        features |= F_WRITE_ZEROES;
    return features;
}

/* --- reset --- */

static void blk_reset(void *dev)
{
    struct virtio_blk *blk = dev;
    if (blk->held) {
        blk->held = false;
        blk->used &= ~(1ull << blk->held_tag);
    }
    blk->lost = blk->used;
    blk->answered = 0;
    blk->type.features = features_of(blk->disk, blk->type.queues);
    blk->virtio.config[CONFIG_WRITEBACK] = 1;
}

/* The medium may still write into the guest's memory. */
static bool blk_busy(void *dev)
{
    const struct virtio_blk *blk = dev;
    return blk->lost != 0;
}

/* --- configuration --- */

static void set(struct virtio_blk *blk, unsigned offset, unsigned size, uint64_t value)
{
    virtio_set_config(&blk->virtio, offset, size < 4 ? size : 4, (uint32_t)value);
    if (size == 8)
        virtio_set_config(&blk->virtio, offset + 4, 4, (uint32_t)(value >> 32));
}

static void fill_config(struct virtio_blk *blk)
{
    const struct blk_geometry *geometry = &blk->disk->geometry;
    uint32_t align = geometry->discard_align ? geometry->discard_align : geometry->block_size;
    set(blk, CONFIG_CAPACITY, 8, geometry->sectors);
    set(blk, CONFIG_SIZE_MAX, 4, SIZE_MAX_BYTES);
    set(blk, CONFIG_SEG_MAX, 4, DISK_SEGMENTS);
    set(blk, CONFIG_BLK_SIZE, 4, geometry->block_size);
    set(blk, CONFIG_PHYSICAL_EXP, 1,
        (uint64_t)__builtin_ctz(geometry->physical_size / geometry->block_size));
    set(blk, CONFIG_NUM_QUEUES, 2, blk->type.queues);
    set(blk, CONFIG_MAX_DISCARD, 4, CLEAR_MAX);
    set(blk, CONFIG_MAX_DISCARD_SEG, 4, 1);
    set(blk, CONFIG_DISCARD_ALIGN, 4, align / BLK_SECTOR);
    set(blk, CONFIG_MAX_ZEROES, 4, CLEAR_MAX);
    set(blk, CONFIG_MAX_ZEROES_SEG, 4, 1);
    set(blk, CONFIG_ZEROES_MAY_UNMAP, 1, 1);
}

/* What a driver has negotiated stays as it is; features follow when it comes anew. */
static void blk_changed(void *owner)
{
    struct virtio_blk *blk = owner;
    fill_config(blk);
    if (!(blk->virtio.status & VIRTIO_FEATURES_OK))
        blk->type.features = features_of(blk->disk, blk->type.queues);
}

void virtio_blk_init(struct virtio_blk *blk, struct pci_bus *bus, unsigned slot,
                     uint8_t interrupt_line, struct disk *disk, unsigned queues)
{
    memset(blk, 0, sizeof *blk);
    blk->disk = disk;
    blk->type = (struct virtio_type){.name = "virtio-blk",
                                     .id = 2,
                                     .class_code = 0x010000,
                                     .queues = (uint8_t)queues,
                                     .queue_size = BLK_QUEUE_SIZE,
                                     .features = features_of(disk, queues),
                                     .config_size = BLK_CONFIG_SIZE,
                                     .queue_notify = blk_notify,
                                     .reset = blk_reset,
                                     .busy = blk_busy};
    disk->owner = (struct disk_owner){blk_ended, blk_go_on, blk_changed, blk};
    virtio_pci_init(&blk->virtio, bus, slot, interrupt_line, &blk->type, blk);
    blk->virtio.config_writable[CONFIG_WRITEBACK] = 1;
    fill_config(blk);
}
