/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/ahci/channel.h"

#include <stdlib.h>
#include <string.h>
#include "user/program.h"
#include "user/syscall_stubs.h"

static bool reachable(const struct hba *hba, const struct ahci_memory *m)
{
    uint64_t limit = hba->cap & CAP_S64A ? ~0ull : 1ull << 32;
    return !m->size || (!(m->base & 1) && m->base < limit && m->size <= limit - m->base);
}

static bool lies_on(const struct port *port, uint64_t first, uint64_t sectors)
{
    uint64_t total = disk_sectors(&port->disk);
    return first <= total && sectors <= total - first &&
           !((first | sectors) % (port->disk.block_size / BLK_SECTOR));
}

static enum ahci_refusal check_attach(const struct hba *hba, uint32_t index,
                                      const struct ahci_attach *a)
{
    if (index >= AHCI_CHANNELS || hba->channel[index])
        return AHCI_REFUSED_CHANNEL;
    if (a->port >= AHCI_PORTS)
        return AHCI_REFUSED_PORT;
    const struct port *port = &hba->port[a->port];
    if (!(hba->ports >> a->port & 1) || !port->present || port->state == PORT_FAILED)
        return AHCI_REFUSED_PORT;
    if (!lies_on(port, a->first_sector, a->sectors))
        return AHCI_REFUSED_RANGE;
    for (uint32_t i = 0; i < BLK_MEMORIES_MAX; i++) {
        if (!reachable(hba, &a->memory[i]))
            return AHCI_REFUSED_MEMORY;
    }
    return AHCI_REFUSED_NOT;
}

static void announce(struct channel *c)
{
    struct blk_channel *shared = c->shared;
    struct blk_geometry geometry;
    disk_geometry(&c->port->disk, &geometry, c->sectors, c->read_only);
    shared->geometry = geometry;
    __atomic_store_n(&shared->present, c->gone ? 0 : 1, __ATOMIC_RELEASE);
    __atomic_fetch_add(&shared->generation, 1, __ATOMIC_ACQ_REL);
}

/* Slots that are submitted, oldest first: what a driver that died has left, and what has come
 * since. Slots that it had ended are told of again: perhaps it died in between. */
static void take_over(struct channel *c)
{
    uint32_t order[BLK_SLOTS], n = 0;
    uint64_t sequence[BLK_SLOTS];
    /* Before the look at the slots. A word that is not 0 would keep the client from ringing. */
    __atomic_exchange_n(&c->shared->submitted, 0, __ATOMIC_ACQ_REL);
    for (uint32_t i = 0; i < BLK_SLOTS; i++) {
        const struct blk_slot *slot = &c->shared->slot[i];
        uint32_t state = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
        if (state == BLK_ENDED)
            c->ended |= 1ull << i;
        if (state != BLK_SUBMITTED)
            continue;
        uint64_t s = *(const volatile uint64_t *)&slot->sequence;
        uint32_t at = n++;
        for (; at && sequence[at - 1] > s; at--) {
            sequence[at] = sequence[at - 1];
            order[at] = order[at - 1];
        }
        sequence[at] = s;
        order[at] = i;
    }
    for (uint32_t i = 0; i < n; i++)
        request_take(c, order[i]);
    channel_count(c, AHCI_CHANNEL_REPLAYED, n);
    if (n)
        log_line("%s: %u requests that were submitted before are done", c->name, n);
}

