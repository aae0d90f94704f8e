/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/virtqueue.h"

#define DESC_SIZE       16u
#define DESC_F_NEXT     1u
#define DESC_F_WRITE    2u
#define DESC_F_INDIRECT 4u

#define AVAIL_F_NO_INTERRUPT 1u

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};
_Static_assert(sizeof(struct desc) == DESC_SIZE, "virtq_desc");

/* Guest memory is little-endian, as we are. Volatile: one load, not two. */
static uint16_t load16(const uint8_t *from)
{
    return *(const volatile uint16_t *)(const void *)from;
}

static void store16(uint8_t *to, uint16_t value)
{
    *(volatile uint16_t *)(void *)to = value;
}

/* Indirect tables need not be aligned. */
struct word {
    uint64_t value;
} __attribute__((packed));

static struct desc load_desc(const uint8_t *table, uint32_t index)
{
    const volatile struct word *from = (const volatile void *)(table + (size_t)index * DESC_SIZE);
    uint64_t words[2] = {from[0].value, from[1].value};
    struct desc desc;
    memcpy(&desc, words, sizeof desc);
    return desc;
}

static bool broken(struct virtqueue *queue, const char *reason)
{
    if (!queue->broken)
        queue->broken = reason;
    return false;
}

/* --- ring fields --- */

static uint8_t *avail_idx(const struct virtqueue *queue)
{
    return queue->avail + 2;
}

static uint8_t *used_event(const struct virtqueue *queue)
{
    return queue->avail + 4 + 2 * queue->size;
}

static uint8_t *avail_event(const struct virtqueue *queue)
{
    return queue->used + 4 + 8 * queue->size;
}

const char *virtqueue_enable(struct virtqueue *queue, struct machine *machine, uint16_t size,
                             uint64_t desc, uint64_t avail, uint64_t used, bool event_idx)
{
    if (size == 0 || size > VIRTQUEUE_MAX || size & (size - 1))
        return "queue size is not a power of two within bounds";
    if (desc % 16 || avail % 2 || used % 4)
        return "queue address is misaligned";
    uint8_t *desc_ptr = guest_ptr(machine, desc, DESC_SIZE * (uint64_t)size);
    uint8_t *avail_ptr = guest_ptr(machine, avail, 6 + 2 * (uint64_t)size);
    uint8_t *used_ptr = guest_ptr(machine, used, 6 + 8 * (uint64_t)size);
    if (!desc_ptr || !avail_ptr || !used_ptr)
        return "queue address is outside RAM";
    *queue = (struct virtqueue){.machine = machine,
                                .size = size,
                                .enabled = true,
                                .event_idx = event_idx,
                                .desc = desc_ptr,
                                .avail = avail_ptr,
                                .used = used_ptr};
    return NULL;
}

void virtqueue_disable(struct virtqueue *queue)
{
    *queue = (struct virtqueue){0};
}

/* --- chains --- */

static bool add_buffer(struct virtqueue *queue, struct vq_chain *chain, const struct desc *desc)
{
    bool write = desc->flags & DESC_F_WRITE;
    if (!write && chain->in_count)
        return broken(queue, "a readable descriptor follows a writable one");
    if (desc->len == 0)
        return true;
    uint32_t count = chain->out_count + chain->in_count;
    if (count == VQ_CHAIN_MAX)
        return broken(queue, "a descriptor chain is too long");
    uint8_t *data = guest_ptr(queue->machine, desc->addr, desc->len);
    if (!data)
        return broken(queue, "a descriptor points outside RAM");
    chain->buffer[count] = (struct vq_buffer){data, desc->len};
    if (write) {
        chain->in_count++;
        chain->in_len += desc->len;
    } else {
        chain->out_count++;
        chain->out_len += desc->len;
    }
    return true;
}

static bool walk_indirect(struct virtqueue *queue, struct vq_chain *chain, const struct desc *at)
{
    if (at->flags & DESC_F_NEXT)
        return broken(queue, "an indirect descriptor has a successor");
    if (at->len == 0 || at->len % DESC_SIZE)
        return broken(queue, "an indirect table has an odd size");
    uint32_t entries = at->len / DESC_SIZE, index = 0;
    const uint8_t *table = guest_ptr(queue->machine, at->addr, at->len);
    if (!table)
        return broken(queue, "an indirect table is outside RAM");
    /* At most as many steps as a chain may have: a loop ends there. */
    for (uint32_t steps = 0; steps < VQ_CHAIN_MAX; steps++) {
        struct desc desc = load_desc(table, index);
        if (desc.flags & DESC_F_INDIRECT)
            return broken(queue, "an indirect table has an indirect descriptor");
        if (!add_buffer(queue, chain, &desc))
            return false;
        if (!(desc.flags & DESC_F_NEXT))
            return true;
        index = desc.next;
        if (index >= entries)
            return broken(queue, "an indirect descriptor's successor is out of range");
    }
    return broken(queue, "an indirect table loops or is too long");
}

