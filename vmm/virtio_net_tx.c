/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of the guest: from its transmit queues to the channel. */
#include "vmm/virtio_net_queues.h"

#define ETHERNET_HEADER 14u
#define TX_ROUND        256u /* chains at a time */
/* With so much under way the switch is asked to say when it ends. */
#define MANY_CHAINS  64u
#define MANY_ENTRIES 128u
#define MANY_BYTES \
    (512u << 10) /* more than TCP sends ahead without an answer, which brings them back, too */

static unsigned tx_queue(uint32_t i)
{
    return 2 * i + 1;
}

/* --- one frame --- */

static bool gso_of(const struct virtio_net *dev, const struct virtio_net_hdr *hdr,
                   struct frame_entry *first)
{
    static const struct {
        uint64_t feature;
        uint8_t type;
        uint16_t flag;
    } kinds[] = {{VIRTIO_NET_F_HOST_TSO4, GSO_TCPV4, FRAME_GSO_TCP4},
                 {VIRTIO_NET_F_HOST_TSO6, GSO_TCPV6, FRAME_GSO_TCP6},
                 {VIRTIO_NET_F_HOST_USO, GSO_UDP_L4, FRAME_GSO_UDP}};
    uint8_t type = hdr->gso_type & (uint8_t)~GSO_ECN;
    bool ecn = hdr->gso_type & GSO_ECN;
    if (hdr->gso_type == GSO_NONE)
        return true;
    if (!(hdr->flags & HDR_NEEDS_CSUM) || !hdr->gso_size ||
        (ecn && (type == GSO_UDP_L4 || !virtio_has(&dev->virtio, VIRTIO_NET_F_HOST_ECN))))
        return false;
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (type != kinds[i].type || !virtio_has(&dev->virtio, kinds[i].feature))
            continue;
        first->flags |= kinds[i].flag | (ecn ? FRAME_GSO_ECN : 0);
        first->gso_size = hdr->gso_size;
        first->header_length = hdr->hdr_len;
        return true;
    }
    return false;
}

/* What the header says, into the frame's first entry. False: it says what cannot be. */
static bool take_net_header(const struct virtio_net *dev, const struct virtio_net_hdr *hdr,
                            uint64_t length, struct frame_entry *first)
{
    if (hdr->flags & HDR_NEEDS_CSUM) {
        if (!virtio_has(&dev->virtio, VIRTIO_NET_F_CSUM) ||
            (uint32_t)hdr->csum_start + hdr->csum_offset + 2u > length)
            return false;
        first->flags |= FRAME_NEEDS_CSUM;
        first->csum_start = hdr->csum_start;
        first->csum_offset = hdr->csum_offset;
    }
    return gso_of(dev, hdr, first);
}

/* The frame behind the header, as entries. Their number; 0: too many, or too long. */
static uint32_t lay_out_frame(const struct virtio_net *dev, struct frame_entry *entry)
{
    const struct vq_chain *chain = &dev->chain;
    uint32_t n = 0, skip = VIRTIO_NET_HDR;
    for (uint32_t i = 0; i < chain->out_count; i++) {
        const struct vq_buffer *buffer = &chain->buffer[i];
        if (skip >= buffer->len) {
            skip -= buffer->len;
            continue;
        }
        if (n == FRAME_PARTS_MAX)
            return 0;
        entry[n++] = (struct frame_entry){.offset = net_offset(dev->net, buffer->data + skip),
                                          .length = buffer->len - skip,
                                          .flags = FRAME_MORE};
        skip = 0;
    }
    if (n)
        entry[n - 1].flags = 0;
    return n;
}

