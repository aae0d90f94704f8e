/* SPDX-License-Identifier: BSD-2-Clause */
/* One frame, from the port that sent it to those that get it. */
#include "net/switch/fabric.h"
#include "net/switch/filter.h"
#include "net/switch/mirror.h"
#include "net/switch/offload.h"
#include "net/switch/vlan.h"
#include "user/program.h"

/* How long a frame may wait for a receiver that has no buffers; and of what part of its time a
 * receiver may keep senders waiting in all: one that is slow on purpose costs them no more. */
#define ROOM_WAIT_NS    5000000ull
#define PATIENCE_MAX_NS 20000000ull
#define PATIENCE_SHARE  4u

struct journey {
    struct fabric *f;
    struct port *from;
    struct network *network;
    struct packet *p;
    struct layout layout;
    uint32_t pair;
    uint64_t to; /* address */
    bool may_wait;
};

/* --- to one port --- */

static bool is_isolated(const struct journey *j, const struct port *to)
{
    bool from_guest = j->from->config.kind == SWITCH_PORT_GUEST;
    bool to_guest = to->config.kind == SWITCH_PORT_GUEST;
    if (!from_guest || !to_guest)
        return false;
    return j->network->config.isolated ||
           (j->from->config.filters & to->config.filters & SWITCH_FILTER_ISOLATED);
}

/* Frames that come in by one wire never go out by another: uplinks lead to one and the same
 * network outside, and this is what keeps them from closing a ring with it. */
static bool may_reach(const struct journey *j, const struct port *to)
{
    if (to == j->from || !to->config.link || !to->pairs)
        return false;
    if (to->config.kind == SWITCH_PORT_CAPTURE)
        return false;
    if (to->config.kind == SWITCH_PORT_UPLINK &&
        (j->from->config.kind == SWITCH_PORT_UPLINK || !to->carrier))
        return false;
    return vlan_allows(&to->config, j->p->vlan) && !is_isolated(j, to);
}

static bool on_list(const struct port *to, uint64_t mac)
{
    const struct frame_channel *c = to->channel;
    uint32_t n = __atomic_load_n(&c->list_macs, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < n && i < FRAME_MACS; i++) {
        if (read_mac(c->list_mac[i]) == mac)
            return true;
    }
    return false;
}

static bool hears_vlan(const struct port *to, uint16_t vlan)
{
    return !vlan || to->config.vlan_mode == SWITCH_VLAN_ACCESS ||
           (__atomic_load_n(&to->channel->list_vlan[vlan / 64], __ATOMIC_RELAXED) >> (vlan % 64) &
            1);
}

/* A guest's device would throw it away: it is not even copied. */
static bool listens(const struct journey *j, const struct port *to)
{
    uint64_t mac = j->to;
    if (to->config.kind == SWITCH_PORT_UPLINK)
        return true;
    uint32_t what = __atomic_load_n(&to->channel->listens, __ATOMIC_RELAXED);
    if (what & FRAME_LISTENS_VLANS && !hears_vlan(to, j->p->vlan))
        return false;
    if (mac == to->mac)
        return true;
    if (to->config.filters & SWITCH_FILTER_PROMISC && !MAC_IS_GROUP(mac))
        return false;
    if (what & FRAME_LISTENS_ALL || mac == MAC_BROADCAST)
        return true;
    if (what & FRAME_LISTENS_MULTICAST && MAC_IS_GROUP(mac))
        return true;
    return what & FRAME_LISTENS_LIST && on_list(to, mac);
}

