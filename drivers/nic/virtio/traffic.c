/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames through a pair of virtqueues. The device may end them in any order; what it names is
 * looked up in what it was given. */
#include "drivers/nic/virtio/virtio.h"

#include <string.h>
#include "user/frame.h"

static void lie(struct nic_queue *q, const char *what)
{
    nic_add(q->nic, NIC_LIES, 1);
    nic_distrust(q->nic, what);
}

void virtio_clear(struct nic_queue *q)
{
    struct nic_virtio_queue *v = q->virtio;
    memset(v, 0, sizeof(*v));
    memset(virtio_memory(q), 0, sizeof(struct virtio_memory));
    for (uint32_t i = 0; i < NIC_RING; i++)
        q->rx_buffer[i] = q->tx_buffer[i] = NIC_NONE;
}

void virtio_fill(struct nic_queue *q, uint32_t buffer)
{
    struct nic_virtio_queue *v = q->virtio;
    struct virtq_memory *at = &virtio_memory(q)->rx;
    uint16_t id = v->free[--v->free_count];
    q->rx_buffer[id] = (uint16_t)buffer;
    at->desc[id] = (struct virtq_desc){
        .addr = q->pool_base + nic_rx_at(buffer), .len = NIC_RX_BUFFER, .flags = DESC_WRITE};
    at->avail[v->rx_avail++ % v->rx_size] = id;
    q->rx_tail++;
}

void virtio_fill_bell(struct nic_queue *q)
{
    struct nic_virtio_queue *v = q->virtio;
    const struct virtq rx = virtio_rx(q);
    virtio_show(q->nic, &rx, v->rx_avail - (q->rx_tail - q->rx_shown), v->rx_avail);
    q->rx_shown = q->rx_tail;
}

/* The header's words as the channel has them. */
static void take_header(struct nic_rx *rx, const struct virtio_net_hdr *h)
{
    if (h->flags & HDR_NEEDS_CSUM) {
        rx->flags |= FRAME_NEEDS_CSUM;
        rx->csum_start = h->csum_start;
        rx->csum_offset = h->csum_offset;
    }
    if (h->flags & (HDR_DATA_VALID | HDR_NEEDS_CSUM))
        rx->flags |= FRAME_CSUM_GOOD;
    switch (h->gso_type & ~GSO_ECN) {
    case GSO_TCP4:
        rx->flags |= FRAME_GSO_TCP4;
        break;
    case GSO_TCP6:
        rx->flags |= FRAME_GSO_TCP6;
        break;
    default:
        return;
    }
    if (h->gso_type & GSO_ECN)
        rx->flags |= FRAME_GSO_ECN;
    rx->gso_size = h->gso_size;
    rx->header_length = h->hdr_len;
}

/* The first buffer of a frame: its header says how many there are. */
static bool begin_frame(struct nic_queue *q, struct nic_rx *rx)
{
    struct nic_virtio_queue *v = q->virtio;
    struct virtio_net_hdr h;
    if (rx->length < NET_HEADER) {
        lie(q, "it has received a frame without a header");
        return false;
    }
    memcpy(&h, q->pool + nic_rx_at(rx->buffer), sizeof(h));
    v->left = virtio_has(q->nic, F_MRG_RXBUF) ? h.num_buffers : 1;
    if (!v->left || v->left > NIC_RING) {
        lie(q, "it has received a frame of impossibly many buffers");
        return false;
    }
    rx->start = NET_HEADER;
    rx->length -= NET_HEADER;
    take_header(rx, &h);
    return true;
}

bool virtio_receive(struct nic_queue *q, struct nic_rx *rx)
{
    struct nic_virtio_queue *v = q->virtio;
    volatile struct virtq_memory *at = &virtio_memory(q)->rx;
    uint16_t waiting = (uint16_t)(virtio_used_idx(&virtio_memory(q)->rx) - v->rx_seen);
    if (!waiting)
        return false;
    uint32_t id = at->used[v->rx_seen % v->rx_size].id;
    uint32_t length = at->used[v->rx_seen % v->rx_size].len;
    if (waiting > v->rx_size || id >= v->rx_size || q->rx_buffer[id] == NIC_NONE) {
        lie(q, "it has used a buffer that it was not given");
        return false;
    }
    if (length > NIC_RX_BUFFER) {
        lie(q, "it has received more than a buffer holds");
        return false;
    }
    rx->buffer = q->rx_buffer[id];
    rx->length = length;
    if (!v->left && !begin_frame(q, rx))
        return false;
    v->rx_seen++;
    v->left--;
    q->rx_buffer[id] = NIC_NONE;
    v->free[v->free_count++] = (uint16_t)id;
    q->rx_head++;
    rx->last = v->left == 0;
    return true;
}

