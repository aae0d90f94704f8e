/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile driver of a network card, virtio's or the e1000, and behind the card a hostile switch.
 * Four bytes of header (card, features), then records of eight bytes: place (2), what (1), more
 * (1), value (4). A switch is free to write what it likes into its channel; but as the real one it
 * looks at posted entries, which must lie in the area. */
#include "tests/fuzz/virtio_script.h"
#include "tests/unit/frame_sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CARD   MACHINE_SLOT_NET
#define PAIRS  2u
#define QUEUES (2 * PAIRS + 1)

static bool e1000;
static uint32_t registers;

/* Every entry that the card has posted must be guest memory, or its bounce memory. */
static void check_posted(const struct frame_owner_ring *own)
{
    for (uint32_t i = own->taken; i != own->posted; i++) {
        const struct frame_entry *entry = &own->ring->entry[i % FRAME_ENTRIES];
        uint64_t end = entry->offset + entry->length;
        if (end > FAKE_RAM + VMM_NET_BOUNCE || end < entry->offset ||
            (entry->offset < FAKE_RAM && end > FAKE_RAM))
            abort();
    }
}

static void set_up(const uint8_t *data)
{
    e1000 = data[0] & 1u;
    sim_setup(e1000 ? VMM_NET_E1000 : VMM_NET_VIRTIO, e1000 ? 1 : PAIRS);
    if (data[0] & 2u)
        config.net[0].without = data[1];
    machine_start();
}

/* True while nobody has written over what was posted: the switch has its own mind from then on. */
static bool honest;

static void hostile_switch(const uint8_t *s, unsigned place, uint32_t value)
{
    struct frame_channel *channel = sim.channel;
    unsigned pair = e1000 ? 0 : s[3] % PAIRS;
    struct frame_pair *rings = &channel->pair[pair];
    struct frame_entry how = {.flags = (uint16_t)value, .gso_size = (uint16_t)place};
    switch (s[3] >> 4 & 7u) {
    case 0:
        if (honest && sim_take(pair))
            sim_end(pair);
        break;
    case 1:
        if (honest && channel->switch_epoch == channel->epoch)
            sim_deliver(pair, fake_ram, 14 + place % 9000, how);
        break;
    case 2:
        honest = false;
        rings->receive.ended += value % 17;
        break;
    case 3:
        honest = false;
        rings->send.ended += value % 17;
        break;
    case 4:
        honest = false;
        memcpy((uint8_t *)&rings->receive.entry[place % FRAME_ENTRIES] + (place >> 9) % 28, &value,
               4);
        break;
    case 5:
        memcpy((uint8_t *)&channel->switch_epoch + 4 * (place % 4), &value, 4);
        channel->generation++;
        break;
    case 6:
        channel->switch_epoch = channel->epoch;
        channel->generation++;
        break;
    default:
        honest |= the_devices.nets.net[0].net.restarting; /* the rings are new */
        sim_follow();
        break;
    }
    machine_net_event(&vm);
}

/* A frame, a buffer, or a command: three descriptors whose addresses may be anything. */
static void request(struct driver *d, unsigned queue, uint32_t value)
{
    uint32_t table = QUEUE_AT(queue), flags = queue % 2 || queue == QUEUES - 1 ? 1 : 3;
    set_desc(table, 0, DATA_AT + (value & 0xfffu), value >> 12 & 31u, flags, 1);
    set_desc(table, 1, DATA_AT + 0x4000, value >> 16, flags, 2);
    set_desc(table, 2, DATA_AT + 0x20000, 100, queue == QUEUES - 1 ? 2 : flags & 2u, 0);
    offer(d, queue, 0);
    kick(d, queue);
}

static void virtio_step(struct driver *d, struct record r)
{
    unsigned queue = r.byte[3] % QUEUES, what = r.byte[2] & 7u;
    switch (what) {
    case 0:
    case 1:
    case 2:
    case 3:
        hostile_queue(d, queue, what, r, r.byte[3] >> 4, 150);
        break;
    case 4:
        memcpy(fake_ram + DATA_AT + r.place, &r.value, 4);
        break;
    case 5:
        hostile_registers(d, r);
        break;
    default:
        request(d, queue, r.value);
        break;
    }
}

static void e1000_step(const uint8_t *s, unsigned place, uint32_t value)
{
    static const uint32_t often[] = {E1000_TDT,   E1000_RDT,   E1000_TDH,   E1000_RDH,
                                     E1000_RCTL,  E1000_TCTL,  E1000_CTRL,  E1000_TDLEN,
                                     E1000_RDLEN, E1000_TDBAL, E1000_RDBAL, E1000_ITR,
                                     E1000_IMS,   E1000_ICS,   E1000_EECD,  E1000_MDIC};
    uint32_t at = often[place % 16];
    switch (s[2] & 7u) {
    case 0:
        machine_mmio_write(&vm, registers + (place & 0x7fffu), 1u << s[3] % 4, value);
        break;
    case 1:
        machine_mmio_read(&vm, registers + (place & 0x7fffu), 1u << s[3] % 4);
        break;
    case 2:
    case 3:
        if (at == E1000_TDBAL || at == E1000_RDBAL)
            value = DATA_AT - 0x10000 + (value & 0x1fff0u);
        machine_mmio_write(&vm, registers + at, 4,
                           at == E1000_TDT || at == E1000_RDT ? value & 0x1fu : value);
        break;
    default: /* a transmit descriptor, or anything else in memory */
        memcpy(fake_ram + DATA_AT - 0x10000 + (place & 0x1fffu), &value, 4);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct driver d = {0};
    if (size < 4)
        return 0;
    set_up(data);
    honest = true;
    if (e1000) {
        cfg_write(CARD, 4, 2, 7);
        registers = cfg_read(CARD, 0x10, 4);
    } else {
        uint32_t features = (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 |
                            (uint32_t)(data[3] & 0x30u) << 24 | (data[3] & 0x8fu);
        driver_start(&d, CARD, features, QUEUES);
    }
    sim_follow();
    for (size_t at = 4; at + 8 <= size && at < 8 * 512; at += 8) {
        struct record r = record_at(data + at);
        if (r.byte[2] & 0x80u)
            hostile_switch(r.byte, r.place, r.value);
        else if (r.byte[2] & 0x40u)
            fake_advance(r.value % NS_PER_S);
        else if (e1000)
            e1000_step(r.byte, r.place, r.value);
        else
            virtio_step(&d, r);
        const struct frame_owner *frames = &the_devices.nets.net[0].net.frames;
        for (uint32_t i = 0; i < frames->pairs && honest; i++) {
            check_posted(&frames->send[i]);
            check_posted(&frames->receive[i]);
        }
    }
    return 0;
}