static bool walk(struct virtqueue *queue, struct vq_chain *chain)
{
    uint32_t index = chain->head;
    for (uint32_t steps = 0; steps < queue->size; steps++) {
        if (index >= queue->size)
            return broken(queue, "a descriptor number is out of range");
        struct desc desc = load_desc(queue->desc, index);
        if (desc.flags & DESC_F_INDIRECT)
            return walk_indirect(queue, chain, &desc);
        if (!add_buffer(queue, chain, &desc))
            return false;
        if (!(desc.flags & DESC_F_NEXT))
            return true;
        index = desc.next;
    }
    return broken(queue, "a descriptor chain loops");
}

/* Entries that the driver has made available. Without any, asks to be notified about the next one,
 * and looks again, since it may have come in between. */
static uint16_t available(struct virtqueue *queue, bool ask)
{
    uint16_t count = (uint16_t)(load16(avail_idx(queue)) - queue->next_avail);
    if (count || !queue->event_idx || !ask)
        return count;
    store16(avail_event(queue), queue->next_avail);
    __atomic_thread_fence(
        __ATOMIC_SEQ_CST); /* pairs with the driver's between idx and avail_event */
    return (uint16_t)(load16(avail_idx(queue)) - queue->next_avail);
}

static bool pop_chain(struct virtqueue *queue, struct vq_chain *chain, bool ask)
{
    if (!queue->enabled || queue->broken)
        return false;
    uint16_t count = available(queue, ask);
    if (count == 0)
        return false;
    if (count > queue->size)
        return broken(queue, "the available index is ahead by more than the queue's size");
    __atomic_thread_fence(__ATOMIC_ACQUIRE); /* ring and descriptors after the index */
    chain->head = load16(queue->avail + 4 + 2 * (queue->next_avail & (queue->size - 1u)));
    chain->out_count = chain->in_count = 0;
    chain->out_len = chain->in_len = 0;
    if (chain->head >= queue->size)
        return broken(queue, "the available ring names a descriptor out of range");
    if (!walk(queue, chain))
        return false;
    queue->next_avail++;
    queue->chains++;
    return true;
}

bool virtqueue_pop(struct virtqueue *queue, struct vq_chain *chain)
{
    return pop_chain(queue, chain, true);
}

bool virtqueue_pop_quiet(struct virtqueue *queue, struct vq_chain *chain)
{
    return pop_chain(queue, chain, false);
}

void virtqueue_unpop(struct virtqueue *queue, uint16_t n)
{
    queue->next_avail = (uint16_t)(queue->next_avail - n);
}

void virtqueue_put(struct virtqueue *queue, uint16_t ahead, uint16_t head, uint32_t written)
{
    if (!queue->enabled || queue->broken)
        return;
    uint32_t number = (uint16_t)(queue->next_used + ahead) & (queue->size - 1u);
    volatile uint32_t *fields = (volatile void *)(queue->used + 4 + 8 * number);
    fields[0] = head;
    fields[1] = written;
}

void virtqueue_publish(struct virtqueue *queue, uint16_t n)
{
    if (!queue->enabled || queue->broken)
        return;
    queue->next_used = (uint16_t)(queue->next_used + n);
    __atomic_thread_fence(__ATOMIC_RELEASE); /* the entries, and the data, before the index */
    store16(queue->used + 2, queue->next_used);
}

void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written)
{
    virtqueue_put(queue, 0, head, written);
    virtqueue_publish(queue, 1);
}

bool virtqueue_wants_interrupt(struct virtqueue *queue)
{
    if (!queue->enabled || queue->broken)
        return false;
    uint16_t now = queue->next_used, before = queue->signalled;
    if (now == before)
        return false;
    queue->signalled = now;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* used index before the driver's wish */
    bool wants;
    if (queue->event_idx)
        wants = (uint16_t)(now - load16(used_event(queue)) - 1) < (uint16_t)(now - before);
    else
        wants = !(load16(queue->avail) & AVAIL_F_NO_INTERRUPT);
    queue->interrupts_suppressed += !wants;
    return wants;
}

/* --- data --- */

static size_t copy(const struct vq_buffer *buffer, uint32_t count, uint64_t offset, uint8_t *data,
                   size_t len, bool to_guest)
{
    size_t done = 0;
    for (uint32_t i = 0; i < count && done < len; i++) {
        if (offset >= buffer[i].len) {
            offset -= buffer[i].len;
            continue;
        }
        size_t part = buffer[i].len - (size_t)offset;
        if (part > len - done)
            part = len - done;
        if (to_guest)
            memcpy(buffer[i].data + offset, data + done, part);
        else
            memcpy(data + done, buffer[i].data + offset, part);
        done += part;
        offset = 0;
    }
    return done;
}

size_t vq_chain_read(const struct vq_chain *chain, uint64_t offset, void *data, size_t len)
{
    return copy(chain->buffer, chain->out_count, offset, data, len, false);
}

size_t vq_chain_write(const struct vq_chain *chain, uint64_t offset, const void *data, size_t len)
{
    return copy(chain->buffer + chain->out_count, chain->in_count, offset,
                (uint8_t *)(uintptr_t)data, len, true);
}
