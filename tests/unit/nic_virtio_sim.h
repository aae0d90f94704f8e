/* SPDX-License-Identifier: BSD-2-Clause */
/* A model of a virtio network device: registers of VIRTIO 1.2 on PCI, split queues, merged receive
 * buffers. It ends buffers in any order, as a device may. */
#ifndef TESTS_UNIT_NIC_VIRTIO_SIM_H
#define TESTS_UNIT_NIC_VIRTIO_SIM_H

#include "tests/unit/nic_world.h"
#include "drivers/nic/virtio/virtio.h"

#define SIM_COMMON 0x0000u
#define SIM_NOTIFY 0x1000u
#define SIM_ISR    0x2000u
#define SIM_DEVICE 0x3000u
#define SIM_QUEUES 5u
#define SIM_TURNED 8u /* receive buffers that the device holds, to end them out of order */

struct sim_queue {
    uint32_t size, most, enabled, vector;
    uint64_t desc, driver, device;
    uint16_t seen, used;
    uint16_t held[SIM_TURNED], held_count;
};

static struct {
    uint64_t offered, accepted;
    uint32_t feature_select, driver_select;
    uint8_t status;
    uint32_t queue_select;
    struct sim_queue queue[SIM_QUEUES];
    uint8_t device[17];
    bool gone, deaf, reset_hangs, refuses;
    bool hangs; /* nothing is sent */
    uint32_t resets, notified, pairs;
    uint8_t promisc, allmulti;
    uint8_t table[1024];
    uint32_t table_bytes;
} sim;

static void sim_init(uint64_t features, uint32_t pairs)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
    world_init(&nic_virtio, pairs);
    memset(&sim, 0, sizeof(sim));
    sim.offered = features;
    for (uint32_t i = 0; i < SIM_QUEUES; i++)
        sim.queue[i].most = i == SIM_QUEUES - 1 ? 64 : 256;
    memcpy(sim.device, mac, 6);
    sim.device[NET_STATUS] = NET_LINK_UP;
    sim.device[NET_MAX_PAIRS] = 2;
    sim.device[NET_MTU + 1] = 9000 >> 8;
    sim.device[NET_MTU] = 9000 & 255;
    world.config.virtio = (struct nic_virtio){.common = SIM_COMMON,
                                              .common_size = COMMON_SIZE,
                                              .notify = SIM_NOTIFY,
                                              .notify_size = 0x1000,
                                              .notify_multiplier = 4,
                                              .isr = SIM_ISR,
                                              .device = SIM_DEVICE,
                                              .device_size = sizeof(sim.device)};
}

/* --- queues --- */

static const struct virtq_desc *sim_desc(const struct sim_queue *q, uint32_t i)
{
    if (i >= q->size)
        world_violate("a descriptor beyond the queue");
    return (const struct virtq_desc *)world_memory(q->desc + 16ull * (i % q->size), 16);
}

static uint16_t *sim_word(uint64_t address)
{
    return (uint16_t *)world_memory(address, 2);
}

static uint32_t sim_waiting(const struct sim_queue *q)
{
    return (uint16_t)(*sim_word(q->driver + 2) - q->seen);
}

static uint16_t sim_next(struct sim_queue *q)
{
    return *sim_word(q->driver + 4 + 2ull * (q->seen++ % q->size));
}

static void sim_use(struct sim_queue *q, uint32_t id, uint32_t length)
{
    uint32_t entry[2] = {id, length};
    memcpy(world_memory(q->device + 4 + 8ull * (q->used % q->size), 8), entry, 8);
    *sim_word(q->device + 2) = ++q->used;
    /* Wants to be told of the next one, whatever it was told of. */
    *sim_word(q->device + 4 + 8ull * q->size) = q->seen;
}

