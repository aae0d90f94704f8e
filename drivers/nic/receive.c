/* SPDX-License-Identifier: BSD-2-Clause */
/* From the wire: chip to channel. */
#include "drivers/nic/nic.h"

#define BATCH 64u

/* The frame under way is given up; its buffers are free again. */
static void drop(struct nic_queue *q)
{
    for (uint32_t i = 0; i < q->rx_parts; i++)
        nic_rx_put(q, q->rx_part[i]);
    q->rx_parts = 0;
    q->rx_bytes = 0;
}

static void send(struct nic_queue *q, const struct nic_rx *last)
{
    struct nic *nic = q->nic;
    struct frame_entry *first = &q->rx_entry[0];
    uint32_t at = q->send->posted;
    first->flags |= last->flags;
    if (!frame_owner_post(q->send, q->rx_entry, q->rx_parts)) {
        drop(q);
        nic_add(nic, NIC_RX_DROPPED, 1);
        return;
    }
    for (uint32_t i = 0; i < q->rx_parts; i++)
        q->send_buffer[(at + i) % FRAME_ENTRIES] = q->rx_part[i];
    nic_add(nic, NIC_RX_FRAMES, 1);
    nic_add(nic, NIC_RX_BYTES, q->rx_bytes);
    q->rx_parts = 0;
    q->rx_bytes = 0;
}

static void take_received(struct nic_queue *q, const struct nic_rx *rx)
{
    bool too_long = q->rx_parts == NIC_RX_PARTS || q->rx_bytes + rx->length > FRAME_BYTES_MAX;
    if (rx->bad || too_long)
        q->rx_dropping = true;
    if (q->rx_dropping || !rx->length) {
        nic_rx_put(q, rx->buffer);
    } else {
        if (q->rx_parts)
            q->rx_entry[q->rx_parts - 1].flags |= FRAME_MORE;
        q->rx_entry[q->rx_parts] =
            (struct frame_entry){.offset = q->pool_offset + nic_rx_at(rx->buffer) + rx->start,
                                 .length = rx->length,
                                 .flags = q->rx_parts ? 0 : rx->flags,
                                 .header_length = rx->header_length,
                                 .gso_size = rx->gso_size,
                                 .csum_start = rx->csum_start,
                                 .csum_offset = rx->csum_offset};
        q->rx_part[q->rx_parts++] = (uint16_t)rx->buffer;
        q->rx_bytes += rx->length;
    }
    if (!rx->last)
        return;
    if (q->rx_dropping || !q->rx_parts) {
        drop(q);
        nic_add(q->nic, NIC_RX_ERRORS, 1);
        q->rx_dropping = false;
    } else {
        send(q, rx);
    }
}

/* Buffers that the switch has copied out of. */
static bool recycle(struct nic_queue *q)
{
    struct frame_entry entry;
    uint32_t index, n = 0;
    while (frame_owner_take(&q->nic->owner, q->send, &entry, &index)) {
        nic_rx_put(q, q->send_buffer[index]);
        n++;
    }
    return n != 0;
}

void nic_refill(struct nic_queue *q)
{
    uint32_t before = q->rx_tail;
    /* One descriptor stays empty: for a chip of Intel's, tail equal to head means no descriptors.
     */
    while (q->rx_tail - q->rx_head < q->rx_size - 1) {
        uint32_t buffer = nic_rx_get(q);
        if (buffer == NIC_NONE)
            break;
        q->nic->chip->fill(q, buffer);
    }
    if (q->rx_tail != before)
        q->nic->chip->fill_bell(q);
}

bool nic_receive(struct nic_queue *q)
{
    struct nic *nic = q->nic;
    struct nic_rx rx;
    uint32_t n = 0;
    bool recycled = recycle(q);
    while (n < BATCH && !nic->trouble) {
        rx = (struct nic_rx){0};
        if (!nic->chip->receive(q, &rx))
            break;
        take_received(q, &rx);
        n++;
    }
    if (n)
        frame_owner_ring_bell(&nic->owner, q->send);
    if (n || recycled)
        nic_refill(q);
    return n != 0;
}
