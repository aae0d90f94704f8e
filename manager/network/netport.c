/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/network/netport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "manager/network/netport_jobs.h"
#include "manager/network/network.h"
#include "manager/network/switch.h"
#include "manager/window.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

/* Page tables of an area of large pages, and for its ends, its channel and their levels. */
#define TABLES_DIVISOR 16384u
#define TABLES_PORT    (48u << 10)

enum netport_state {
    NETPORT_PREPARED, /* memory is there, the switch has not been told */
    NETPORT_ATTACH,   /* the switch will be told when it asks */
    NETPORT_ATTACHING,
    NETPORT_ATTACHED,
    NETPORT_REFUSED,
    NETPORT_DETACH,
    NETPORT_DETACHING
};

struct netport {
    enum netport_state state;
    const void *owner;
    uint32_t index;
    bool changed; /* since the switch was told */
    struct switch_attach attach;
    struct mem_block channel;
    uint32_t bell;                        /* slot: the switch's notification as the owner gets it */
    uint32_t notif;                       /* slot: the owner's as the switch gets it */
    uint32_t memory[SWITCH_MEMORIES_MAX]; /* slots: the owner's area, not ours */
};

static struct netport *ports[SWITCH_PORTS];
static uint64_t told[(SWITCH_NETWORKS + 63) / 64]; /* networks that the switch knows */
static uint64_t tells; /* networks it was told of and has not answered */

static void release(struct netport *port)
{
    ports[port->index] = NULL;
    if (port->notif) {
        sys_cap_revoke(port->notif);
        slot_free(port->notif);
    }
    if (port->bell) {
        sys_cap_revoke(port->bell);
        slot_free(port->bell);
    }
    physmem_free(&port->channel);
    free(port);
}

static const char *check(const struct netport_request *r, const struct network *network)
{
    static char why[SWITCH_NAME + 48];
    if (!network) {
        snprintf(why, sizeof(why), "there is no network %.63s", r->network);
        return why;
    }
    if (!switch_notif())
        return "there is no switch";
    if (r->pairs < 1 || r->pairs > FRAME_PAIRS_MAX)
        return "a port has 1 to 8 pairs of rings";
    if (!r->memory_count || r->memory_count > SWITCH_MEMORIES_MAX)
        return "its memory is in too many pieces";
    return NULL;
}

static struct netport *new_port(void)
{
    uint32_t index = 0;
    while (index < SWITCH_PORTS && ports[index])
        index++;
    struct netport *port = index < SWITCH_PORTS ? calloc(1, sizeof(*port)) : NULL;
    if (!port)
        return NULL;
    port->index = index;
    ports[index] = port;
    return port;
}

static const char *take(struct netport *port, const struct netport_request *r)
{
    int64_t status = physmem_alloc(&port->channel, frame_channel_bytes(r->pairs), PHYSMEM_PAGE,
                                   PHYSMEM_ANY_NODE);
    if (status != OK || window_zero(&port->channel) != OK)
        return "there is no memory for its channel";
    port->bell = slot_alloc();
    status = port->bell ? sys_cap_copy(SLOT_SELF_PD, port->bell, switch_notif(),
                                       RIGHT_WRITE | RIGHT_COPY, SWITCH_BIT_PORT(port->index))
                        : ERR_QUOTA;
    if (status != OK)
        return "no capability slots are left for it";
    return switch_allow_tables(netport_tables());
}

const char *netport_open(const struct netport_request *r, struct netport **out,
                         struct netport_grant *grant)
{
    const struct network *network = network_find(r->network);
    const char *why = check(r, network);
    if (why)
        return why;
    struct netport *port = new_port();
    if (!port)
        return "the switch has no more ports";
    port->owner = r->owner;
    port->attach = (struct switch_attach){
        .port = r->port, .pairs = r->pairs, .memories = r->memory_count, .fresh = 1};
    port->attach.port.network = network_index(network);
    for (uint32_t i = 0; i < r->memory_count; i++) {
        port->attach.memory_size[i] = r->memory[i].size;
        port->memory[i] = r->memory[i].slot;
    }
    why = take(port, r);
    if (why) {
        release(port);
        return why;
    }
    *grant = (struct netport_grant){.channel = port->channel.slot,
                                    .channel_bytes = port->channel.size,
                                    .bell = port->bell,
                                    .bell_bits = SWITCH_BIT_PORT(port->index)};
    *out = port;
    return NULL;
}

