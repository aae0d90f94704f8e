/* SPDX-License-Identifier: BSD-2-Clause */
/* The ring of empty buffers, whatever the descriptors look like. */
#include "drivers/nic/intel/intel.h"
#include "user/frame.h"

void intel_fill(struct nic_queue *q, uint32_t buffer)
{
    volatile struct intel_descriptor *d = &intel_rx_ring(q)[q->rx_tail % NIC_RING];
    q->rx_buffer[q->rx_tail % NIC_RING] = (uint16_t)buffer;
    d->low = q->pool_base + nic_rx_at(buffer);
    d->high = 0;
    q->rx_tail++;
}

void intel_fill_bell(struct nic_queue *q)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    nic_write32(q->nic, intel_rx_register(q, RING_TAIL), q->rx_tail % NIC_RING);
    q->rx_shown = q->rx_tail;
}

/* What the chip says of the buffer at the ring's head, bounded; false: the chip is reset for it. */
static bool take(struct nic_queue *q, struct nic_rx *rx, uint32_t length)
{
    uint32_t at = q->rx_head % NIC_RING;
    if (length > NIC_RX_BUFFER) {
        nic_add(q->nic, NIC_LIES, 1);
        nic_distrust(q->nic, "it has received more than a buffer holds");
        return false;
    }
    rx->buffer = q->rx_buffer[at];
    rx->length = length;
    q->rx_buffer[at] = NIC_NONE;
    q->rx_head++;
    return true;
}

bool intel_receive(struct nic_queue *q, struct nic_rx *rx)
{
    const struct intel_written *written = &q->nic->intel->written;
    if (q->rx_head == q->rx_shown)
        return false;
    uint64_t high = intel_rx_ring(q)[q->rx_head % NIC_RING].high;
    if (!(high & written->done))
        return false;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (!take(q, rx, (high >> written->length_shift) & 0xffffu))
        return false;
    rx->last = (high & written->end) != 0;
    rx->bad = rx->last && high & written->damaged;
    if (rx->last && high & written->checked && !(high & (written->unchecked | written->wrong)))
        rx->flags = FRAME_CSUM_GOOD;
    return true;
}
