/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/virtio_rng.h"

/* The device lock is held meanwhile. A driver that asks for more gets less, which it must expect.
 */
#define MAX_BYTES 4096u

static uint32_t fill_chain(struct virtio_rng *rng)
{
    const struct vq_chain *chain = &rng->chain;
    uint32_t done = 0;
    for (uint32_t i = 0; i < chain->in_count && done < MAX_BYTES; i++) {
        const struct vq_buffer *buffer = &chain->buffer[chain->out_count + i];
        uint32_t part = buffer->len < MAX_BYTES - done ? buffer->len : MAX_BYTES - done;
        random_pool_fill(&rng->pool, buffer->data, part);
        done += part;
    }
    rng->bytes += done;
    return done;
}

static void rng_notify(void *dev, unsigned queue)
{
    struct virtio_rng *rng = dev;
    while (virtio_pop(&rng->virtio, queue, &rng->chain))
        virtio_push(&rng->virtio, queue, &rng->chain, fill_chain(rng));
    virtio_interrupt(&rng->virtio, queue);
}

static void rng_reset(void *dev)
{
    (void)dev; /* nothing is kept between requests */
}

void virtio_rng_init(struct virtio_rng *rng, struct pci_bus *bus, unsigned slot,
                     uint8_t interrupt_line)
{
    static const struct virtio_type type = {.name = "virtio-rng",
                                            .id = 4,
                                            .class_code = 0x00ff00,
                                            .queues = 1,
                                            .queue_size = 16,
                                            .queue_notify = rng_notify,
                                            .reset = rng_reset};
    memset(rng, 0, sizeof *rng);
    random_pool_init(&rng->pool);
    virtio_pci_init(&rng->virtio, bus, slot, interrupt_line, &type, rng);
}