int64_t netport_attach(struct netport *port, uint32_t notif, uint64_t bits)
{
    port->notif = slot_alloc();
    int64_t status =
        port->notif ? sys_cap_copy(SLOT_SELF_PD, port->notif, notif, RIGHT_WRITE | RIGHT_COPY, bits)
                    : ERR_QUOTA;
    if (status != OK) {
        slot_free(port->notif);
        port->notif = 0;
        return status;
    }
    port->attach.owner_bits = bits;
    port->state = NETPORT_ATTACH;
    switch_job();
    return OK;
}

void netport_change(struct netport *port, const struct switch_port *to)
{
    uint32_t network = port->attach.port.network;
    port->attach.port = *to;
    port->attach.port.network = network;
    port->changed = true;
    switch_job();
}

void netport_mirror(const struct netport *of, const struct netport *to)
{
    struct netport *port = ports[of->index];
    port->attach.port.mirror = to ? 1 + to->index : 0;
    port->changed = true;
    switch_job();
}

bool netport_mirrors_to(const struct netport *of, const struct netport *to)
{
    return of->attach.port.mirror == 1 + to->index;
}

const struct switch_port *netport_config(const struct netport *port)
{
    return &port->attach.port;
}

const struct netport *netport_at(uint32_t index)
{
    return index < SWITCH_PORTS ? ports[index] : NULL;
}

bool netport_is_attached(const struct netport *port)
{
    return port->state == NETPORT_ATTACHED;
}

void netport_stats(const struct netport *port, uint64_t stat[SWITCH_PORT_STATS])
{
    const struct switch_status *status = switch_status();
    for (uint32_t i = 0; i < SWITCH_PORT_STATS; i++)
        stat[i] =
            status ? __atomic_load_n(&status->port_stat[port->index][i], __ATOMIC_RELAXED) : 0;
}

/* True if it becomes free by itself, when the switch has answered. */
static bool close_port(struct netport *port)
{
    switch (port->state) {
    case NETPORT_ATTACHING:
    case NETPORT_ATTACHED:
        port->state = NETPORT_DETACH;
        return true;
    case NETPORT_DETACH:
    case NETPORT_DETACHING:
        return true;
    case NETPORT_PREPARED:
    case NETPORT_ATTACH:
    case NETPORT_REFUSED:
        break;
    }
    release(port);
    return false;
}

bool netport_close_all(const void *owner)
{
    bool busy = false;
    for (uint32_t i = 0; i < SWITCH_PORTS; i++) {
        if (ports[i] && ports[i]->owner == owner)
            busy |= close_port(ports[i]);
    }
    if (busy)
        switch_job();
    return busy;
}

uint64_t netport_tables(void)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < SWITCH_PORTS; i++) {
        for (uint32_t m = 0; ports[i] && m < ports[i]->attach.memories; m++)
            bytes += ports[i]->attach.memory_size[m] / TABLES_DIVISOR + TABLES_PORT;
    }
    return bytes;
}

/* --- netport_jobs.h --- */

static bool next_network(struct utcb *utcb)
{
    for (uint32_t i = 0; i < network_count(); i++) {
        const struct network *n = network_at(i);
        if (told[i / 64] >> (i % 64) & 1)
            continue;
        told[i / 64] |= 1ull << (i % 64);
        tells++;
        struct switch_network job = {.mtu = n->mtu,
                                     .storm_limit = n->storm_limit,
                                     .isolated = n->isolated,
                                     .ageing_s = n->ageing_s};
        snprintf(job.name, sizeof(job.name), "%s", n->name);
        utcb->mr[1] = SWITCH_JOB_NETWORK;
        utcb->mr[2] = i;
        memcpy(&utcb->mr[SWITCH_PAYLOAD], &job, sizeof(job));
        return true;
    }
    return false;
}

static bool next_port(struct utcb *utcb, struct netport *port, uint64_t *caps)
{
    bool change = port->state == NETPORT_ATTACHED && port->changed;
    if (port->state != NETPORT_ATTACH && port->state != NETPORT_DETACH && !change)
        return false;
    utcb->mr[2] = port->index;
    if (change) {
        utcb->mr[1] = SWITCH_JOB_CHANGE;
        memcpy(&utcb->mr[SWITCH_PAYLOAD], &port->attach.port, sizeof(port->attach.port));
    } else if (port->state == NETPORT_DETACH) {
        utcb->mr[1] = SWITCH_JOB_DETACH;
        port->state = NETPORT_DETACHING;
        return true;
    } else {
        utcb->mr[1] = SWITCH_JOB_ATTACH;
        memcpy(&utcb->mr[SWITCH_PAYLOAD], &port->attach, sizeof(port->attach));
        utcb->send[0] = (struct utcb_cap){port->channel.slot, RIGHT_READ | RIGHT_WRITE};
        utcb->send[1] = (struct utcb_cap){port->notif, RIGHT_WRITE};
        *caps = 2;
        port->state = NETPORT_ATTACHING;
    }
    port->changed = false;
    return true;
}

