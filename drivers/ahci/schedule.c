/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes to the disk next. Channels take turns by what their requests cost (deficit round
 * robin). Commands that are no NCQ commands run alone: what is queued drains first. A flush needs
 * to wait for no write that has not ended, so it overtakes its channel's own requests, and one
 * FLUSH CACHE serves all that wait for one. */
#include "drivers/ahci/channel.h"
#include "drivers/ahci/hba.h"

/* Bytes a turn: little, for a client with few requests at a time cannot use a long turn, and one
 * with many can. */
#define QUANTUM  (32 << 10)
#define OVERHEAD (16 << 10) /* what a command costs beside its bytes */
#define WATCH_NS (1000 * MS)

/* The channel whose turn it is, with something to do; NULL: nobody has. Who has nothing to do saves
 * nothing for later; a request that costs more than a turn is paid for by turns to come. */
static struct channel *next_channel(struct port *port)
{
    struct channel *some = NULL;
    uint32_t waiting = 0;
    for (uint32_t i = 0; i < port->ring_count && waiting < 2; i++) {
        if (!port->ring[i]->pending)
            continue;
        some = port->ring[i];
        waiting++;
    }
    if (waiting < 2) {
        if (some && some->credit <= 0) /* all turns are its own */
            some->credit = QUANTUM;
        return some;
    }
    for (;;) {
        struct channel *c = port->ring[port->turn % port->ring_count];
        if (c->pending && c->credit > 0)
            return c;
        port->turn = (port->turn + 1) % port->ring_count;
        c = port->ring[port->turn];
        if (c->pending)
            c->credit += QUANTUM;
        else if (c->credit > 0)
            c->credit = 0;
    }
}

static bool runs_alone(const struct port *port, const struct request *r)
{
    return port->disk.depth == 1 || r->op == BLK_DISCARD;
}

static void issue_request(struct port *port, struct channel *c)
{
    struct request *r = c->pending;
    uint32_t slot = command_build(port, r);
    c->credit -= (int64_t)port->command[slot].blocks * port->disk.block_size + OVERHEAD;
    if (r->op == BLK_DISCARD) /* no bytes travel */
        c->credit += (int64_t)port->command[slot].blocks * port->disk.block_size;
    if (!r->blocks) {
        c->pending = r->next;
        if (!c->pending)
            c->pending_tail = &c->pending;
    }
    command_issue(port, slot);
}

static void issue_flush(struct port *port)
{
    port->flush_active = port->flush_waiting;
    port->flush_waiting = NULL;
    port->stop_flushing = port->stop_flush;
    port->stop_flush = false;
    port->flush_credit = (uint32_t)__builtin_popcount(port->usable);
    command_issue(port, command_build_flush(port));
}

/* True: there may be room for more. */
static bool issue_new(struct port *port)
{
    if (!(port->usable & ~port->busy) || port->issued & ~port->queued)
        return false;
    struct channel *c = next_channel(port);
    bool flush = port->flush_waiting || port->stop_flush;
    /* Clients that flush all the time do not keep the others' queues empty. */
    if (flush && (!c || !port->flush_credit)) {
        if (!port->issued)
            issue_flush(port);
        return false;
    }
    if (!c || (port->issued && runs_alone(port, c->pending)))
        return false;
    if (port->flush_credit)
        port->flush_credit--;
    issue_request(port, c);
    return true;
}

/* True: nothing waits any more. */
static bool issue_again(struct port *port)
{
    while (port->again) {
        uint32_t slot = (uint32_t)__builtin_ctz(port->again);
        const struct command *c = &port->command[slot];
        bool single = c->kind > COMMAND_WRITE || port->disk.depth == 1;
        if (port->issued && (port->suspects || single || port->issued & ~port->queued))
            return false;
        port_count(port, AHCI_STAT_RETRIES);
        command_issue(port, slot);
    }
    return true;
}

void schedule_issue(struct port *port)
{
    if (port->state != PORT_READY)
        return;
    if (issue_again(port) && !port->suspects) {
        while (issue_new(port))
            ;
    }
    if (port->issued)
        port_wake_at(port, port->hba->now + WATCH_NS);
}

void schedule_flush(struct port *port, struct request *request)
{
    request->next = port->flush_waiting;
    port->flush_waiting = request;
}

void schedule_flushed(struct port *port, enum blk_status status)
{
    struct request *request = port->flush_active;
    port->flush_active = NULL;
    port->stop_flushing = false;
    while (request) {
        struct request *next = request->next;
        request_flushed(request, status);
        request = next;
    }
}