/* Frames of one connection stay in one queue, or their order would be lost. */
static uint32_t queue_for(const struct journey *j, const struct port *to)
{
    struct packet *p = j->p;
    if (to->pairs == 1)
        return 0;
    packet_pull(p, 64);
    uint32_t l3 = packet_l3(p), at, bytes;
    uint64_t h = 0;
    if (packet_type(p) == ETHERTYPE_IPV4) {
        at = l3 + 12, bytes = 12; /* both addresses; both ports, if there are no options */
    } else if (packet_type(p) == ETHERTYPE_IPV6) {
        at = l3 + 8, bytes = 36;
    } else {
        return 0;
    }
    for (; bytes && at + 4 <= p->head_size; bytes -= 4, at += 4)
        h = (h ^ read32(p->head + at)) * 0x9e3779b97f4a7c15ull;
    return (uint32_t)(h >> 40) % to->pairs;
}

/* What the owner can take as it is. */
static uint16_t taken_flags(const struct port *to, const struct packet *p)
{
    uint32_t gso = p->flags & FRAME_GSO, takes = to->takes;
    bool whole = !gso || (gso == FRAME_GSO_TCP4 && takes & FRAME_TAKES_TCP4) ||
                 (gso == FRAME_GSO_TCP6 && takes & FRAME_TAKES_TCP6) ||
                 (gso == FRAME_GSO_UDP && takes & FRAME_TAKES_UDP);
    if (p->flags & FRAME_GSO_ECN && !(takes & FRAME_TAKES_ECN))
        whole = false;
    uint16_t out = whole ? p->flags & (FRAME_GSO | FRAME_GSO_ECN) : 0;
    if (p->flags & FRAME_NEEDS_CSUM && takes & FRAME_TAKES_CSUM)
        out |= FRAME_NEEDS_CSUM;
    return out | (p->flags & FRAME_CSUM_GOOD);
}

static enum port_put put_whole(struct journey *j, struct port *to, uint32_t queue, uint16_t flags)
{
    struct packet *p = j->p;
    if (p->flags & FRAME_NEEDS_CSUM && !(flags & FRAME_NEEDS_CSUM)) {
        offload_finish_sum(p);
        flags |= FRAME_CSUM_GOOD;
    }
    struct port_delivery d = {.head = p->head,
                              .head_size = p->head_size,
                              .body = p->body,
                              .flags = flags,
                              .csum_start = p->csum_start,
                              .csum_offset = p->csum_offset};
    if (flags & FRAME_GSO) {
        d.gso_size = p->gso_size;
        d.header_length = offload_header_length(p, &j->layout);
    } else if (packet_length(p) - packet_l3(p) > to->mtu) {
        return PORT_TOO_LONG;
    }
    return port_put(to, queue, &d);
}

/* All pieces or none while there is room for all; a receiver whose ring is too short gets the
 * first ones. */
static enum port_put put_pieces(struct journey *j, struct port *to, uint32_t queue)
{
    struct segments s;
    uint32_t n = offload_segments(j->p, &j->layout);
    if (port_room(to, queue) < n && n <= FRAME_ENTRIES / 2)
        return PORT_NO_ROOM;
    offload_begin(&s, j->p, &j->layout);
    while (offload_next(&s)) {
        struct port_delivery d = {
            .head = s.head, .head_size = s.head_size, .body = s.body, .flags = FRAME_CSUM_GOOD};
        enum port_put put = s.head_size + s.body.length - packet_l3(j->p) > to->mtu
                                ? PORT_TOO_LONG
                                : port_put(to, queue, &d);
        if (put != PORT_PUT)
            return s.index > 1 ? PORT_TOO_LONG : put;
    }
    return PORT_PUT;
}

static enum port_put put(struct journey *j, struct port *to)
{
    uint16_t flags = taken_flags(to, j->p);
    bool cut = j->p->flags & FRAME_GSO && !(flags & FRAME_GSO);
    if (!vlan_leave(&to->config, j->p))
        return PORT_TOO_LONG;
    uint32_t queue = queue_for(j, to);
    return cut ? put_pieces(j, to, queue) : put_whole(j, to, queue, flags);
}

