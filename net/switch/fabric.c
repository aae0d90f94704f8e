/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/switch/fabric.h"

#include "net/switch/filter.h"
#include "net/switch/uplink.h"
#include "user/program.h"

#define FRAMES_A_TURN 64u /* of one pair of rings, before others have their turn */
#define NS_PER_S      1000000000ull

void fabric_init(struct fabric *f, struct switch_status *status, uint64_t seed, uint64_t now_ns)
{
    memset(f, 0, sizeof(*f));
    mac_table_init(&f->macs, seed);
    f->status = status;
    fabric_set_now(f, now_ns);
}

void fabric_set_now(struct fabric *f, uint64_t now_ns)
{
    f->now_ns = now_ns;
    f->macs.now_s = (uint32_t)(now_ns / NS_PER_S);
}

/* --- networks and ports --- */

static void choose_uplink(struct fabric *f, struct network *n)
{
    uint32_t before = n->uplink;
    n->uplink = NO_PORT;
    n->uplinks = 0;
    for (uint32_t i = 0; i < n->ports; i++) {
        const struct port *p = f->port[n->port[i]];
        if (p->config.kind != SWITCH_PORT_UPLINK)
            continue;
        n->uplinks++;
        if (n->uplink == NO_PORT && p->config.link && p->carrier)
            n->uplink = p->id;
    }
    if (n->uplink != before && n->uplinks)
        log_line("%s: %s", n->config.name,
                 n->uplink == NO_PORT ? "no wire is up" : f->port[n->uplink]->config.name);
}

static void announce(struct port *port, const struct network *n)
{
    bool uplink = port->config.kind == SWITCH_PORT_UPLINK;
    port_announce(port, port->config.link != 0, n->config.mtu, uplink ? &n->filter : NULL);
}

enum switch_refusal fabric_network(struct fabric *f, uint64_t index,
                                   const struct switch_network *config)
{
    if (index >= SWITCH_NETWORKS)
        return SWITCH_REFUSED_PORT;
    if (config->mtu < FRAME_MTU_MIN || config->mtu > FRAME_MTU_MAX || !config->ageing_s)
        return SWITCH_REFUSED_CONFIG;
    struct network *n = &f->network[index];
    if (!n->used)
        n->uplink = NO_PORT;
    n->used = true;
    n->config = *config;
    n->config.name[SWITCH_NAME - 1] = 0;
    f->macs.ageing_s[index] = config->ageing_s;
    for (uint32_t i = 0; i < n->ports; i++) {
        struct port *port = f->port[n->port[i]];
        bucket_set(&port->storm, config->storm_limit, config->storm_limit / 4 + 8, f->now_ns);
        announce(port, n);
    }
    return SWITCH_REFUSED_NOT;
}

static bool settings_are_sane(const struct fabric *f, const struct switch_port *c)
{
    if (c->kind > SWITCH_PORT_CAPTURE || c->vlan_mode > SWITCH_VLAN_TRUNK || c->vlan > 4094)
        return false;
    if (c->vlan_mode == SWITCH_VLAN_ACCESS && !c->vlan)
        return false;
    return c->network < SWITCH_NETWORKS && f->network[c->network].used && filter_is_sane(c) &&
           c->mirror <= SWITCH_PORTS;
}

/* What follows from the settings; the port is in the fabric. */
static void apply(struct fabric *f, struct port *port)
{
    struct network *n = &f->network[port->config.network];
    const struct switch_network *c = &n->config;
    port->config.name[SWITCH_NAME - 1] = 0;
    rate_set(&port->in, &port->config.inbound, f->now_ns);
    rate_set(&port->out, &port->config.outbound, f->now_ns);
    bucket_set(&port->storm, c->storm_limit, c->storm_limit / 4 + 8, f->now_ns);
    port->mac = read_mac(port->config.mac);
    if (port->mac &&
        !mac_own(&f->macs, mac_key(port->mac, port->config.network), (uint16_t)port->id))
        log_line("%s: its address is another port's, too", port->config.name);
    choose_uplink(f, n);
    uplink_listen(f, n);
    announce(port, n);
}