static void sim_take_frame(struct sim_queue *q, uint32_t head)
{
    static struct frame f;
    struct virtio_net_hdr h;
    const struct virtq_desc *d = sim_desc(q, head);
    if (!d || d->len != sizeof(h) || !(d->flags & DESC_NEXT)) {
        world_violate("a frame without a header");
        return;
    }
    memcpy(&h, world_memory(d->addr, sizeof(h)), sizeof(h));
    f = (struct frame){.flags = h.flags,
                       .gso_size = h.gso_size,
                       .csum_start = h.csum_start,
                       .csum_offset = h.csum_offset};
    while (d->flags & DESC_NEXT) {
        d = sim_desc(q, d->next);
        const uint8_t *from = d ? world_memory(d->addr, d->len) : NULL;
        if (!from || d->flags & DESC_WRITE || f.length + d->len > FRAME_BYTES_MAX) {
            world_violate("a frame's descriptors");
            return;
        }
        memcpy(f.bytes + f.length, from, d->len);
        f.length += d->len;
    }
    world_sent(f.bytes, f.length);
    world.wire[world.wire_count - 1].flags = (uint16_t)(f.flags | h.gso_type << 8);
    world.wire[world.wire_count - 1].gso_size = f.gso_size;
    world.wire[world.wire_count - 1].csum_start = f.csum_start;
}

static void sim_send_all(struct sim_queue *q)
{
    uint16_t heads[64];
    while (sim_waiting(q) && !sim.hangs && !world.violation) {
        uint32_t n = 0;
        while (sim_waiting(q) && n < 64) {
            heads[n] = sim_next(q);
            sim_take_frame(q, heads[n++]);
        }
        while (n) { /* the last first */
            n--;
            sim_use(q, heads[n], 0);
        }
    }
}

static void sim_command(struct sim_queue *q)
{
    uint16_t head = sim_next(q);
    const struct virtq_desc *d = sim_desc(q, head);
    const uint8_t *c = world_memory(d->addr, d->len);
    const struct virtq_desc *ack = sim_desc(q, d->next);
    uint8_t *answer = world_memory(ack->addr, 1);
    if (!(ack->flags & DESC_WRITE) || !answer) {
        world_violate("a command without an answer");
        return;
    }
    *answer = sim.refuses;
    if (c[0] == 0 && c[1] == 0)
        sim.promisc = c[2];
    else if (c[0] == 0 && c[1] == 1)
        sim.allmulti = c[2];
    else if (c[0] == 1 && c[1] == 0)
        memcpy(sim.table, c + 2, sim.table_bytes = d->len - 2);
    else if (c[0] == 4 && c[1] == 0)
        sim.pairs = c[2];
    else
        *answer = 1;
    sim_use(q, head, 1);
}

static void sim_notify(uint32_t queue)
{
    bool mq = sim.accepted & F_MQ;
    uint32_t control = mq ? 4 : 2;
    sim.notified++;
    if (!(sim.status & STATUS_DRIVER_OK) || queue >= SIM_QUEUES || !sim.queue[queue].enabled)
        world_violate("a bell before the driver is ready");
    else if (queue == control && !sim.deaf)
        sim_command(&sim.queue[queue]);
    else if (queue != control && queue % 2)
        sim_send_all(&sim.queue[queue]);
}

static uint32_t sim_buffer(struct sim_queue *q)
{
    while (q->held_count < SIM_TURNED && sim_waiting(q))
        q->held[q->held_count++] = sim_next(q);
    if (!q->held_count)
        return UINT32_MAX;
    uint32_t k = world_random(q->held_count), id = q->held[k];
    q->held[k] = q->held[--q->held_count];
    return id;
}

/* A frame arrives; false: too few buffers. */
static bool sim_arrive(uint32_t pair, const struct frame *f, struct virtio_net_hdr h)
{
    struct sim_queue *q = &sim.queue[2 * pair];
    bool merge = sim.accepted & F_MRG_RXBUF;
    uint32_t total = f->length + NET_HEADER, done = 0;
    h.num_buffers = (uint16_t)((total + NIC_RX_BUFFER - 1) / NIC_RX_BUFFER);
    if (sim_waiting(q) + q->held_count < h.num_buffers || (!merge && h.num_buffers > 1))
        return false;
    while (done < total) {
        uint32_t id = sim_buffer(q), at = done ? 0 : NET_HEADER;
        const struct virtq_desc *d = sim_desc(q, id);
        uint32_t bytes = total - done < NIC_RX_BUFFER ? total - done : NIC_RX_BUFFER;
        uint8_t *to = d && d->flags == DESC_WRITE ? world_memory(d->addr, d->len) : NULL;
        if (!to || d->len != NIC_RX_BUFFER)
            return false;
        if (!done)
            memcpy(to, &h, NET_HEADER);
        memcpy(to + at, f->bytes + (done ? done - NET_HEADER : 0), bytes - at);
        done += bytes;
        sim_use(q, id, bytes);
    }
    return true;
}

