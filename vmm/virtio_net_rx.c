/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames for the guest: its receive queues' buffers go to the channel, and come back filled. Ended
 * entries come in the order of posting; the frame's header stands before its first buffer, and the
 * guest sees all buffers of a frame at once. */
#include <string.h>
#include "vmm/virtio_net_queues.h"

#define RX_ROUND 512u /* entries at a time */

static unsigned rx_queue(uint32_t i)
{
    return 2 * i;
}

/* --- empty buffers --- */

struct layout {
    struct frame_entry entry[FRAME_PARTS_MAX];
    uint8_t before[FRAME_PARTS_MAX]; /* of each, bytes of the header's room */
    uint32_t entries;
    uint8_t *header[2];
    uint32_t header_parts, header_bytes; /* bytes: in the first part */
};

static const char *lay_out_buffer(struct virtio_net *dev, struct layout *to)
{
    const struct vq_chain *chain = &dev->chain;
    uint32_t skip = VIRTIO_NET_HDR;
    to->entries = to->header_parts = to->header_bytes = 0;
    to->header[0] = to->header[1] = NULL;
    for (uint32_t i = 0; i < chain->in_count; i++) {
        const struct vq_buffer *buffer = &chain->buffer[chain->out_count + i];
        uint32_t part = skip < buffer->len ? skip : buffer->len;
        if (part && to->header_parts == 2)
            return "the header's room in a receive buffer is cut more than once";
        if (part) {
            to->header_bytes = to->header_parts ? to->header_bytes : part;
            to->header[to->header_parts++] = buffer->data;
            skip -= part;
        }
        if (to->entries == FRAME_PARTS_MAX)
            return "a receive buffer has too many parts";
        to->before[to->entries] = (uint8_t)part;
        to->entry[to->entries++] =
            (struct frame_entry){.offset = net_offset(dev->net, buffer->data),
                                 .length = buffer->len,
                                 .flags = FRAME_MORE};
    }
    if (chain->in_len <= VIRTIO_NET_HDR)
        return "a receive buffer has no room for more than the header";
    to->entry[to->entries - 1].flags = 0;
    return NULL;
}

static void note_posted(struct virtio_net_pair *pair, const struct layout *layout, uint32_t at,
                        uint16_t head)
{
    for (uint32_t k = 0; k < layout->entries; k++)
        pair->posted[(at + k) % FRAME_ENTRIES] =
            (struct net_posted){.header = {layout->header[0], layout->header[1]},
                                .header_bytes = (uint8_t)layout->header_bytes,
                                .first = k == 0,
                                .last = k == layout->entries - 1,
                                .head = head,
                                .room = layout->entry[k].length,
                                .before = layout->before[k]};
    pair->chains_posted++;
}

static bool post_buffer(struct virtio_net *dev, uint32_t i)
{
    struct frame_owner_ring *ring = &dev->net->frames.receive[i];
    struct layout layout;
    const char *wrong = lay_out_buffer(dev, &layout);
    if (wrong) {
        virtio_fail(&dev->virtio, wrong);
        return false;
    }
    note_posted(&dev->pair[i], &layout, ring->posted, dev->chain.head);
    return frame_owner_post(ring, layout.entry, layout.entries);
}

/* The guest tells of new buffers only when few are left: they are looked for whenever frames have
 * come. */
void virtio_net_fill(struct virtio_net *dev, uint32_t i)
{
    struct virtio_pci *virtio = &dev->virtio;
    struct frame_owner_ring *ring = &dev->net->frames.receive[i];
    unsigned queue = rx_queue(i);
    uint32_t few = virtio->queue[queue].ring.size / 4;
    while (frame_owner_room(ring) >= FRAME_PARTS_MAX) {
        bool ask = dev->pair[i].chains_posted < few;
        if (!(ask ? virtio_pop(virtio, queue, &dev->chain)
                  : virtio_pop_quiet(virtio, queue, &dev->chain)) ||
            !post_buffer(dev, i))
            break;
    }
    frame_owner_ring_bell(&dev->net->frames, ring);
}

/* --- frames --- */

