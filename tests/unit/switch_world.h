/* SPDX-License-Identifier: BSD-2-Clause */
/* A switch with ports on both of whose sides this test sits: owners post through
 * user/frame_owner.c, the switch is the whole of net/switch/ without its process. */
#ifndef TESTS_UNIT_SWITCH_WORLD_H
#define TESTS_UNIT_SWITCH_WORLD_H

#include "fake/log.h"
#include "fake_syscalls.h"
#include "net/switch/packet.c"
#include "net/switch/sum.c"
#include "net/switch/mac_table.c"
#include "net/switch/vlan.c"
#include "net/switch/rate.c"
#include "net/switch/filter.c"
#include "net/switch/port.c"
#include "net/switch/offload.c"
#include "net/switch/mirror.c"
#include "net/switch/forward.c"
#include "net/switch/uplink.c"
#include "net/switch/fabric.c"
#include "user/frame_owner.c"

#ifndef WORLD_PORTS
#define WORLD_PORTS 12u
#endif
#define AREA_BYTES   (4u << 20)
#define BUFFER_BYTES 2048u
#define BUFFERS_AT   (2u << 20) /* in the area: receive buffers; below: frames to send */

struct end {
    struct frame_channel *channel;
    struct frame_owner owner;
    uint8_t *area;
    struct port *port;
    uint32_t signals;
    uint32_t send_at;
    uint32_t posted_at[FRAME_ENTRIES]; /* where each receive entry's buffer is */
    uint32_t posted_room[FRAME_ENTRIES];
    uint32_t next_buffer;
};

static struct fabric fabric;
static struct switch_status status;
static struct end ends[WORLD_PORTS];
static uint64_t world_ns;
static uint64_t bells; /* bits that owners have signalled */

/* Notification 1000 is the switch's, i is that of end i. */
int64_t sys_notif_signal(uint32_t notif, uint64_t bits)
{
    if (notif == 1000)
        bells |= bits;
    else if (notif < WORLD_PORTS)
        ends[notif].signals++;
    return 0;
}

static inline void world_reset(void)
{
    for (uint32_t i = 0; i < WORLD_PORTS; i++) {
        free(ends[i].channel);
        free(ends[i].area);
        free(ends[i].port);
        memset(&ends[i], 0, sizeof(ends[i]));
    }
    memset(&status, 0, sizeof(status));
    world_ns = 5000000000ull;
    logged[0] = 0;
    bells = 0;
    fabric_init(&fabric, &status, 0x123456789abcdefull, world_ns);
    for (uint32_t i = 0; i < 2; i++) {
        struct switch_network n = {.mtu = 1500, .ageing_s = 300};
        snprintf(n.name, sizeof(n.name), "net%u", (unsigned)i);
        fabric_network(&fabric, i, &n);
    }
}

/* Runs the switch until it sleeps; returns how many turns it took. */
static inline uint32_t world_run(void)
{
    uint32_t turns = 0;
    do {
        uint64_t now = bells;
        bells = 0;
        fabric_set_now(&fabric, world_ns);
        fabric_signalled(&fabric, now);
        while (fabric_run(&fabric) && turns < 10000)
            turns++;
        turns++;
    } while (bells && turns < 10000);
    return turns;
}

static inline void world_pass(uint64_t ns)
{
    world_ns += ns;
    fabric_set_now(&fabric, world_ns);
    fabric_timer(&fabric);
    world_run();
}

static inline struct switch_port guest(uint32_t i)
{
    struct switch_port c = {.kind = SWITCH_PORT_GUEST, .link = 1};
    snprintf(c.name, sizeof(c.name), "port%u", (unsigned)i);
    c.mac[0] = 0x52, c.mac[5] = (uint8_t)i;
    return c;
}

static inline struct switch_port uplink(uint32_t i)
{
    struct switch_port c = guest(i);
    c.kind = SWITCH_PORT_UPLINK;
    memset(c.mac, 0, sizeof(c.mac));
    return c;
}

static inline enum switch_refusal end_attach(uint32_t i, const struct switch_port *config,
                                             bool fresh)
{
    struct end *e = &ends[i];
    struct port *port = calloc(1, sizeof(*port));
    port->id = i;
    port->channel = e->channel;
    port->area = e->area;
    port->area_size = AREA_BYTES;
    port->room_pairs = 2;
    port->notif = i;
    port->owner_bits = 1;
    port->config = *config;
    enum switch_refusal refusal = fabric_attach(&fabric, port, fresh);
    if (refusal)
        free(port);
    else
        e->port = port;
    return refusal;
}

static inline void end_detach(uint32_t i)
{
    free(fabric_detach(&fabric, i));
    ends[i].port = NULL;
}

static inline void end_post(uint32_t i, uint32_t offset, uint32_t length, uint16_t flags)
{
    struct end *e = &ends[i];
    struct frame_owner_ring *r = &e->owner.receive[0];
    struct frame_entry entry = {.offset = offset, .length = length, .flags = flags};
    uint32_t at = r->posted % FRAME_ENTRIES;
    if (frame_owner_post(r, &entry, 1)) {
        e->posted_at[at] = offset;
        e->posted_room[at] = length;
    }
}

