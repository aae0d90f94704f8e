/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/switch/port.h"

#include "user/syscall_stubs.h"

/* An entry as it is now: whatever the owner writes there from here on has no effect. */
static struct frame_entry entry_copy(const struct ring_side *s, uint32_t index)
{
    struct frame_entry e;
    memcpy(&e, &s->ring->entry[index % FRAME_ENTRIES], sizeof(e));
    __asm__ volatile("" : : : "memory"); /* the compiler must not read them once more */
    return e;
}

/* Entries that are posted and not ended. More than the ring holds is a lie, and counts as none. */
static uint32_t side_posted(struct ring_side *s)
{
    /* Acquire: pairs with the owner's release; the entries are there. */
    s->seen = __atomic_load_n(&s->ring->posted, __ATOMIC_ACQUIRE);
    if (s->seen - s->next > FRAME_ENTRIES)
        s->seen = s->next;
    return s->seen - s->next;
}

static inline uint32_t side_ready(struct ring_side *s, uint32_t wanted)
{
    uint32_t n = s->seen - s->next;
    return n >= wanted ? n : side_posted(s);
}

static void side_open(struct ring_side *s, struct frame_ring *ring)
{
    /* Only the switch writes `ended`, so this is where the one before has stopped. The owner could
     * have changed it: then it loses its own frames. */
    uint32_t ended = __atomic_load_n(&ring->ended, __ATOMIC_RELAXED);
    *s = (struct ring_side){ring, ended, ended, ended};
}

static void read_offer(struct port *port)
{
    const struct frame_channel *c = port->channel;
    port->takes = __atomic_load_n(&c->takes, __ATOMIC_RELAXED);
    uint32_t pairs = __atomic_load_n(&c->pairs, __ATOMIC_RELAXED);
    port->pairs = pairs < port->room_pairs ? pairs : port->room_pairs;
    uint32_t headroom = __atomic_load_n(&c->headroom, __ATOMIC_RELAXED);
    port->headroom = headroom < FRAME_HEADROOM_MAX ? headroom : FRAME_HEADROOM_MAX;
    uint32_t mtu = __atomic_load_n(&c->owner_mtu, __ATOMIC_RELAXED);
    port->mtu = mtu && mtu < FRAME_MTU_MAX ? mtu : FRAME_MTU_MAX;
}

void port_open(struct port *port)
{
    struct frame_channel *c = port->channel;
    port->epoch = __atomic_load_n(&c->switch_epoch, __ATOMIC_RELAXED);
    read_offer(port);
    for (uint32_t i = 0; i < port->room_pairs; i++) {
        side_open(&port->send[i], &c->pair[i].send);
        side_open(&port->receive[i], &c->pair[i].receive);
    }
    /* What the one before has ended may not have been told. */
    port->moved = true;
    port_follow(port);
}

static void side_reset(struct ring_side *s)
{
    __atomic_store_n(&s->ring->posted, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&s->ring->ended, 0, __ATOMIC_RELAXED);
    s->next = s->seen = s->shown = 0;
}

bool port_follow(struct port *port)
{
    struct frame_channel *c = port->channel;
    /* Acquire: pairs with the owner's release; the offer is that of the epoch. */
    uint32_t epoch = __atomic_load_n(&c->epoch, __ATOMIC_ACQUIRE);
    if (epoch == port->epoch)
        return false;
    port->epoch = epoch;
    read_offer(port);
    for (uint32_t i = 0; i < port->room_pairs; i++) {
        side_reset(&port->send[i]);
        side_reset(&port->receive[i]);
    }
    /* Release: pairs with frame_owner_ready()'s acquire; the rings are empty, and no buffer of the
     * epoch before is written to any more. */
    __atomic_store_n(&c->switch_epoch, epoch, __ATOMIC_RELEASE);
    sys_notif_signal(port->notif, port->owner_bits);
    return true;
}

static bool in_area(const struct port *port, const struct frame_entry *e)
{
    return e->offset <= port->area_size && e->length <= port->area_size - e->offset;
}

