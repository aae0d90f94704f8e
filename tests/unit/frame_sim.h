/* SPDX-License-Identifier: BSD-2-Clause */
/* The switch's side of one frame channel, for tests of owners: takes what was posted, delivers what
 * the test has. The area is fake_ram, then sim.bounce. */
#ifndef TESTS_UNIT_FRAME_SIM_H
#define TESTS_UNIT_FRAME_SIM_H

#include "vmm_machine.h"

static struct {
    struct frame_channel *channel;
    uint8_t *bounce;
    uint32_t sent[FRAME_PAIRS_MAX], received[FRAME_PAIRS_MAX]; /* indices */
    uint32_t takes;
    uint8_t frame[FRAME_BYTES_MAX + 1]; /* of sim_take() */
    uint32_t length;
    struct frame_entry first;
} sim;

/* One interface for the next machine_start(). */
static inline void sim_setup(uint32_t model, uint32_t pairs)
{
    uint64_t bytes = frame_channel_bytes(pairs);
    free(sim.channel);
    free(sim.bounce);
    memset(&sim, 0, sizeof sim);
    sim.channel = aligned_alloc(4096, sizeof *sim.channel);
    memset(sim.channel, 0, sizeof *sim.channel);
    sim.channel->link = 1;
    sim.channel->mtu = 1500;
    sim.channel->generation = 1;
    sim.bounce = malloc(VMM_NET_BOUNCE);
    memset(&config, 0, sizeof config);
    config.net_count = 1;
    config.net[0] = (struct vmm_net){.model = model,
                                     .pairs = pairs,
                                     .mac = {0x52, 0x54, 0, 1, 2, 3},
                                     .target = "vnet0",
                                     .channel_size = bytes,
                                     .bounce_size = VMM_NET_BOUNCE};
    net_source[0] = (struct net_source){.channel = sim.channel, .bounce = sim.bounce, .notif = 9};
}

static inline uint8_t *sim_area(uint64_t offset, uint32_t length)
{
    if (offset < FAKE_RAM && length <= FAKE_RAM - offset)
        return fake_ram + offset;
    if (offset >= FAKE_RAM && offset - FAKE_RAM + length <= VMM_NET_BOUNCE)
        return sim.bounce + (offset - FAKE_RAM);
    abort(); /* outside the area */
}

static inline void sim_signal(void)
{
    machine_net_event(&vm);
}

/* Follows the owner's epoch, as the switch does at its signal. */
static inline void sim_follow(void)
{
    struct frame_channel *channel = sim.channel;
    if (channel->switch_epoch == channel->epoch)
        return;
    for (uint32_t i = 0; i < channel->pairs; i++) {
        channel->pair[i].send.posted = channel->pair[i].send.ended = 0;
        channel->pair[i].receive.posted = channel->pair[i].receive.ended = 0;
        sim.sent[i] = sim.received[i] = 0;
    }
    sim.takes = channel->takes;
    channel->switch_epoch = channel->epoch;
    channel->generation++;
    sim_signal();
}

/* Takes one frame that was sent, without ending its entries. False: there is none. */
static inline bool sim_take(uint32_t i)
{
    struct frame_ring *ring = &sim.channel->pair[i].send;
    struct frame_entry entry;
    if (sim.sent[i] == ring->posted)
        return false;
    sim.length = 0;
    sim.first = ring->entry[sim.sent[i] % FRAME_ENTRIES];
    do {
        entry = ring->entry[sim.sent[i]++ % FRAME_ENTRIES];
        memcpy(sim.frame + sim.length, sim_area(entry.offset, entry.length), entry.length);
        sim.length += entry.length;
    } while (entry.flags & FRAME_MORE);
    return true;
}

/* Ends what was taken. */
static inline void sim_end(uint32_t i)
{
    sim.channel->pair[i].send.ended = sim.sent[i];
}

/* Empty entries that wait for frames. */
static inline uint32_t sim_room(uint32_t i)
{
    return sim.channel->pair[i].receive.posted - sim.received[i];
}

/* Writes a frame to buffers; `how` has its flags, sizes and sums. The owner is not signalled.
 * False: no room. */
static inline bool sim_deliver(uint32_t i, const uint8_t *data, uint32_t length,
                               struct frame_entry how)
{
    struct frame_ring *ring = &sim.channel->pair[i].receive;
    uint32_t at = sim.received[i], done = 0, buffers = 0, skip = sim.channel->headroom;
    bool begins = true;
    while (done < length || !begins) {
        if (at == ring->posted)
            return false;
        struct frame_entry *entry = &ring->entry[at++ % FRAME_ENTRIES];
        bool more = entry->flags & FRAME_MORE;
        if (begins && buffers && !(sim.takes & FRAME_TAKES_MERGE))
            return false;
        uint32_t gap = skip < entry->length ? skip : entry->length;
        uint32_t room = entry->length - gap;
        uint32_t part = length - done < room ? length - done : room;
        memcpy(sim_area(entry->offset + gap, part), data + done, part);
        skip -= gap;
        entry->length = part;
        done += part;
        buffers += begins;
        begins = !more;
    }
    struct frame_entry *first = &ring->entry[sim.received[i] % FRAME_ENTRIES];
    first->flags = how.flags;
    first->gso_size = how.gso_size;
    first->header_length = how.header_length;
    first->csum_start = how.csum_start;
    first->csum_offset = how.csum_offset;
    first->buffers = (uint16_t)buffers;
    sim.received[i] = at;
    __atomic_store_n(&ring->ended, at, __ATOMIC_RELEASE);
    return true;
}

#endif