static bool send_frame(struct virtio_net *dev, uint32_t i)
{
    struct virtio_net_pair *pair = &dev->pair[i];
    struct frame_owner_ring *ring = &dev->net->frames.send[i];
    struct frame_entry entry[FRAME_PARTS_MAX];
    struct virtio_net_hdr hdr;
    uint64_t length = dev->chain.out_len - VIRTIO_NET_HDR;
    vq_chain_read(&dev->chain, 0, &hdr, sizeof hdr);
    if (length < ETHERNET_HEADER || length > FRAME_BYTES_MAX)
        return false;
    uint32_t n = lay_out_frame(dev, entry), at = ring->posted;
    if (!n || !take_net_header(dev, &hdr, length, &entry[0]) || !frame_owner_post(ring, entry, n))
        return false;
    for (uint32_t k = 0; k < n; k++)
        pair->sent[(at + k) % FRAME_ENTRIES] =
            (struct net_sent){.head = dev->chain.head, .last = k == n - 1};
    pair->chains_sent++;
    pair->bytes_sent += (uint32_t)length;
    return true;
}

/* --- the queue --- */

bool virtio_net_send(struct virtio_net *dev, uint32_t i)
{
    struct virtio_net_pair *pair = &dev->pair[i];
    struct frame_owner_ring *ring = &dev->net->frames.send[i];
    uint32_t taken = 0;
    while (taken < TX_ROUND && frame_owner_room(ring) >= FRAME_PARTS_MAX &&
           virtio_pop(&dev->virtio, tx_queue(i), &dev->chain)) {
        taken++;
        if (dev->chain.out_len < VIRTIO_NET_HDR) {
            virtio_fail(&dev->virtio, "a frame to send has no header");
            break;
        }
        if (!send_frame(dev, i)) {
            dev->malformed++;
            virtio_push(&dev->virtio, tx_queue(i), &dev->chain, 0);
            dev->late |= 1u << i;
        }
    }
    frame_owner_ring_bell(&dev->net->frames, ring);
    bool many = pair->chains_sent >= MANY_CHAINS || pair->bytes_sent >= MANY_BYTES ||
                FRAME_ENTRIES - frame_owner_room(ring) >= MANY_ENTRIES;
    return (many && frame_owner_arm(ring)) || taken == TX_ROUND;
}

bool virtio_net_reap(struct virtio_net *dev, uint32_t i)
{
    struct virtio_net_pair *pair = &dev->pair[i];
    struct virtqueue *queue = &dev->virtio.queue[tx_queue(i)].ring;
    struct frame_entry entry;
    uint32_t index;
    uint16_t n = 0;
    while (frame_owner_take(&dev->net->frames, &dev->net->frames.send[i], &entry, &index)) {
        const struct net_sent *sent = &pair->sent[index];
        if (sent->last)
            virtqueue_put(queue, n++, sent->head, 0);
        dev->malformed += entry.flags & FRAME_ERROR ? 1 : 0;
    }
    if (!n)
        return false;
    pair->chains_sent -= n;
    pair->bytes_sent = 0;
    virtqueue_publish(queue, n);
    return true;
}

/* --- epochs --- */

void virtio_net_tx_void(struct virtio_net *dev, uint32_t i)
{
    struct virtio_net_pair *pair = &dev->pair[i];
    const struct frame_owner_ring *ring = &dev->net->frames.send[i];
    if (ring->posted == ring->taken)
        return; /* nothing, or an epoch that never began: what was noted stays */
    pair->void_from = ring->taken;
    pair->void_to = ring->posted;
}

void virtio_net_tx_give_back(struct virtio_net *dev, uint32_t i)
{
    struct virtio_net_pair *pair = &dev->pair[i];
    struct virtqueue *queue = &dev->virtio.queue[tx_queue(i)].ring;
    for (; pair->void_from != pair->void_to; pair->void_from++) {
        const struct net_sent *sent = &pair->sent[pair->void_from % FRAME_ENTRIES];
        if (sent->last)
            virtqueue_push(queue, sent->head, 0);
    }
    pair->chains_sent = pair->bytes_sent = 0;
    virtio_interrupt(&dev->virtio, tx_queue(i));
}