enum port_frame port_next(struct port *port, uint32_t pair, struct packet *p, uint32_t *entries)
{
    struct ring_side *s = &port->send[pair];
    uint32_t have = side_ready(s, 1), n = 0, length = 0;
    if (!have)
        return PORT_NONE;
    bool sane = true, more = true;
    for (p->parts = 0; more && n < have; n++) {
        struct frame_entry e = entry_copy(s, s->next + n);
        if (!n) {
            p->flags = e.flags;
            p->gso_size = e.gso_size;
            p->csum_start = e.csum_start;
            p->csum_offset = e.csum_offset;
        }
        more = e.flags & FRAME_MORE;
        /* What the ring had in view may end inside a frame that was posted meanwhile. */
        if (more && n + 1 == have)
            have = side_posted(s);
        sane &= in_area(port, &e) && n < FRAME_PARTS_MAX;
        if (!sane || !e.length)
            continue;
        p->part[p->parts++] = (struct packet_part){port->area + e.offset, e.length};
        length += e.length;
        sane = length <= FRAME_BYTES_MAX;
    }
    *entries = n;
    if (!sane || more || length < ETHERNET)
        return PORT_MALFORMED;
    packet_begin(p, length);
    return PORT_FRAME;
}

void port_sent(struct port *port, uint32_t pair, uint32_t entries, bool error)
{
    struct ring_side *s = &port->send[pair];
    if (error)
        s->ring->entry[s->next % FRAME_ENTRIES].flags = FRAME_ERROR;
    s->next += entries;
    port->moved = true;
}

/* Buffers that a frame goes to: entries of the receive ring, from its next one on. */
struct landing {
    uint32_t entries, buffers;
    uint64_t room;
    bool bad; /* the last one lies outside the area */
    struct frame_entry entry[PORT_BUFFERS_MAX];
};

/* Takes entries until they hold `bytes`; false: they do not. */
static bool find_landing(struct port *port, struct ring_side *s, uint64_t bytes, struct landing *l)
{
    uint32_t have = side_ready(s, 2);
    bool more = false, merge = port->takes & FRAME_TAKES_MERGE;
    l->entries = l->buffers = 0;
    l->room = 0;
    l->bad = false;
    while (l->entries < have && l->entries < PORT_BUFFERS_MAX) {
        struct frame_entry e = entry_copy(s, s->next + l->entries);
        l->bad = !in_area(port, &e);
        l->entry[l->entries++] = e;
        l->room += e.length;
        more = e.flags & FRAME_MORE;
        l->buffers += !more;
        if (l->bad || (!more && (l->room >= bytes || !merge)))
            return true;
        if (l->entries == have)
            have = side_posted(s);
    }
    return false;
}

/* Ends the entries without a frame in them. */
static void give_back(struct port *port, struct ring_side *s, struct landing *l)
{
    for (uint32_t i = 0; i < l->entries; i++) {
        struct frame_entry *e = &s->ring->entry[(s->next + i) % FRAME_ENTRIES];
        e->length = 0;
        e->flags = l->entry[i].flags & FRAME_MORE;
        e->buffers = 1;
    }
    s->next += l->entries;
    port->moved = true;
}

/* The bytes of a delivery, one place after the other. */
static void fill(uint8_t *to, uint32_t n, struct port_delivery *d)
{
    uint32_t from_head = d->head_size < n ? d->head_size : n;
    memcpy(to, d->head, from_head);
    d->head += from_head;
    d->head_size -= from_head;
    if (n > from_head)
        slice_read(&d->body, to + from_head, n - from_head);
}

static void land(struct port *port, struct ring_side *s, struct landing *l, struct port_delivery *d)
{
    uint32_t left = d->head_size + d->body.length, skip = port->headroom;
    for (uint32_t i = 0; i < l->entries; i++) {
        struct frame_entry *e = &l->entry[i];
        uint32_t gap = skip < e->length ? skip : e->length;
        uint32_t room = e->length - gap, n = left < room ? left : room;
        fill(port->area + e->offset + gap, n, d);
        left -= n;
        skip -= gap;
        e->length = n;
        e->flags &= FRAME_MORE;
        e->buffers = 0;
    }
    struct frame_entry *first = &l->entry[0];
    first->flags |= d->flags;
    first->buffers = (uint16_t)l->buffers;
    first->gso_size = d->gso_size;
    first->header_length = d->header_length;
    first->csum_start = d->csum_start;
    first->csum_offset = d->csum_offset;
    for (uint32_t i = 0; i < l->entries; i++)
        s->ring->entry[(s->next + i) % FRAME_ENTRIES] = l->entry[i];
    s->next += l->entries;
    port->moved = true;
}