static struct virtio_net_hdr header_of(const struct nic_tx *tx)
{
    struct virtio_net_hdr h = {0};
    if (tx->csum) {
        h.flags = HDR_NEEDS_CSUM;
        h.csum_start = tx->csum_start;
        h.csum_offset = tx->csum_offset;
    }
    if (!tx->tso)
        return h;
    h.gso_type = tx->udp ? GSO_UDP_L4 : tx->ipv6 ? GSO_TCP6 : GSO_TCP4;
    if (tx->flags & FRAME_GSO_ECN)
        h.gso_type |= GSO_ECN;
    h.gso_size = tx->mss;
    h.hdr_len = tx->header_length;
    return h;
}

bool virtio_transmit(struct nic_queue *q, const struct nic_tx *tx)
{
    struct nic_virtio_queue *v = q->virtio;
    struct virtio_memory *m = virtio_memory(q);
    uint32_t head = q->tx_tail % v->tx_size;
    if (v->tx_size - (q->tx_tail - q->tx_head) < tx->parts + 1)
        return false;
    m->header[head] = header_of(tx);
    m->tx.desc[head] = (struct virtq_desc){.addr = virtio_address(q, &m->header[head]),
                                           .len = NET_HEADER,
                                           .flags = DESC_NEXT,
                                           .next = (uint16_t)((head + 1) % v->tx_size)};
    q->tx_buffer[head] = NIC_NONE;
    for (uint32_t i = 0; i < tx->parts; i++) {
        uint32_t at = (head + 1 + i) % v->tx_size;
        bool last = i + 1 == tx->parts;
        m->tx.desc[at] = (struct virtq_desc){.addr = q->pool_base + nic_tx_at(tx->buffer[i]),
                                             .len = tx->bytes[i],
                                             .flags = last ? 0 : DESC_NEXT,
                                             .next = (uint16_t)((at + 1) % v->tx_size)};
        q->tx_buffer[at] = (uint16_t)tx->buffer[i];
        v->parts[at] = 0;
    }
    v->parts[head] = (uint16_t)(tx->parts + 1);
    v->done[head / 64] &= ~(1ull << head % 64);
    m->tx.avail[v->tx_avail++ % v->tx_size] = (uint16_t)head;
    q->tx_tail += tx->parts + 1;
    return true;
}

void virtio_transmit_bell(struct nic_queue *q)
{
    struct nic_virtio_queue *v = q->virtio;
    const struct virtq tx = virtio_tx(q);
    virtio_show(q->nic, &tx, v->tx_told, v->tx_avail);
    v->tx_told = v->tx_avail;
    q->tx_shown = q->tx_tail;
}

/* Frees from the oldest on, as far as all are sent. */
static void free_sent(struct nic_queue *q)
{
    struct nic_virtio_queue *v = q->virtio;
    while (q->tx_head != q->tx_shown) {
        uint32_t head = q->tx_head % v->tx_size;
        if (!(v->done[head / 64] >> head % 64 & 1))
            return;
        uint32_t parts = v->parts[head];
        v->parts[head] = 0;
        for (uint32_t i = 1; i < parts; i++)
            nic_tx_done(q, q->tx_buffer[(head + i) % v->tx_size]);
        q->tx_head += parts;
    }
}

void virtio_reap(struct nic_queue *q)
{
    struct nic_virtio_queue *v = q->virtio;
    volatile struct virtq_memory *at = &virtio_memory(q)->tx;
    uint16_t waiting = (uint16_t)(virtio_used_idx(&virtio_memory(q)->tx) - v->tx_seen);
    if (!waiting)
        return;
    if (waiting > v->tx_size) {
        lie(q, "it has sent more frames than it was given");
        return;
    }
    for (; waiting; waiting--) {
        uint32_t id = at->used[v->tx_seen % v->tx_size].id;
        if (id >= v->tx_size || !v->parts[id] || v->done[id / 64] >> id % 64 & 1) {
            lie(q, "it has sent a frame that it was not given");
            return;
        }
        v->tx_seen++;
        v->done[id / 64] |= 1ull << id % 64;
    }
    free_sent(q);
}
