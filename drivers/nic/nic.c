/* SPDX-License-Identifier: BSD-2-Clause */
/* What holds for all chips: start, epochs of the channel, the watch over what hangs, and resets of
 * what does not behave. */
#include "drivers/nic/nic.h"

#include <string.h>
#include "user/program.h"
#include "user/syscall_stubs.h"

#define TICK_NS       1000000000ull
#define STUCK_TICKS   3u /* a chip that has sent nothing for so long, with the link up, hangs */
#define POLL_NS       1000000ull /* without an interrupt */
#define TROUBLE_NS    10000000000ull
#define TROUBLES_MAX  8u /* resets within TROUBLE_NS; then the manager has its turn */
#define TROUBLE_LINES 3u
#define MTU_DEFAULT   1500u

static void put_status(struct nic *nic)
{
    struct nic_status *s = nic->status;
    s->takes = nic->takes;
    s->pairs = nic->pairs;
    memcpy(s->mac, nic->mac, sizeof(nic->mac));
    __atomic_store_n(&s->speed, nic->wire.speed, __ATOMIC_RELAXED);
    __atomic_store_n(&s->full_duplex, nic->wire.full_duplex, __ATOMIC_RELAXED);
    __atomic_store_n(&s->link, nic->wire.up, __ATOMIC_RELAXED);
    __atomic_store_n(&s->state, nic->trouble ? NIC_STARTING : NIC_RUNNING, __ATOMIC_RELEASE);
}

void nic_distrust(struct nic *nic, const char *why)
{
    if (!nic->trouble)
        nic->trouble = why;
}

/* The manager's word of how many pairs there is a channel for, and the chip's, meet here. */
static uint32_t pairs_of(const struct nic *nic)
{
    uint32_t most = nic->config->channel_pairs;
    if (most > NIC_PAIRS)
        most = NIC_PAIRS;
    return nic->pairs < most ? nic->pairs : most;
}

static void clear_queues(struct nic *nic)
{
    for (uint32_t i = 0; i < NIC_PAIRS; i++) {
        struct nic_queue *q = &nic->queue[i];
        *q = (struct nic_queue){.nic = nic,
                                .index = i,
                                .rings = q->rings,
                                .rings_base = q->rings_base,
                                .pool = q->pool,
                                .pool_base = q->pool_base,
                                .pool_offset = q->pool_offset,
                                .virtio = q->virtio,
                                .rx_size = NIC_RING,
                                .send = &nic->owner.send[i],
                                .receive = &nic->owner.receive[i]};
        nic_pool_reset(q);
    }
}

/* A new epoch: what lay in the channel and in the chip is lost, as frames may be. */
static void ask_for_epoch(struct nic *nic)
{
    nic->active = pairs_of(nic);
    struct frame_offer offer = {
        .takes = nic->takes | FRAME_TAKES_MERGE, .pairs = nic->active, .owner_mtu = nic->mtu};
    nic->running = false;
    nic->waiting = nic->has_channel;
    if (!nic->has_channel)
        return;
    memcpy(offer.mac, nic->mac, sizeof(offer.mac));
    __atomic_store_n(&nic->owner.channel->listens, FRAME_LISTENS_ALL, __ATOMIC_RELAXED);
    frame_owner_reset(&nic->owner, &offer);
}

const char *nic_open(struct nic *nic)
{
    nic->trouble = NULL;
    nic->mtu_now = nic->mtu_now ? nic->mtu_now : MTU_DEFAULT;
    const char *why = nic->chip->reset(nic);
    if (!why && nic->trouble)
        why = nic->trouble;
    if (why)
        return why;
    nic_look_at_link(nic);
    ask_for_epoch(nic);
    nic->tick_at = nic->now + TICK_NS;
    put_status(nic);
    return NULL;
}

void nic_look_at_link(struct nic *nic)
{
    struct nic_link now = {0};
    nic->chip->link(nic, &now);
    bool changed = now.up != nic->wire.up || now.speed != nic->wire.speed;
    bool first = !nic->status->mac[0] && !nic->status->stat[NIC_LINK_CHANGES];
    nic->wire = now;
    if (nic->has_channel) {
        struct frame_channel *channel = nic->owner.channel;
        bool differs = channel->carrier != now.up || channel->speed != now.speed;
        __atomic_store_n(&channel->speed, now.speed, __ATOMIC_RELAXED);
        __atomic_store_n(&channel->carrier, now.up, __ATOMIC_RELEASE);
        if (differs)
            sys_notif_signal(nic->owner.notif, nic->owner.bits);
    }
    if (!changed && !first)
        return;
    nic_add(nic, NIC_LINK_CHANGES, changed);
    put_status(nic);
    if (now.up)
        log_line("%s: the link is up, %u Mbit/s", nic->config->name, now.speed);
    else
        log_line("%s: the link is down", nic->config->name);
}