enum ahci_refusal channel_attach(struct hba *hba, uint32_t index, const struct ahci_attach *attach,
                                 struct blk_channel *shared, uint32_t notif)
{
    enum ahci_refusal refusal = check_attach(hba, index, attach);
    if (refusal != AHCI_REFUSED_NOT)
        return refusal;
    struct port *port = &hba->port[attach->port];
    struct channel *c = calloc(1, sizeof(*c));
    if (!c)
        return AHCI_REFUSED_CHANNEL;
    c->shared = shared;
    c->port = port;
    c->index = index;
    c->notif = notif;
    c->client_bits = attach->client_bits;
    c->first_sector = attach->first_sector;
    c->sectors = attach->sectors ? attach->sectors : disk_sectors(&port->disk) - c->first_sector;
    c->read_only = attach->flags & AHCI_ATTACH_READ_ONLY || port->disk.packet;
    c->pending_tail = &c->pending;
    memcpy(c->memory, attach->memory, sizeof(c->memory));
    memcpy(c->name, attach->name, sizeof(c->name) - 1);
    memset(hba->status->channel_stat[index], 0, sizeof(hba->status->channel_stat[index]));
    hba->channel[index] = c;
    port->ring[port->ring_count++] = c;
    hba->now = time_ns();
    announce(c);
    take_over(c);
    schedule_issue(port);
    /* Always: a signal of the driver before may have been lost. */
    __atomic_fetch_or(&shared->ended, c->ended, __ATOMIC_ACQ_REL);
    c->ended = 0;
    sys_notif_signal(c->notif, c->client_bits);
    return AHCI_REFUSED_NOT;
}

enum ahci_refusal channel_resize(struct hba *hba, uint32_t index, uint64_t sectors)
{
    struct channel *c = index < AHCI_CHANNELS ? hba->channel[index] : NULL;
    if (!c || c->detaching)
        return AHCI_REFUSED_CHANNEL;
    if (!sectors || !lies_on(c->port, c->first_sector, sectors))
        return AHCI_REFUSED_RANGE;
    c->sectors = sectors;
    announce(c);
    sys_notif_signal(c->notif, c->client_bits);
    return AHCI_REFUSED_NOT;
}

bool channel_detach(struct hba *hba, uint32_t index)
{
    struct channel *c = hba->channel[index];
    if (!c->detaching) {
        c->detaching = true;
        request_drop_pending(c, BLK_GONE);
    }
    return !c->active;
}

struct blk_channel *channel_free(struct hba *hba, uint32_t index, uint32_t *notif)
{
    struct channel *c = hba->channel[index];
    struct blk_channel *shared = c->shared;
    struct port *port = c->port;
    uint32_t i = 0;
    channel_tell(c);
    while (port->ring[i] != c)
        i++;
    port->ring[i] = port->ring[--port->ring_count];
    port->turn = 0;
    __atomic_store_n(&shared->present, 0, __ATOMIC_RELEASE);
    *notif = c->notif;
    hba_unbill(hba, c);
    if (hba->bell)
        bell_flush(hba->bell);
    hba->channel[index] = NULL;
    hba->tell &= ~(1ull << index);
    free(c);
    return shared;
}

void channel_take(struct channel *c)
{
    if (c->detaching || c->port->hba->stopping)
        return;
    uint64_t bits = __atomic_exchange_n(&c->shared->submitted, 0, __ATOMIC_ACQ_REL);
    for (; bits; bits &= bits - 1)
        request_take(c, (uint32_t)__builtin_ctzll(bits));
}

void channel_tell(struct channel *c)
{
    if (!c->ended)
        return;
    uint64_t before = __atomic_fetch_or(&c->shared->ended, c->ended, __ATOMIC_ACQ_REL);
    c->ended = 0;
    if (!before)
        bell_signal(c->port->hba->bell, c->notif, c->client_bits);
    hba_bill(c->port->hba, c); /* the interrupt, too: whoever is told first pays for it */
}

void channel_present(struct channel *c)
{
    if (!c->gone)
        return;
    c->gone = false;
    announce(c);
    sys_notif_signal(c->notif, c->client_bits);
}

void channel_gone(struct channel *c)
{
    if (c->gone)
        return;
    c->gone = true;
    /* The disk's cache has lost its power, and what was in it. */
    if (c->port->disk.cache && c->writes != c->flushed)
        c->lost = true;
    announce(c);
    sys_notif_signal(c->notif, c->client_bits);
}