uint64_t netport_next(struct utcb *utcb)
{
    const uint64_t words = SWITCH_PAYLOAD + (sizeof(struct switch_attach) + 7) / 8;
    uint64_t caps = 0;
    memset(utcb->mr, 0, words * 8);
    utcb->mr[0] = OK;
    if (next_network(utcb))
        return words;
    for (uint32_t i = 0; i < SWITCH_PORTS; i++) {
        if (ports[i] && next_port(utcb, ports[i], &caps)) {
            utcb->mr[3] = caps;
            return words | caps << 32;
        }
    }
    utcb->mr[1] = SWITCH_JOB_NONE;
    return SWITCH_PAYLOAD;
}

uint64_t netport_memory(struct utcb *utcb, uint64_t index, uint64_t first)
{
    const struct netport *port = index < SWITCH_PORTS ? ports[index] : NULL;
    uint64_t n = 0;
    bool known = port && (port->state == NETPORT_ATTACHING || port->state == NETPORT_DETACH);
    utcb->mr[0] = known ? OK : (uint64_t)ERR_ARG;
    for (;
         known && n < UTCB_CAPS && first < SWITCH_MEMORIES_MAX && first + n < port->attach.memories;
         n++)
        utcb->send[n] = (struct utcb_cap){port->memory[first + n], RIGHT_READ | RIGHT_WRITE};
    utcb->mr[1] = n;
    return 2 | n << 32;
}

static void attach_done(struct netport *port, uint64_t refusal)
{
    static const char *const why[] = {
        [SWITCH_REFUSED_PORT] = "the switch has no such port or network",
        [SWITCH_REFUSED_MEMORY] = "its memory cannot be mapped",
        [SWITCH_REFUSED_CONFIG] = "its settings contradict each other",
    };
    port->state = refusal ? NETPORT_REFUSED : NETPORT_ATTACHED;
    port->attach.fresh = refusal != 0;
    if (refusal && refusal < sizeof(why) / sizeof(why[0]))
        log_line("%s: no network: %s", port->attach.port.name, why[refusal]);
    else if (refusal)
        log_line("%s: no network: reason %llu", port->attach.port.name,
                 (unsigned long long)refusal);
}

bool netport_done(uint64_t job, uint64_t index, uint64_t refusal)
{
    if (job == SWITCH_JOB_NETWORK && tells) {
        tells--;
        return true;
    }
    struct netport *port = index < SWITCH_PORTS ? ports[index] : NULL;
    if (!port)
        return false;
    if (job == SWITCH_JOB_CHANGE)
        return true;
    /* Closed while it was being attached: its detachment is still to be told. */
    if (job == SWITCH_JOB_ATTACH && port->state == NETPORT_DETACH)
        return true;
    if (job == SWITCH_JOB_ATTACH && port->state == NETPORT_ATTACHING) {
        attach_done(port, refusal);
        return true;
    }
    if (job == SWITCH_JOB_DETACH && port->state == NETPORT_DETACHING) {
        release(port);
        return true;
    }
    return false;
}

bool netport_is_busy(void)
{
    for (uint32_t i = 0; i < SWITCH_PORTS; i++) {
        const struct netport *p = ports[i];
        if (p && ((p->state >= NETPORT_ATTACH && p->state <= NETPORT_ATTACHING) ||
                  p->state >= NETPORT_DETACH || (p->state == NETPORT_ATTACHED && p->changed)))
            return true;
    }
    return tells != 0;
}

void netport_switch_died(void)
{
    memset(told, 0, sizeof(told));
    tells = 0;
    for (uint32_t i = 0; i < SWITCH_PORTS; i++) {
        struct netport *port = ports[i];
        if (!port)
            continue;
        if (port->state == NETPORT_DETACH || port->state == NETPORT_DETACHING)
            release(port);
        else if (port->state >= NETPORT_ATTACH)
            port->state = NETPORT_ATTACH;
    }
}
