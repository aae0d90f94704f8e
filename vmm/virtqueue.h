/* SPDX-License-Identifier: BSD-2-Clause */
/* Split virtqueue, device side (virtio 1.2, "Split Virtqueues"), with indirect descriptors and
 * event index.
 *
 * The rings lie in memory that the guest can change while we look. So each field is read exactly
 * once into a local, checked there, and only the local is used. What the guest got wrong breaks the
 * queue: it yields no more chains until the device is reset. */
#ifndef VMM_VIRTQUEUE_H
#define VMM_VIRTQUEUE_H

#include "vmm/device.h"

#define VIRTQUEUE_MAX 256u /* greatest queue size offered by any device */
#define VQ_CHAIN_MAX  128u /* buffers of one chain; longer ones break the queue */

struct vq_buffer {
    uint8_t *data; /* in the VMM's mapping of guest RAM */
    uint32_t len;
};

struct vq_chain {
    uint16_t head;
    uint32_t out_count, in_count; /* buffer[0..out_count) to read, then in_count to write */
    uint64_t out_len, in_len;
    struct vq_buffer buffer[VQ_CHAIN_MAX];
};

struct virtqueue {
    struct machine *machine;
    uint16_t size; /* power of two */
    bool enabled, event_idx;
    const char *broken; /* reason; NULL: sound */
    /* Ring addresses in the VMM; valid while enabled. */
    const uint8_t *desc;
    uint8_t *avail, *used;
    uint16_t next_avail; /* next entry of the available ring to take */
    uint16_t next_used;  /* next entry of the used ring to fill */
    uint16_t signalled;  /* next_used when the driver was last considered for an interrupt */
    uint64_t chains, interrupts_suppressed;
};

/* NULL: enabled; else what is wrong with size or addresses. */
const char *virtqueue_enable(struct virtqueue *queue, struct machine *machine, uint16_t size,
                             uint64_t desc, uint64_t avail, uint64_t used, bool event_idx);
void virtqueue_disable(struct virtqueue *queue);

/* Takes the next available chain. false: there is none (the driver will notify when there is one),
 * or the queue is broken. */
bool virtqueue_pop(struct virtqueue *queue, struct vq_chain *chain);
/* The same, but does not ask for a notification when there is none: for queues that are looked at
 * often enough for another reason. With event index only; without, drivers always notify. */
bool virtqueue_pop_quiet(struct virtqueue *queue, struct vq_chain *chain);
/* The last n chains that were popped, and not pushed, are available again. */
void virtqueue_unpop(struct virtqueue *queue, uint16_t n);
/* Gives a chain back with written bytes in its in-buffers. */
void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written);
/* The same in two steps, for chains that the driver must see together: puts the chain that will be
 * number `ahead` of those that virtqueue_publish() shows. */
void virtqueue_put(struct virtqueue *queue, uint16_t ahead, uint16_t head, uint32_t written);
void virtqueue_publish(struct virtqueue *queue, uint16_t n);
/* After a batch of pushes: does the driver want an interrupt? */
bool virtqueue_wants_interrupt(struct virtqueue *queue);

/* Copies between a chain and a flat buffer; returns bytes copied. offset counts from the first byte
 * of the out (in) buffers. */
size_t vq_chain_read(const struct vq_chain *chain, uint64_t offset, void *data, size_t len);
size_t vq_chain_write(const struct vq_chain *chain, uint64_t offset, const void *data, size_t len);

#endif