/* The common case: one buffer of one entry takes it all. */
static bool put_simple(struct port *port, struct ring_side *s, const struct port_delivery *d)
{
    if (!side_ready(s, 1))
        return false;
    struct frame_entry e = entry_copy(s, s->next);
    uint32_t length = d->head_size + d->body.length;
    if (e.flags & FRAME_MORE || e.length < length + port->headroom || !in_area(port, &e))
        return false;
    struct port_delivery rest = *d;
    fill(port->area + e.offset + port->headroom, length, &rest);
    e.length = length;
    e.flags = d->flags;
    e.header_length = d->header_length;
    e.gso_size = d->gso_size;
    e.csum_start = d->csum_start;
    e.csum_offset = d->csum_offset;
    e.buffers = 1;
    s->ring->entry[s->next % FRAME_ENTRIES] = e;
    s->next++;
    port->moved = true;
    return true;
}

enum port_put port_put(struct port *port, uint32_t pair, const struct port_delivery *d)
{
    struct ring_side *s = &port->receive[pair];
    struct landing landing;
    struct port_delivery rest = *d;
    uint32_t length = d->head_size + d->body.length;
    if (put_simple(port, s, d))
        return PORT_PUT;
    for (;;) {
        if (!find_landing(port, s, (uint64_t)length + port->headroom, &landing))
            return landing.entries == PORT_BUFFERS_MAX ? PORT_TOO_LONG : PORT_NO_ROOM;
        bool fits = !landing.bad && landing.room >= (uint64_t)length + port->headroom;
        if (fits)
            break;
        /* A buffer outside the area, or one that a switch that died has begun to fill, whose length
         * is not that of its room any more: back with it. */
        give_back(port, s, &landing);
        if (!landing.bad)
            return PORT_TOO_LONG;
        port_count(port, SWITCH_RX_ERRORS, 1);
    }
    land(port, s, &landing, &rest);
    return PORT_PUT;
}

uint32_t port_room(struct port *port, uint32_t pair)
{
    return side_posted(&port->receive[pair]);
}

/* True if its owner waits for what has ended. */
static bool side_show(struct ring_side *s)
{
    struct frame_ring *ring = s->ring;
    if (s->shown == s->next)
        return false;
    s->shown = s->next;
    __atomic_store_n(&ring->ended, s->next, __ATOMIC_RELEASE);
    /* The index before the look at the wish; the owner, about to wait, does it the other way round.
     */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return __atomic_load_n(&ring->owner_waits, __ATOMIC_RELAXED) &&
           __atomic_exchange_n(&ring->owner_waits, 0, __ATOMIC_RELAXED);
}

void port_show(struct port *port)
{
    bool wake = false;
    if (!port->moved)
        return;
    port->moved = false;
    for (uint32_t i = 0; i < port->pairs; i++) {
        wake |= side_show(&port->send[i]);
        wake |= side_show(&port->receive[i]);
    }
    if (wake) {
        port_count(port, SWITCH_SIGNALS, 1);
        sys_notif_signal(port->notif, port->owner_bits);
    }
}

static bool side_arm(struct ring_side *s)
{
    __atomic_store_n(&s->ring->switch_waits, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return side_posted(s) != 0;
}

bool port_arm(struct port *port)
{
    bool some = false;
    for (uint32_t i = 0; i < port->pairs; i++)
        some |= side_arm(&port->send[i]);
    return some;
}

bool port_arm_receive(struct port *port, uint32_t pair)
{
    uint32_t before = port->receive[pair].seen;
    side_arm(&port->receive[pair]);
    return port->receive[pair].seen != before;
}

void port_announce(struct port *port, bool link, uint32_t mtu, const struct frame_filter *filter)
{
    struct frame_channel *c = port->channel;
    __atomic_store_n(&c->link, link, __ATOMIC_RELAXED);
    __atomic_store_n(&c->mtu, mtu, __ATOMIC_RELAXED);
    if (filter)
        c->filter = *filter;
    /* Release: whoever sees the number sees what it stands for. */
    uint32_t generation = __atomic_load_n(&c->generation, __ATOMIC_RELAXED);
    __atomic_store_n(&c->generation, generation + 1, __ATOMIC_RELEASE);
    sys_notif_signal(port->notif, port->owner_bits);
}
