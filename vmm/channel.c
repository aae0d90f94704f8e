/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/channel.h"
#include "vmm/config.h"

static size_t rings_write(void *ctx, const void *data, size_t len)
{
    struct ring_channel *rings = ctx;
    size_t done = ring_write(&rings->out, data, len);
    /* Armed, then tried again: room that appeared in between would not be signalled. */
    if (done < len && ring_producer_arm(&rings->out) > 0)
        done += ring_write(&rings->out, (const uint8_t *)data + done, len - done);
    return done;
}

static size_t rings_read(void *ctx, void *data, size_t len)
{
    struct ring_channel *rings = ctx;
    size_t done = ring_read(&rings->in, data, len);
    if (done < len && ring_consumer_arm(&rings->in) > 0)
        done += ring_read(&rings->in, (uint8_t *)data + done, len - done);
    return done;
}

void ring_channel_init(struct ring_channel *rings, void *pages, uint32_t notif, uint64_t out_bits,
                       uint64_t in_bits)
{
    rings->channel = (struct byte_channel){rings, rings_write, rings_read};
    ring_init(&rings->out, pages, VMM_RING_DATA, notif, out_bits);
    ring_init(&rings->in, (uint8_t *)pages + VMM_RING_BYTES / 2, VMM_RING_DATA, notif, in_bits);
}
