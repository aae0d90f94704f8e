/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole switch, fed by owners who write what they like into their channels and areas, also in
 * the middle of its work (whenever it signals somebody). Areas are exact allocations, so that a
 * byte beyond one is seen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../unit/switch_world.h"

#define PORTS      4u
#define SMALL_AREA 8192u
#define CHANNEL_BYTES                                                                           \
    ((__builtin_offsetof(struct frame_channel, pair) + 2 * sizeof(struct frame_pair) + 4095u) & \
     ~4095u)

static const uint8_t *input;
static size_t left;

static uint64_t take(uint32_t bytes)
{
    uint64_t value = 0;
    uint32_t n = left < bytes ? (uint32_t)left : bytes;
    memcpy(&value, input, n);
    input += n;
    left -= n;
    return value;
}

static void take_into(void *to, uint32_t bytes)
{
    uint32_t n = left < bytes ? (uint32_t)left : bytes;
    memset(to, 0, bytes);
    memcpy(to, input, n);
    input += n;
    left -= n;
}

static struct switch_port take_config(uint32_t i)
{
    struct switch_port c = guest(i);
    uint8_t bits = (uint8_t)take(1);
    c.kind = bits & 3u;
    c.vlan_mode = (bits >> 2) % 3u;
    c.vlan = (uint32_t)take(1) % 8;
    c.trunk[0] = take(1);
    c.filters = (uint32_t)take(1);
    c.mirror = (uint32_t)take(1) % (PORTS + 2);
    uint8_t rates = (uint8_t)take(1);
    c.inbound.average = rates & 15u ? 1000ull << (rates & 15u) : 0;
    c.outbound.average = rates >> 4 ? 1000ull << (rates >> 4) : 0;
    c.ip[0] = (struct switch_ip){.family = 4, .prefix = 8, .address = {10}};
    return c;
}

static void make(uint32_t i)
{
    struct end *e = &ends[i];
    struct switch_port c = take_config(i);
    uint8_t takes = (uint8_t)take(1), headroom = (uint8_t)take(1);
    e->channel = aligned_alloc(4096, CHANNEL_BYTES);
    memset(e->channel, 0, CHANNEL_BYTES);
    e->channel->carrier = 1;
    e->area = malloc(SMALL_AREA);
    memset(e->area, 0x45, SMALL_AREA);
    struct port *port = calloc(1, sizeof(*port));
    *port = (struct port){.id = i,
                          .channel = e->channel,
                          .area = e->area,
                          .area_size = SMALL_AREA,
                          .room_pairs = 2,
                          .notif = i,
                          .owner_bits = 1,
                          .config = c};
    e->channel->takes = takes;
    e->channel->pairs = 1 + (takes >> 7);
    e->channel->headroom = headroom;
    e->channel->listens = FRAME_LISTENS_ALL;
    e->channel->epoch = 1;
    if (fabric_attach(&fabric, port, true))
        free(port);
    else
        e->port = port;
}

static struct frame_ring *take_ring(struct frame_channel *c, uint8_t which)
{
    struct frame_pair *pair = &c->pair[which & 1u];
    return which & 2u ? &pair->send : &pair->receive;
}

/* An entry that is mostly right, with what the input says. */
static void post(struct frame_channel *c, uint8_t which)
{
    struct frame_ring *r = take_ring(c, which);
    struct frame_entry e = {.offset = take(2), .length = (uint32_t)take(2)};
    e.flags = (uint16_t)take(1);
    if (e.flags & (FRAME_GSO | FRAME_NEEDS_CSUM)) {
        e.gso_size = (uint16_t)take(1);
        e.csum_start = (uint16_t)take(1);
        e.csum_offset = (uint16_t)take(1);
    }
    if (which & 4u) { /* inside the area, and no longer than a frame */
        e.offset %= SMALL_AREA;
        e.length %= SMALL_AREA - (uint32_t)e.offset + 1;
    }
    r->entry[r->posted % FRAME_ENTRIES] = e;
    r->posted++;
}

static void act(void)
{
    uint8_t what = (uint8_t)take(1), i = what & 3u;
    struct frame_channel *c = ends[i].channel;
    switch (what >> 2 & 15u) {
    case 0: /* a header somewhere in the area */
        take_into(ends[i].area + take(2) % (SMALL_AREA - 64), 64);
        break;
    case 1: /* any four bytes of the channel */
    {
        uint32_t word = (uint32_t)take(4);
        memcpy((uint8_t *)c + take(4) % (CHANNEL_BYTES - 4), &word, 4);
        break;
    }
    case 2:
        take_ring(c, (uint8_t)take(1))->posted = (uint32_t)take(4);
        break;
    case 3:
        c->epoch += (uint32_t)take(1);
        break;
    case 4: {
        struct switch_port config = take_config(i);
        fabric_change(&fabric, i, &config);
        break;
    }
    case 5:
        if (ends[i].port) {
            end_detach(i);
        } else {
            free(ends[i].channel);
            free(ends[i].area);
            make(i);
        }
        break;
    case 6:
        world_ns += take(4);
        fabric_set_now(&fabric, world_ns);
        fabric_timer(&fabric);
        break;
    case 7:
        c->carrier = what >> 7;
        bells |= SWITCH_BIT_PORT(i);
        break;
    default:
        post(c, (uint8_t)take(1));
        bells |= SWITCH_BIT_PORT(i);
        break;
    }
}

/* Nobody may get more than the rules let through: what the counters say must agree. */
static void check_counters(void)
{
    for (uint32_t i = 0; i < PORTS; i++) {
        const uint64_t *s = status.port_stat[i];
        if (s[SWITCH_RX_BYTES] < s[SWITCH_RX_FRAMES] * ETHERNET || s[SWITCH_MACS] > MAC_UPLINK_MAX)
            abort();
    }
    if (fabric.macs.learned[0] > MAC_UPLINK_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input = data;
    left = size;
    world_reset();
    for (uint32_t i = 0; i < PORTS; i++)
        make(i);
    while (left) {
        for (uint32_t i = 0; left && i < 8; i++)
            act();
        if (world_run() >= 10000)
            abort(); /* it does not come to rest */
        check_counters();
    }
    for (uint32_t i = 0; i < PORTS; i++) {
        if (ends[i].port)
            end_detach(i);
    }
    world_reset();
    return 0;
}