static void show_offloads(const struct virtio_net *dev, const struct frame_entry *entry,
                          struct virtio_net_hdr *hdr)
{
    if (entry->flags & FRAME_NEEDS_CSUM && dev->offloads & VIRTIO_NET_F_GUEST_CSUM) {
        hdr->flags = HDR_NEEDS_CSUM;
        hdr->csum_start = entry->csum_start;
        hdr->csum_offset = entry->csum_offset;
    } else if (entry->flags & FRAME_CSUM_GOOD && dev->offloads & VIRTIO_NET_F_GUEST_CSUM) {
        hdr->flags = HDR_DATA_VALID;
    }
    if (!(entry->flags & FRAME_GSO) || !(hdr->flags & HDR_NEEDS_CSUM))
        return;
    hdr->gso_type = entry->flags & FRAME_GSO_TCP4   ? GSO_TCPV4
                    : entry->flags & FRAME_GSO_TCP6 ? GSO_TCPV6
                                                    : GSO_UDP_L4;
    if (entry->flags & FRAME_GSO_ECN)
        hdr->gso_type |= GSO_ECN;
    hdr->gso_size = entry->gso_size;
    hdr->hdr_len = entry->header_length;
}

static void begin_frame(struct virtio_net *dev, struct virtio_net_pair *pair,
                        const struct net_posted *slot, const struct frame_entry *entry)
{
    struct virtio_net_hdr hdr = {0};
    uint32_t buffers = entry->buffers, second = VIRTIO_NET_HDR - slot->header_bytes;
    if (!buffers || !virtio_has(&dev->virtio, VIRTIO_NET_F_MRG_RXBUF))
        buffers = 1;
    if (buffers > pair->chains_posted)
        buffers = pair->chains_posted;
    show_offloads(dev, entry, &hdr);
    hdr.num_buffers = (uint16_t)buffers;
    memcpy(slot->header[0], &hdr, slot->header_bytes);
    if (second)
        memcpy(slot->header[1], (const uint8_t *)&hdr + slot->header_bytes, second);
    pair->buffers_left = buffers;
    pair->buffers = 0;
    pair->written = VIRTIO_NET_HDR;
}

/* True: the guest sees a frame more. */
static bool take_entry(struct virtio_net *dev, uint32_t i, uint32_t index,
                       const struct frame_entry *entry)
{
    struct virtio_net_pair *pair = &dev->pair[i];
    struct virtqueue *queue = &dev->virtio.queue[rx_queue(i)].ring;
    const struct net_posted *slot = &pair->posted[index];
    if (slot->first && !pair->buffers_left)
        begin_frame(dev, pair, slot, entry);
    uint32_t room = pair->buffers ? slot->room : slot->room - slot->before;
    pair->written += entry->length < room ? entry->length : room;
    if (!slot->last)
        return false;
    virtqueue_put(queue, (uint16_t)pair->buffers++, slot->head, pair->written);
    pair->written = 0;
    pair->chains_posted--;
    if (--pair->buffers_left)
        return false;
    virtqueue_publish(queue, (uint16_t)pair->buffers);
    pair->buffers = 0;
    return true;
}

bool virtio_net_receive(struct virtio_net *dev, uint32_t i)
{
    struct frame_owner *frames = &dev->net->frames;
    struct frame_owner_ring *ring = &frames->receive[i];
    struct frame_entry entry;
    uint32_t index;
    bool some = false;
    for (uint32_t taken = 0; taken < RX_ROUND; taken++) {
        if (frame_owner_take(frames, ring, &entry, &index))
            some |= take_entry(dev, i, index, &entry);
        else if (!frame_owner_arm(ring))
            return some;
    }
    net_yield(dev->net);
    return some;
}

void virtio_net_rx_unpost(struct virtio_net *dev, uint32_t i)
{
    struct virtio_net_pair *pair = &dev->pair[i];
    virtqueue_unpop(&dev->virtio.queue[rx_queue(i)].ring,
                    (uint16_t)(pair->chains_posted + pair->buffers));
    pair->chains_posted = pair->buffers = pair->buffers_left = pair->written = 0;
}
