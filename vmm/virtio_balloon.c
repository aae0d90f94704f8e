/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/virtio_balloon.h"

#define F_STATS_VQ       (1ull << 1)
#define F_DEFLATE_ON_OOM (1ull << 2)

#define CONFIG_NUM_PAGES    0u
#define CONFIG_ACTUAL       4u
#define BALLOON_CONFIG_SIZE 8u

#define QUEUE_INFLATE 0u
#define QUEUE_DEFLATE 1u
#define QUEUE_STATS   2u

#define PAGE_SHIFT 12u
#define MAX_REQUEST \
    (1u << 20)     /* bytes; overlapping buffers could otherwise keep us busy for hours */
#define BATCH 256u /* page numbers looked at at a time */

/* --- pages --- */

static void pass_on(struct virtio_balloon *balloon, unsigned queue, uint64_t page, uint64_t count)
{
    struct machine *machine = balloon->virtio.machine;
    const struct host_ops *host = machine->host;
    if (count == 0)
        return;
    if (queue == QUEUE_INFLATE) {
        balloon->inflated += count;
        host->pages_release(machine->host_ctx, page << PAGE_SHIFT, count);
    } else {
        balloon->deflated += count;
        host->pages_reclaim(machine->host_ctx, page << PAGE_SHIFT, count);
    }
}

/* Runs of neighbouring pages become one call. A page that is not RAM is counted and left alone. */
static void pages(struct virtio_balloon *balloon, unsigned queue)
{
    uint32_t numbers[BATCH];
    uint64_t start = 0, count = 0;
    for (uint64_t at = 0; at < balloon->chain.out_len; at += sizeof numbers) {
        size_t bytes = vq_chain_read(&balloon->chain, at, numbers, sizeof numbers);
        for (size_t i = 0; i < bytes / sizeof numbers[0]; i++) {
            uint64_t page = numbers[i];
            if (!guest_ptr(balloon->virtio.machine, page << PAGE_SHIFT, 1u << PAGE_SHIFT)) {
                balloon->bad_pages++;
                continue;
            }
            if (page != start + count || count == 0) {
                pass_on(balloon, queue, start, count);
                start = page;
                count = 0;
            }
            count++;
        }
    }
    pass_on(balloon, queue, start, count);
}

/* --- statistics --- */

/* Packed pairs of a 16-bit tag and a 64-bit value. */
static void read_stats(struct virtio_balloon *balloon)
{
    uint8_t pair[10];
    for (uint64_t at = 0;
         at + sizeof pair <= balloon->stats_chain.out_len && at < BALLOON_STATS * sizeof pair;
         at += sizeof pair) {
        uint16_t tag;
        uint64_t value;
        vq_chain_read(&balloon->stats_chain, at, pair, sizeof pair);
        memcpy(&tag, pair, sizeof tag);
        memcpy(&value, pair + 2, sizeof value);
        if (tag < BALLOON_STATS)
            balloon->stat[tag] = value;
    }
}

static void take_stats(struct virtio_balloon *balloon)
{
    if (balloon->stats_held)
        return; /* the driver must not offer a second buffer */
    if (!virtio_pop(&balloon->virtio, QUEUE_STATS, &balloon->stats_chain))
        return;
    balloon->stats_held = true;
    read_stats(balloon);
}

void virtio_balloon_refresh(struct virtio_balloon *balloon)
{
    if (!balloon->stats_held)
        return;
    balloon->stats_held = false;
    virtio_push(&balloon->virtio, QUEUE_STATS, &balloon->stats_chain, 0);
    virtio_interrupt(&balloon->virtio, QUEUE_STATS);
}

static void balloon_notify(void *dev, unsigned queue)
{
    struct virtio_balloon *balloon = dev;
    if (queue == QUEUE_STATS) {
        take_stats(balloon);
        return;
    }
    while (virtio_pop(&balloon->virtio, queue, &balloon->chain)) {
        if (balloon->chain.out_len > MAX_REQUEST) {
            virtio_fail(&balloon->virtio, "a balloon request is too long");
            break;
        }
        pages(balloon, queue);
        virtio_push(&balloon->virtio, queue, &balloon->chain, 0);
    }
    virtio_interrupt(&balloon->virtio, queue);
}

/* --- configuration --- */

static uint64_t ram_pages(const struct machine *machine)
{
    return (machine->ram_low + machine->ram_high) >> PAGE_SHIFT;
}

uint64_t virtio_balloon_pages(const struct virtio_balloon *balloon)
{
    uint64_t actual = virtio_get_config(&balloon->virtio, CONFIG_ACTUAL, 4);
    uint64_t limit = ram_pages(balloon->virtio.machine);
    return actual < limit ? actual : limit;
}

void virtio_balloon_target(struct virtio_balloon *balloon, uint32_t target)
{
    virtio_set_config(&balloon->virtio, CONFIG_NUM_PAGES, 4, target);
}

static void balloon_reset(void *dev)
{
    struct virtio_balloon *balloon = dev;
    balloon->stats_held = false;
    for (unsigned i = 0; i < BALLOON_STATS; i++)
        balloon->stat[i] = UINT64_MAX;
}

void virtio_balloon_init(struct virtio_balloon *balloon, struct pci_bus *bus, unsigned slot,
                         uint8_t interrupt_line)
{
    static const struct virtio_type type = {.name = "virtio-balloon",
                                            .id = 5,
                                            .class_code = 0x00ff00,
                                            .queues = 3,
                                            .queue_size = 64,
                                            .features = F_STATS_VQ | F_DEFLATE_ON_OOM,
                                            .config_size = BALLOON_CONFIG_SIZE,
                                            .queue_notify = balloon_notify,
                                            .reset = balloon_reset};
    memset(balloon, 0, sizeof *balloon);
    virtio_pci_init(&balloon->virtio, bus, slot, interrupt_line, &type, balloon);
    memset(balloon->virtio.config_writable + CONFIG_ACTUAL, 0xff, 4);
}