enum switch_refusal fabric_attach(struct fabric *f, struct port *port, bool fresh)
{
    if (port->id >= SWITCH_PORTS || f->port[port->id])
        return SWITCH_REFUSED_PORT;
    if (!settings_are_sane(f, &port->config) || !port->room_pairs ||
        port->room_pairs > FRAME_PAIRS_MAX)
        return SWITCH_REFUSED_CONFIG;
    struct network *n = &f->network[port->config.network];
    port->stat = f->status->port_stat[port->id];
    if (fresh)
        memset(port->stat, 0, sizeof(f->status->port_stat[0]));
    f->port[port->id] = port;
    n->port[n->ports++] = (uint16_t)port->id;
    port->carrier = __atomic_load_n(&port->channel->carrier, __ATOMIC_RELAXED) != 0;
    port->patience_at = f->now_ns;
    port_open(port);
    apply(f, port);
    bit_set(f->ready, port->id);
    bit_set(f->moved, port->id);
    return SWITCH_REFUSED_NOT;
}

static void forget_port(struct fabric *f, const struct port *port)
{
    mac_forget_port(&f->macs, (uint16_t)port->id);
    mac_disown(&f->macs, mac_key(port->mac, port->config.network), (uint16_t)port->id);
}

enum switch_refusal fabric_change(struct fabric *f, uint64_t index,
                                  const struct switch_port *config)
{
    struct port *port = index < SWITCH_PORTS ? f->port[index] : NULL;
    if (!port || config->network != port->config.network)
        return SWITCH_REFUSED_PORT;
    if (!settings_are_sane(f, config))
        return SWITCH_REFUSED_CONFIG;
    forget_port(f, port);
    port->config = *config;
    apply(f, port);
    bit_set(f->ready, port->id);
    return SWITCH_REFUSED_NOT;
}

/* What a guest keeps its senders waiting, it pays for. A wire that is slower than they are is
 * nobody's fault. */
static void pay(const struct fabric *f, struct port *to, const struct port *sender)
{
    if (to->config.kind != SWITCH_PORT_GUEST)
        return;
    uint64_t waited = f->now_ns - sender->wait_from;
    to->patience -= to->patience < waited ? to->patience : waited;
}

static void wake_senders(struct fabric *f, struct port *to)
{
    for (uint32_t w = 0; w < PORT_WORDS; w++) {
        for (uint64_t bits = to->waiting[w]; bits; bits &= bits - 1) {
            uint32_t id = w * 64 + (uint32_t)__builtin_ctzll(bits);
            struct port *port = f->port[id];
            if (!port)
                continue;
            pay(f, to, port);
            port->wait_until = 0;
            port->waits_for = 0;
            bit_clear(f->timed, id);
            bit_set(f->ready, id);
        }
        to->waiting[w] = 0;
    }
}

struct port *fabric_detach(struct fabric *f, uint64_t index)
{
    struct port *port = index < SWITCH_PORTS ? f->port[index] : NULL;
    if (!port)
        return NULL;
    struct network *n = &f->network[port->config.network];
    port_show(port);
    wake_senders(f, port);
    if (port->waits_for && f->port[port->waits_for - 1])
        bit_clear(f->port[port->waits_for - 1]->waiting, port->id);
    forget_port(f, port);
    uint32_t i = 0;
    while (n->port[i] != port->id)
        i++;
    n->ports--;
    memmove(&n->port[i], &n->port[i + 1], (n->ports - i) * sizeof(n->port[0]));
    f->port[port->id] = NULL;
    bit_clear(f->ready, port->id);
    bit_clear(f->moved, port->id);
    bit_clear(f->timed, port->id);
    choose_uplink(f, n);
    uplink_listen(f, n);
    return port;
}

/* --- what is to be done --- */

void fabric_wait(struct fabric *f, struct port *port, uint64_t until, struct port *for_room)
{
    port->wait_from = f->now_ns;
    port->wait_until = until;
    port->waits_for = for_room ? for_room->id + 1 : 0;
    bit_set(f->timed, port->id);
    if (!for_room)
        return;
    bit_set(for_room->waiting, port->id);
    /* The owner is to see what has ended, so that it can post it again. */
    bit_set(f->moved, for_room->id);
}

static void follow(struct fabric *f, struct port *port)
{
    bool follows = port_follow(port);
    if (follows)
        wake_senders(f, port);
    if (uplink_hears(f, port) || follows)
        uplink_listen(f, &f->network[port->config.network]);
    bool carrier = __atomic_load_n(&port->channel->carrier, __ATOMIC_RELAXED) != 0;
    if (carrier == port->carrier)
        return;
    port->carrier = carrier;
    /* What was behind the wire may come up at another. */
    mac_forget_port(&f->macs, (uint16_t)port->id);
    choose_uplink(f, &f->network[port->config.network]);
}

