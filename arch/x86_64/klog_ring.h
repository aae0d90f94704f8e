/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of text with absolute positions: byte n lies at buffer[n % size]. No lock of its own. */
#ifndef ARCH_KLOG_RING_H
#define ARCH_KLOG_RING_H

#include "lib/types.h"

struct klog_ring {
    char *buffer;
    uint64_t size; /* bytes; 0: keeps nothing */
    uint64_t head; /* bytes ever written */
};

void klog_ring_write(struct klog_ring *ring, const char *text, size_t length);
/* Oldest byte still there. */
uint64_t klog_ring_oldest(const struct klog_ring *ring);
/* Copies from *position, first moved into [oldest, head]; returns bytes and moves it on. */
size_t klog_ring_read(const struct klog_ring *ring, uint64_t *position, char *buffer, size_t size);

#endif
