/* SPDX-License-Identifier: BSD-2-Clause */
/* Split virtqueues from the driver's side. */
#include "drivers/nic/virtio/virtio.h"

#define SIZE_MIN     2u
#define NO_INTERRUPT 1u /* avail_flags */
#define NO_NOTIFY    1u /* used_flags */

static void write64(const struct nic *nic, uint32_t reg, uint64_t value)
{
    nic_write32(nic, reg, (uint32_t)value);
    nic_write32(nic, reg + 4, (uint32_t)(value >> 32));
}

uint32_t virtio_set_queue(struct nic *nic, uint32_t index, const struct virtq_memory *at,
                          uint32_t most, uint32_t vector, uint32_t *bell)
{
    const struct nic_virtio *v = &nic->config->virtio;
    const struct nic_queue *q = &nic->queue[0];
    uint64_t address = q->rings_base + (uint64_t)((const uint8_t *)at - q->rings);
    nic_write16(nic, v->common + QUEUE_SELECT, (uint16_t)index);
    uint32_t size = nic_read16(nic, v->common + QUEUE_SIZE);
    uint32_t off = nic_read16(nic, v->common + QUEUE_NOTIFY_OFF);
    if (size < SIZE_MIN || size & (size - 1))
        return 0;
    if (size > most)
        size = most;
    if ((uint64_t)off * v->notify_multiplier + 2 > v->notify_size)
        return 0;
    *bell = v->notify + off * v->notify_multiplier;
    nic_write16(nic, v->common + QUEUE_SIZE, (uint16_t)size);
    nic_write16(nic, v->common + QUEUE_MSIX_VECTOR, (uint16_t)vector);
    write64(nic, v->common + QUEUE_DESC, address);
    write64(nic, v->common + QUEUE_DRIVER,
            address + __builtin_offsetof(struct virtq_memory, avail_flags));
    write64(nic, v->common + QUEUE_DEVICE,
            address + __builtin_offsetof(struct virtq_memory, used_flags));
    nic_write16(nic, v->common + QUEUE_ENABLE, 1);
    return size;
}

void virtio_show(const struct nic *nic, const struct virtq *q, uint32_t shown, uint32_t idx)
{
    bool wanted;
    __atomic_store_n(&q->at->avail_idx, (uint16_t)idx, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (virtio_has(nic, F_EVENT_IDX)) {
        uint16_t event = (uint16_t) * (volatile uint32_t *)&q->at->used[q->size].id;
        wanted = (uint16_t)(idx - event - 1) < (uint16_t)(idx - shown);
    } else {
        wanted = !(*(volatile uint16_t *)&q->at->used_flags & NO_NOTIFY);
    }
    if (wanted)
        nic_write16(nic, q->bell, (uint16_t)q->index);
}

bool virtio_want(const struct nic *nic, const struct virtq *q, uint16_t seen, bool on)
{
    if (virtio_has(nic, F_EVENT_IDX)) {
        if (!on)
            return false; /* an event that lies behind does not come again */
        *(volatile uint16_t *)&q->at->avail[q->size] = seen;
    } else {
        *(volatile uint16_t *)&q->at->avail_flags = (uint16_t)(on ? 0 : NO_INTERRUPT);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return on && virtio_used_idx(q->at) != seen;
}