void fabric_signalled(struct fabric *f, uint64_t bits)
{
    for (bits >>= 16; bits; bits &= bits - 1) {
        for (uint32_t id = (uint32_t)__builtin_ctzll(bits); id < SWITCH_PORTS;
             id += SWITCH_PORT_BITS) {
            struct port *port = f->port[id];
            if (!port)
                continue;
            follow(f, port);
            wake_senders(f, port);
            if (!port->wait_until)
                bit_set(f->ready, id);
        }
    }
}

/* True if its rings may hold more. */
static bool run_pair(struct fabric *f, struct port *port, uint32_t pair)
{
    struct packet p;
    uint32_t entries;
    for (uint32_t i = 0; i < FRAMES_A_TURN; i++) {
        enum port_frame next = port_next(port, pair, &p, &entries);
        if (next == PORT_NONE)
            return false;
        if (next == PORT_MALFORMED) {
            port_count(port, SWITCH_TX_ERRORS, 1);
            port_sent(port, pair, entries, true);
            continue;
        }
        enum forwarded done = forward(f, port, pair, &p);
        if (done == FORWARD_WAIT)
            return false;
        port_sent(port, pair, entries, done == FORWARD_ERROR);
    }
    return true;
}

static void run_port(struct fabric *f, struct port *port)
{
    bool more = false;
    follow(f, port);
    for (uint32_t pair = 0; pair < port->pairs && !port->wait_until; pair++)
        more |= run_pair(f, port, pair);
    bit_set(f->moved, port->id);
    /* One that waits is made ready by what it waits for; the others sleep only when they are armed.
     */
    if (port->wait_until || (!more && !port_arm(port)))
        return;
    bit_set(f->ready, port->id);
}

static void show_all(struct fabric *f)
{
    for (uint32_t w = 0; w < PORT_WORDS; w++) {
        uint64_t bits = f->moved[w];
        f->moved[w] = 0;
        for (; bits; bits &= bits - 1) {
            struct port *port = f->port[w * 64 + (uint32_t)__builtin_ctzll(bits)];
            if (port)
                port_show(port);
        }
    }
}

/* Receivers that senders wait for say when they have buffers again; some may have them by now. */
static void arm_receivers(struct fabric *f)
{
    for (uint32_t w = 0; w < PORT_WORDS; w++) {
        for (uint64_t bits = f->timed[w]; bits; bits &= bits - 1) {
            const struct port *sender = f->port[w * 64 + (uint32_t)__builtin_ctzll(bits)];
            struct port *to = sender->waits_for ? f->port[sender->waits_for - 1] : NULL;
            bool room = false;
            for (uint32_t i = 0; to && i < to->pairs; i++)
                room |= port_arm_receive(to, i);
            if (room)
                wake_senders(f, to);
        }
    }
}

bool fabric_run(struct fabric *f)
{
    uint64_t ready[PORT_WORDS], left = 0;
    memcpy(ready, f->ready, sizeof(ready));
    memset(f->ready, 0, sizeof(f->ready));
    for (uint32_t w = 0; w < PORT_WORDS; w++) {
        for (uint64_t bits = ready[w]; bits; bits &= bits - 1) {
            struct port *port = f->port[w * 64 + (uint32_t)__builtin_ctzll(bits)];
            if (port)
                run_port(f, port);
        }
    }
    show_all(f);
    arm_receivers(f);
    for (uint32_t w = 0; w < PORT_WORDS; w++)
        left |= f->ready[w];
    return left != 0;
}

uint64_t fabric_wake(const struct fabric *f)
{
    uint64_t first = 0;
    for (uint32_t w = 0; w < PORT_WORDS; w++) {
        for (uint64_t bits = f->timed[w]; bits; bits &= bits - 1) {
            uint64_t at = f->port[w * 64 + (uint32_t)__builtin_ctzll(bits)]->wait_until;
            if (!first || at < first)
                first = at;
        }
    }
    return first;
}

void fabric_timer(struct fabric *f)
{
    for (uint32_t w = 0; w < PORT_WORDS; w++) {
        for (uint64_t bits = f->timed[w]; bits; bits &= bits - 1) {
            uint32_t id = w * 64 + (uint32_t)__builtin_ctzll(bits);
            struct port *port = f->port[id];
            if (port->wait_until > f->now_ns)
                continue;
            struct port *to = port->waits_for ? f->port[port->waits_for - 1] : NULL;
            if (to) {
                bit_clear(to->waiting, id);
                to->patience = 0; /* in vain: those that come next do not wait */
            }
            port->wait_until = 0;
            port->waits_for = 0;
            bit_clear(f->timed, id);
            bit_set(f->ready, id);
        }
    }
}
