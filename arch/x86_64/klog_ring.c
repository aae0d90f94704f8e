/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/klog_ring.h"

#include "lib/string.h"

void klog_ring_write(struct klog_ring *ring, const char *text, size_t length)
{
    if (length > ring->size) {
        ring->head += length - ring->size;
        text += length - ring->size;
        length = ring->size;
    }
    while (length) {
        uint64_t at = ring->head % ring->size;
        size_t part = MIN(length, ring->size - at);
        memcpy(ring->buffer + at, text, part);
        ring->head += part;
        text += part;
        length -= part;
    }
}

uint64_t klog_ring_oldest(const struct klog_ring *ring)
{
    return ring->head > ring->size ? ring->head - ring->size : 0;
}

size_t klog_ring_read(const struct klog_ring *ring, uint64_t *position, char *buffer, size_t size)
{
    uint64_t from = MIN(MAX(*position, klog_ring_oldest(ring)), ring->head);
    size_t total = MIN(size, ring->head - from);
    size_t done = 0;

    while (done < total) {
        uint64_t at = from % ring->size;
        size_t part = MIN(total - done, ring->size - at);
        memcpy(buffer + done, ring->buffer + at, part);
        done += part;
        from += part;
    }
    *position = from;
    return total;
}