/* May senders wait for this receiver? Its patience grows back at a part of the time. */
static bool has_patience(const struct journey *j, struct port *to)
{
    uint64_t more = (j->f->now_ns - to->patience_at) / PATIENCE_SHARE;
    if (more) {
        to->patience =
            to->patience + more < PATIENCE_MAX_NS ? to->patience + more : PATIENCE_MAX_NS;
        to->patience_at = j->f->now_ns;
    }
    return to->patience >= ROOM_WAIT_NS;
}

static bool waits_for_room(struct journey *j, struct port *to)
{
    if (!j->may_wait || !has_patience(j, to))
        return false;
    fabric_wait(j->f, j->from, j->f->now_ns + ROOM_WAIT_NS, to);
    return true;
}

static void count_put(const struct journey *j, struct port *to, enum port_put result,
                      uint32_t length)
{
    bit_set(j->f->moved, to->id);
    if (result != PORT_PUT) {
        port_count(to, SWITCH_RX_DROPPED, 1);
        return;
    }
    port_count(to, SWITCH_RX_FRAMES, 1);
    port_count(to, SWITCH_RX_BYTES, length);
    rate_take(&to->in, length);
    if (to->config.mirror)
        mirror_frame(j->f, to, j->p);
}

/* False: the sender waits, and nothing has happened. */
static bool deliver(struct journey *j, struct port *to)
{
    uint32_t length = packet_length(j->p);
    if (!rate_has(&to->in, j->f->now_ns)) {
        bit_set(j->f->moved, to->id);
        port_count(to, SWITCH_RX_DROPPED, 1);
        return true;
    }
    enum port_put result = put(j, to);
    if (result == PORT_NO_ROOM && waits_for_room(j, to))
        return false;
    count_put(j, to, result, length);
    return true;
}

/* --- to all that may want it --- */

static void flood(struct journey *j)
{
    const struct network *n = j->network;
    /* Of several wires one is in use: what all carry would come in more than once. */
    if (j->from->config.kind == SWITCH_PORT_UPLINK && j->from->id != n->uplink)
        return;
    uint32_t reached = 0;
    j->may_wait = false;
    for (uint32_t i = 0; i < n->ports; i++) {
        struct port *to = j->f->port[n->port[i]];
        if (!may_reach(j, to) || !listens(j, to))
            continue;
        if (to->config.kind == SWITCH_PORT_UPLINK && to->id != n->uplink)
            continue;
        deliver(j, to);
        reached++;
    }
    if (!reached)
        port_count(j->from, SWITCH_TX_DROPPED, 1);
}

static bool floods_too_much(struct journey *j)
{
    struct port *from = j->from;
    if (from->loop_until && j->f->now_ns < from->loop_until)
        return true;
    if (!bucket_has(&from->storm, j->f->now_ns))
        return true;
    bucket_take(&from->storm, 1);
    return false;
}

/* --- where addresses are --- */

static void report_loop(struct journey *j, const struct port *other)
{
    struct network *n = j->network;
    if (!n->looped)
        log_line("%s: frames of %s come back through %s: there is a loop between them",
                 n->config.name, other ? other->config.name : "a port", j->from->config.name);
    if (!n->looped)
        j->f->status->loops++;
    n->looped = true;
}

static void address_moved(struct journey *j, uint16_t other)
{
    struct network *n = j->network;
    port_count(j->from, SWITCH_MAC_MOVES, 1);
    if (n->moves_s != j->f->macs.now_s) {
        n->moves_s = j->f->macs.now_s;
        n->moves = 0;
    }
    if (++n->moves < LOOP_MOVES)
        return;
    j->from->loop_until = j->f->now_ns + LOOP_NS;
    report_loop(j, j->f->port[other]);
}

