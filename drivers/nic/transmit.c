/* SPDX-License-Identifier: BSD-2-Clause */
/* To the wire: channel to chip. */
#include "drivers/nic/nic.h"

#define BATCH 64u

void nic_tx_done(struct nic_queue *q, uint32_t buffer)
{
    nic_tx_put(q, buffer);
}

void nic_post(struct nic_queue *q)
{
    uint32_t before = q->receive->posted;
    while (q->tx_free && frame_owner_room(q->receive)) {
        uint32_t buffer = nic_tx_get(q);
        struct frame_entry entry = {.offset = q->pool_offset + nic_tx_at(buffer),
                                    .length = NIC_TX_BUFFER};
        q->receive_buffer[q->receive->posted % FRAME_ENTRIES] = (uint16_t)buffer;
        frame_owner_post(q->receive, &entry, 1);
    }
    if (q->receive->posted != before)
        frame_owner_ring_bell(&q->nic->owner, q->receive);
}

static void give_back(struct nic_queue *q)
{
    for (uint32_t i = 0; i < q->tx.parts; i++)
        nic_tx_put(q, q->tx.buffer[i]);
    q->tx.parts = 0;
    q->tx_wanted = 0;
    q->tx_stalled = false;
}

/* A frame is together: it goes to the chip, or waits for room there, or is dropped. */
static void hand_over(struct nic_queue *q)
{
    struct nic *nic = q->nic;
    if (!nic->wire.up) {
        give_back(q);
        nic_add(nic, NIC_TX_DROPPED, 1);
        return;
    }
    q->tx_stalled = !nic->chip->transmit(q, &q->tx);
    if (q->tx_stalled)
        return;
    nic_add(nic, NIC_TX_FRAMES, 1);
    nic_add(nic, NIC_TX_BYTES, q->tx.length);
    nic_add(nic, NIC_TX_SEGMENTED, q->tx.tso);
    q->tx.parts = 0;
    q->tx_wanted = 0;
}

static void finish(struct nic_queue *q)
{
    if (q->tx_bad || !nic_offload(q, &q->tx, &q->tx_first)) {
        give_back(q);
        nic_add(q->nic, NIC_TX_DROPPED, 1);
        nic_add(q->nic, NIC_LIES, 1);
        return;
    }
    hand_over(q);
}

/* One buffer that the switch has ended. */
static void take_ended(struct nic_queue *q, const struct frame_entry *entry, uint32_t buffer)
{
    if (!q->tx_wanted) {
        if (!entry->length) { /* it gives an empty one back */
            nic_tx_put(q, buffer);
            return;
        }
        q->tx = (struct nic_tx){0};
        q->tx_first = *entry;
        q->tx_wanted = entry->buffers ? entry->buffers : 1;
        q->tx_bad = q->tx_wanted > NIC_TX_PARTS;
        if (q->tx_bad)
            q->tx_wanted = 1;
    }
    q->tx_bad |= !entry->length || entry->length > NIC_TX_BUFFER;
    q->tx.buffer[q->tx.parts] = buffer;
    q->tx.bytes[q->tx.parts++] = entry->length;
    q->tx.length += entry->length;
    if (q->tx.parts == q->tx_wanted)
        finish(q);
}

bool nic_transmit(struct nic_queue *q)
{
    struct nic *nic = q->nic;
    struct frame_entry entry;
    uint32_t index, n = 0;
    nic->chip->reap(q);
    if (q->tx_stalled)
        hand_over(q);
    while (n < BATCH && !q->tx_stalled &&
           frame_owner_take(&nic->owner, q->receive, &entry, &index)) {
        take_ended(q, &entry, q->receive_buffer[index]);
        n++;
    }
    if (q->tx_tail != q->tx_shown) {
        nic->chip->transmit_bell(q);
        nic->chip->reap(q); /* emulated chips have sent it by now */
    }
    nic_post(q);
    return n != 0;
}
