/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/frame_owner.h"

#include <string.h>
#include "user/syscall_stubs.h"

void frame_owner_init(struct frame_owner *owner, struct frame_channel *channel, uint32_t pairs,
                      uint32_t notif, uint64_t bits)
{
    memset(owner, 0, sizeof(*owner));
    owner->channel = channel;
    owner->notif = notif;
    owner->bits = bits;
    owner->pairs = pairs < FRAME_PAIRS_MAX ? pairs : FRAME_PAIRS_MAX;
    /* An owner that follows one that died goes on counting where that one was. */
    owner->epoch = __atomic_load_n(&channel->epoch, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < owner->pairs; i++) {
        owner->send[i].ring = &channel->pair[i].send;
        owner->receive[i].ring = &channel->pair[i].receive;
    }
}

static void forget(struct frame_owner_ring *ring)
{
    ring->posted = 0;
    ring->taken = 0;
    ring->shown = 0;
}

void frame_owner_reset(struct frame_owner *owner, const struct frame_offer *offer)
{
    struct frame_channel *channel = owner->channel;
    uint32_t pairs = offer->pairs < owner->pairs ? offer->pairs : owner->pairs;
    __atomic_store_n(&channel->takes, offer->takes, __ATOMIC_RELAXED);
    __atomic_store_n(&channel->pairs, pairs, __ATOMIC_RELAXED);
    __atomic_store_n(&channel->owner_mtu, offer->owner_mtu, __ATOMIC_RELAXED);
    __atomic_store_n(&channel->headroom, offer->headroom, __ATOMIC_RELAXED);
    memcpy(channel->mac, offer->mac, sizeof(offer->mac));
    for (uint32_t i = 0; i < owner->pairs; i++) {
        forget(&owner->send[i]);
        forget(&owner->receive[i]);
    }
    /* Release: pairs with the switch's acquire; it sees the offer with the epoch. */
    __atomic_store_n(&channel->epoch, ++owner->epoch, __ATOMIC_RELEASE);
    sys_notif_signal(owner->notif, owner->bits);
}

void frame_owner_hears(struct frame_owner *owner)
{
    uint32_t *hearing = &owner->channel->hearing;
    /* Release: pairs with the switch's acquire; it sees what changed. */
    __atomic_store_n(hearing, *hearing + 1, __ATOMIC_RELEASE);
    sys_notif_signal(owner->notif, owner->bits);
}

bool frame_owner_ready(struct frame_owner *owner)
{
    /* Acquire: what the switch wrote to buffers of the epoch before is there. */
    return __atomic_load_n(&owner->channel->switch_epoch, __ATOMIC_ACQUIRE) == owner->epoch;
}

bool frame_owner_post(struct frame_owner_ring *ring, const struct frame_entry *entries, uint32_t n)
{
    if (n > frame_owner_room(ring))
        return false;
    for (uint32_t i = 0; i < n; i++)
        ring->ring->entry[(ring->posted + i) % FRAME_ENTRIES] = entries[i];
    ring->posted += n;
    return true;
}

void frame_owner_ring_bell(struct frame_owner *owner, struct frame_owner_ring *ring)
{
    if (ring->shown == ring->posted)
        return;
    ring->shown = ring->posted;
    __atomic_store_n(&ring->ring->posted, ring->posted, __ATOMIC_RELEASE);
    /* The fence orders the index before the look at the wish; the switch, about to wait, does the
     * same the other way round. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&ring->ring->switch_waits, __ATOMIC_RELAXED) &&
        __atomic_exchange_n(&ring->ring->switch_waits, 0, __ATOMIC_RELAXED))
        sys_notif_signal(owner->notif, owner->bits);
}

/* Entries that the switch has ended and the owner has not taken. */
static uint32_t ended(struct frame_owner_ring *ring, bool *lie)
{
    uint32_t count = __atomic_load_n(&ring->ring->ended, __ATOMIC_ACQUIRE) - ring->taken;
    *lie = count > ring->posted - ring->taken;
    return *lie ? 0 : count;
}

bool frame_owner_take(struct frame_owner *owner, struct frame_owner_ring *ring,
                      struct frame_entry *entry, uint32_t *index)
{
    bool lie;
    if (!ended(ring, &lie)) {
        owner->lies += lie;
        return false;
    }
    *index = ring->taken % FRAME_ENTRIES;
    *entry = ring->ring->entry[*index];
    ring->taken++;
    return true;
}

bool frame_owner_arm(struct frame_owner_ring *ring)
{
    bool lie;
    __atomic_store_n(&ring->ring->owner_waits, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return ended(ring, &lie) != 0;
}

bool frame_owner_changed(struct frame_owner *owner)
{
    uint32_t now = __atomic_load_n(&owner->channel->generation, __ATOMIC_ACQUIRE);
    bool changed = now != owner->generation;
    owner->generation = now;
    return changed;
}