/* False: the frame is one of this switch's own that has come back. */
static bool learn(struct journey *j, uint64_t source)
{
    struct port *from = j->from;
    uint16_t other = 0;
    if (source == from->mac)
        return true;
    uint64_t key = mac_key(source, from->config.network);
    bool uplink = from->config.kind == SWITCH_PORT_UPLINK;
    uint32_t max = uplink ? MAC_UPLINK_MAX : MAC_GUEST_MAX;
    if (from->config.filters & SWITCH_FILTER_NO_LEARN)
        max = 0;
    switch (mac_learn(&j->f->macs, key, j->p->vlan, (uint16_t)from->id, max, &other)) {
    case MAC_MOVED:
        address_moved(j, other);
        break;
    case MAC_TAKEN:
        if (!uplink) {
            port_count(from, SWITCH_MAC_MOVES, 1);
            break;
        }
        report_loop(j, j->f->port[other]);
        return false;
    default:
        break;
    }
    from->stat[SWITCH_MACS] = j->f->macs.learned[from->id];
    return true;
}

static struct port *find(const struct journey *j)
{
    uint64_t key = mac_key(j->to, j->from->config.network);
    const struct mac_entry *e = mac_find(&j->f->macs, key, MAC_ANY_VLAN);
    if (!e)
        e = mac_find(&j->f->macs, key, j->p->vlan);
    return e ? j->f->port[e->port] : NULL;
}

/* --- the whole way --- */

static bool let_in(struct journey *j)
{
    struct port *from = j->from;
    const struct switch_port *c = &from->config;
    uint64_t source = read_mac(j->p->head + 6);
    if (!c->link || c->kind == SWITCH_PORT_CAPTURE || !vlan_enter(c, j->p)) {
        port_count(from, c->link ? SWITCH_TX_FILTERED : SWITCH_TX_DROPPED, 1);
        return false;
    }
    if (c->filters & SWITCH_FILTER_SENDS && !filter_passes(c, j->p)) {
        port_count(from, SWITCH_TX_FILTERED, 1);
        return false;
    }
    if (!learn(j, source)) {
        port_count(from, SWITCH_TX_DROPPED, 1);
        return false;
    }
    return true;
}

static bool is_sane(struct journey *j)
{
    struct packet *p = j->p;
    uint32_t limit = j->network->config.mtu + ETHERNET + TAG_BYTES;
    if (MAC_IS_GROUP(read_mac(p->head + 6)) || !read_mac(p->head + 6))
        return false;
    if (!(p->flags & FRAME_GSO) && packet_length(p) > limit)
        return false;
    /* Only a NIC's driver and the host itself are believed. */
    if (j->from->config.kind == SWITCH_PORT_GUEST)
        p->flags &= (uint16_t)~FRAME_CSUM_GOOD;
    return offload_check(p, &j->layout);
}

/* False: the sender waits. */
static bool carry(struct journey *j)
{
    j->to = read_mac(j->p->head);
    struct port *to = MAC_IS_GROUP(j->to) ? NULL : find(j);
    if (to == j->from)
        return true; /* for its own side of the port */
    if (to && may_reach(j, to))
        return deliver(j, to);
    if (to || floods_too_much(j))
        port_count(j->from, SWITCH_TX_DROPPED, 1);
    else
        flood(j);
    return true;
}

enum forwarded forward(struct fabric *f, struct port *from, uint32_t pair, struct packet *p)
{
    struct journey j = {.f = f, .from = from, .p = p, .pair = pair};
    j.network = &f->network[from->config.network];
    /* A wire does not wait for a guest. */
    j.may_wait = from->config.kind != SWITCH_PORT_UPLINK;
    uint32_t length = packet_length(p);
    if (!rate_has(&from->out, f->now_ns)) {
        fabric_wait(f, from, rate_when(&from->out), NULL);
        return FORWARD_WAIT;
    }
    if (!is_sane(&j)) {
        port_count(from, SWITCH_TX_ERRORS, 1);
        return FORWARD_ERROR;
    }
    if (let_in(&j) && !carry(&j))
        return FORWARD_WAIT;
    rate_take(&from->out, length);
    port_count(from, SWITCH_TX_FRAMES, 1);
    port_count(from, SWITCH_TX_BYTES, length);
    if (from->config.mirror && vlan_leave(&from->config, p))
        mirror_frame(f, from, p);
    return FORWARDED;
}