static inline void end_bell(uint32_t i)
{
    frame_owner_ring_bell(&ends[i].owner, &ends[i].owner.receive[0]);
    frame_owner_ring_bell(&ends[i].owner, &ends[i].owner.send[0]);
}

static inline void end_buffers(uint32_t i, uint32_t n)
{
    for (; n; n--) {
        end_post(i, BUFFERS_AT + ends[i].next_buffer * BUFFER_BYTES, BUFFER_BYTES, 0);
        ends[i].next_buffer = (ends[i].next_buffer + 1) % FRAME_ENTRIES;
    }
    end_bell(i);
}

static inline bool end_offer(uint32_t i, uint32_t takes, uint32_t headroom)
{
    struct frame_offer offer = {.takes = takes, .pairs = 1, .headroom = headroom};
    frame_owner_reset(&ends[i].owner, &offer);
    world_run();
    return frame_owner_ready(&ends[i].owner);
}

/* A port with an owner that is ready and has `buffers` posted. */
static inline bool end_make(uint32_t i, const struct switch_port *config, uint32_t takes,
                            uint32_t buffers)
{
    struct end *e = &ends[i];
    e->channel = aligned_alloc(4096, sizeof(*e->channel));
    memset(e->channel, 0, sizeof(*e->channel));
    e->channel->carrier = 1;
    e->area = malloc(AREA_BYTES);
    frame_owner_init(&e->owner, e->channel, 2, 1000, SWITCH_BIT_PORT(i));
    if (end_attach(i, config, true) || !end_offer(i, takes, 0))
        return false;
    end_buffers(i, buffers);
    world_run();
    return true;
}

/* An untagged frame of `length` bytes, numbered by its payload. */
static inline uint32_t make_frame(uint8_t *to, const uint8_t *dst, const uint8_t *src,
                                  uint16_t type, uint32_t length)
{
    memcpy(to, dst, 6);
    memcpy(to + 6, src, 6);
    write16(to + 12, type);
    for (uint32_t i = ETHERNET; i < length; i++)
        to[i] = (uint8_t)(i * 7 + length);
    return length;
}

static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* Posts bytes as one frame, with the fields of `as`. */
static inline bool end_send_as(uint32_t i, const uint8_t *frame, uint32_t length,
                               struct frame_entry as)
{
    struct end *e = &ends[i];
    if (e->send_at + length > BUFFERS_AT)
        e->send_at = 0;
    memcpy(e->area + e->send_at, frame, length);
    as.offset = e->send_at;
    as.length = length;
    e->send_at += length;
    bool posted = frame_owner_post(&e->owner.send[0], &as, 1);
    frame_owner_ring_bell(&e->owner, &e->owner.send[0]);
    return posted;
}

static inline bool end_send(uint32_t i, const uint8_t *frame, uint32_t length)
{
    return end_send_as(i, frame, length, (struct frame_entry){0});
}

/* A plain frame from one port's address to another's. */
static inline bool end_send_to(uint32_t i, uint32_t to, uint32_t length)
{
    uint8_t frame[2048];
    uint8_t dst[6] = {0x52, 0, 0, 0, 0, (uint8_t)to}, src[6] = {0x52, 0, 0, 0, 0, (uint8_t)i};
    make_frame(frame, to == 0xff ? everybody : dst, src, 0x88b5, length);
    return end_send(i, frame, length);
}

/* The next frame that came; 0: none. first: its first entry. */
static inline uint32_t end_receive(uint32_t i, uint8_t *to, uint32_t max, struct frame_entry *first)
{
    struct end *e = &ends[i];
    struct frame_entry entry;
    uint32_t index, length = 0, buffers = 1;
    for (bool begin = true; buffers; begin = false) {
        if (!frame_owner_take(&e->owner, &e->owner.receive[0], &entry, &index))
            return 0;
        if (begin) {
            *first = entry;
            buffers = entry.buffers ? entry.buffers : 1;
        }
        uint32_t gap = begin ? e->channel->headroom : 0;
        if (length + entry.length <= max)
            memcpy(to + length, e->area + e->posted_at[index] + gap, entry.length);
        length += entry.length;
        buffers -= !(entry.flags & FRAME_MORE);
    }
    return length;
}

/* Frames that came, thrown away. */
static inline uint32_t end_drain(uint32_t i)
{
    static uint8_t bytes[FRAME_BYTES_MAX];
    struct frame_entry entry;
    uint32_t n = 0;
    while (end_receive(i, bytes, sizeof(bytes), &entry))
        n++;
    return n;
}

/* Entries of the send ring that are the owner's again. */
static inline uint32_t end_sent(uint32_t i, uint32_t *errors)
{
    struct frame_entry entry;
    uint32_t index, n = 0;
    while (frame_owner_take(&ends[i].owner, &ends[i].owner.send[0], &entry, &index)) {
        n++;
        if (errors)
            *errors += entry.flags & FRAME_ERROR ? 1 : 0;
    }
    return n;
}

#endif