/* The switch's page is copied once, so that what is checked is what is used. */
static void take_wishes(struct nic *nic)
{
    const struct frame_channel *channel = nic->owner.channel;
    uint32_t mtu = __atomic_load_n(&channel->mtu, __ATOMIC_RELAXED);
    nic->filter = *(volatile const struct frame_filter *)&channel->filter;
    if (nic->filter.macs > FRAME_MACS) {
        nic->filter.everything = 1;
        nic->filter.macs = 0;
        nic_add(nic, NIC_LIES, 1);
    }
    nic->mtu_now = mtu < FRAME_MTU_MIN || mtu > nic->mtu ? nic->mtu : mtu;
}

static void begin(struct nic *nic)
{
    clear_queues(nic);
    take_wishes(nic);
    const char *why = nic->chip->start(nic);
    if (why) {
        nic_distrust(nic, why);
        return;
    }
    nic->waiting = false;
    nic->running = true;
    nic->chip->filter(nic);
    for (uint32_t i = 0; i < nic->active; i++) {
        nic_refill(&nic->queue[i]);
        nic_post(&nic->queue[i]);
    }
    put_status(nic);
}

void nic_channel(struct nic *nic)
{
    if (!nic->has_channel)
        return;
    if (nic->waiting && frame_owner_ready(&nic->owner))
        begin(nic);
    if (nic->running && frame_owner_changed(&nic->owner)) {
        take_wishes(nic);
        nic->chip->filter(nic);
    }
}

bool nic_poll(struct nic *nic)
{
    bool work = false;
    if (!nic->running)
        return false;
    for (uint32_t i = 0; i < nic->active; i++) {
        work |= nic_receive(&nic->queue[i]);
        work |= nic_transmit(&nic->queue[i]);
    }
    if (work && !nic->tick_at)
        nic->tick_at = nic->now + TICK_NS;
    return work && !nic->trouble;
}

bool nic_arm(struct nic *nic)
{
    bool more = false;
    if (nic->running) {
        for (uint32_t i = 0; i < nic->active; i++) {
            struct nic_queue *q = &nic->queue[i];
            if (!q->tx_stalled)
                more |= frame_owner_arm(q->receive);
            /* Whose buffers come back matters only when the chip runs out of them. */
            if (q->rx_tail - q->rx_head < NIC_RING / 2)
                more |= frame_owner_arm(q->send);
        }
    }
    if (more)
        return true;
    return nic->chip->arm(nic);
}

void nic_interrupt(struct nic *nic, uint32_t vector)
{
    uint32_t causes = nic->chip->interrupt(nic, vector);
    nic_add(nic, NIC_INTERRUPTS, 1);
    if (causes & NIC_CAUSE_GONE)
        nic_distrust(nic, "it answers with ones only");
    else if (causes & NIC_CAUSE_LINK)
        nic_look_at_link(nic);
}

/* Frames that the chip has for long, and does not send. */
static void look_for_stuck(struct nic *nic)
{
    for (uint32_t i = 0; i < nic->active; i++) {
        struct nic_queue *q = &nic->queue[i];
        nic->chip->reap(q);
        bool stuck = q->tx_head != q->tx_tail && q->tx_head == nic->stuck_head[i] && nic->wire.up;
        nic->stuck_ticks[i] = stuck ? nic->stuck_ticks[i] + 1 : 0;
        nic->stuck_head[i] = q->tx_head;
        if (nic->stuck_ticks[i] >= STUCK_TICKS)
            nic_distrust(nic, "it has stopped to send");
    }
}

static bool is_outstanding(const struct nic *nic)
{
    for (uint32_t i = 0; i < nic->active; i++) {
        if (nic->queue[i].tx_head != nic->queue[i].tx_tail)
            return true;
    }
    return false;
}

void nic_tick(struct nic *nic)
{
    const uint64_t *stat = nic->status->stat;
    if (!nic->tick_at || nic->now < nic->tick_at)
        return;
    nic_look_at_link(nic);
    nic->chip->count(nic);
    if (nic->running)
        look_for_stuck(nic);
    uint64_t traffic = stat[NIC_RX_FRAMES] + stat[NIC_TX_FRAMES] + stat[NIC_RX_MISSED];
    /* An idle NIC costs nothing: the next frame brings the tick back. */
    bool idle = traffic == nic->traffic && !is_outstanding(nic) && !nic->waiting;
    nic->traffic = traffic;
    nic->tick_at = idle ? 0 : nic->now + TICK_NS;
}

uint64_t nic_wake(const struct nic *nic)
{
    if (!nic->config->irqs)
        return nic->now + POLL_NS;
    return nic->tick_at;
}

const char *nic_mend(struct nic *nic)
{
    const char *why = nic->trouble;
    if (!why)
        return NULL;
    nic_add(nic, NIC_RESETS, 1);
    if (nic->now - nic->troubles_since > TROUBLE_NS) {
        nic->troubles_since = nic->now;
        nic->troubles = 0;
    }
    if (++nic->troubles <= TROUBLE_LINES)
        nic_tell(nic, NIC_EVENT_TROUBLE, why);
    if (nic->troubles > TROUBLES_MAX)
        return why;
    return nic_open(nic);
}