/* --- registers --- */

uint32_t nic_read32(const struct nic *of, uint32_t reg)
{
    (void)of;
    if (sim.gone)
        return UINT32_MAX;
    if (reg == SIM_COMMON + DEVICE_FEATURE)
        return (uint32_t)(sim.offered >> 32 * (sim.feature_select & 1));
    if (reg == SIM_DEVICE + NET_SPEED)
        return 10000;
    world_violate("a 32-bit read");
    return 0;
}

void nic_write32(const struct nic *of, uint32_t reg, uint32_t value)
{
    struct sim_queue *q = &sim.queue[sim.queue_select];
    uint64_t *const address[] = {&q->desc, &q->driver, &q->device};
    (void)of;
    if (reg == SIM_COMMON + DEVICE_FEATURE_SELECT)
        sim.feature_select = value;
    else if (reg == SIM_COMMON + DRIVER_FEATURE_SELECT)
        sim.driver_select = value;
    else if (reg == SIM_COMMON + DRIVER_FEATURE)
        sim.accepted |= (uint64_t)value << 32 * (sim.driver_select & 1);
    else if (reg >= SIM_COMMON + QUEUE_DESC && reg < SIM_COMMON + COMMON_SIZE)
        *address[(reg - QUEUE_DESC) / 8] |= (uint64_t)value << 8 * (reg & 4);
    else
        world_violate("a 32-bit write");
}

uint16_t nic_read16(const struct nic *of, uint32_t reg)
{
    const struct sim_queue *q = &sim.queue[sim.queue_select];
    (void)of;
    if (sim.gone)
        return UINT16_MAX;
    if (reg == SIM_COMMON + QUEUE_SIZE)
        return (uint16_t)q->most;
    if (reg == SIM_COMMON + QUEUE_NOTIFY_OFF)
        return (uint16_t)sim.queue_select;
    if (reg >= SIM_DEVICE && reg + 1 < SIM_DEVICE + sizeof(sim.device))
        return (uint16_t)(sim.device[reg - SIM_DEVICE] | sim.device[reg - SIM_DEVICE + 1] << 8);
    world_violate("a 16-bit read");
    return 0;
}

void nic_write16(const struct nic *of, uint32_t reg, uint16_t value)
{
    struct sim_queue *q = &sim.queue[sim.queue_select];
    (void)of;
    if (reg == SIM_COMMON + QUEUE_SELECT && value < SIM_QUEUES)
        sim.queue_select = value;
    else if (reg == SIM_COMMON + QUEUE_SIZE)
        q->size = value;
    else if (reg == SIM_COMMON + QUEUE_MSIX_VECTOR)
        q->vector = value;
    else if (reg == SIM_COMMON + QUEUE_ENABLE)
        q->enabled = value;
    else if (reg >= SIM_NOTIFY && reg == SIM_NOTIFY + 4u * value)
        sim_notify(value);
    else if (reg != SIM_COMMON + CONFIG_MSIX_VECTOR)
        world_violate("a 16-bit write");
}

uint8_t nic_read8(const struct nic *of, uint32_t reg)
{
    (void)of;
    if (sim.gone)
        return UINT8_MAX;
    if (reg == SIM_COMMON + DEVICE_STATUS)
        return sim.status;
    if (reg == SIM_COMMON + CONFIG_GENERATION)
        return 0;
    if (reg >= SIM_DEVICE && reg < SIM_DEVICE + sizeof(sim.device))
        return sim.device[reg - SIM_DEVICE];
    world_violate("an 8-bit read");
    return 0;
}

void nic_write8(const struct nic *of, uint32_t reg, uint8_t value)
{
    (void)of;
    if (reg != SIM_COMMON + DEVICE_STATUS) {
        world_violate("an 8-bit write");
        return;
    }
    if (value || sim.reset_hangs) {
        sim.status |= value;
        return;
    }
    for (uint32_t i = 0; i < SIM_QUEUES; i++)
        sim.queue[i] = (struct sim_queue){.most = sim.queue[i].most};
    sim.status = 0;
    sim.accepted = 0;
    sim.resets++;
}

#endif
