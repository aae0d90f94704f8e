/* SPDX-License-Identifier: BSD-2-Clause */
/* A byte ring for tests of the devices: fixed arrays behind a struct byte_channel. */
#ifndef TESTS_UNIT_VMM_RING_H
#define TESTS_UNIT_VMM_RING_H

#include <string.h>
#include "vmm/channel.h"

static struct {
    char out[4096];
    size_t out_len, room;
    const char *in;
    size_t in_len;
} fake_ring;

static size_t fake_ring_write(void *ctx, const void *data, size_t len)
{
    (void)ctx;
    size_t n = len < fake_ring.room ? len : fake_ring.room;
    for (size_t i = 0; i < n; i++)
        fake_ring.out[(fake_ring.out_len + i) % sizeof fake_ring.out] = ((const char *)data)[i];
    fake_ring.out_len += n;
    fake_ring.room -= n;
    return n;
}

static size_t fake_ring_read(void *ctx, void *data, size_t len)
{
    (void)ctx;
    size_t n = len < fake_ring.in_len ? len : fake_ring.in_len;
    if (n == 0)
        return 0;
    memcpy(data, fake_ring.in, n);
    fake_ring.in += n;
    fake_ring.in_len -= n;
    return n;
}

static struct byte_channel fake_channel = {NULL, fake_ring_write, fake_ring_read};

static inline void fake_ring_start(void)
{
    memset(&fake_ring, 0, sizeof fake_ring);
    fake_ring.room = sizeof fake_ring.out;
}

static inline void fake_type(const char *text)
{
    fake_ring.in = text;
    fake_ring.in_len = strlen(text);
}

#endif
