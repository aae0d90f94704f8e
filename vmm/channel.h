/* SPDX-License-Identifier: BSD-2-Clause */
/* A byte stream to the console program, as the 16550 and the virtio console see it: two rings, or a
 * test's arrays. */
#ifndef VMM_CHANNEL_H
#define VMM_CHANNEL_H

#include <stddef.h>
#include "user/ring.h"

struct byte_channel {
    void *ctx;
    /* Bytes taken (0..len). When fewer than len: the event "room" comes later. */
    size_t (*write)(void *ctx, const void *data, size_t len);
    /* Bytes given (0..len). When fewer than len: the event "input" comes later. */
    size_t (*read)(void *ctx, void *data, size_t len);
};

/* A channel over a pair of rings. */
struct ring_channel {
    struct byte_channel channel;
    struct ring out, in;
};

/* pages: VMM_RING_BYTES as laid out in vmm/config.h. out_bits are signalled to notif when output
 * arrives, in_bits when room for input appears. */
void ring_channel_init(struct ring_channel *rings, void *pages, uint32_t notif, uint64_t out_bits,
                       uint64_t in_bits);

#endif
