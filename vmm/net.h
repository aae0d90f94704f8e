/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's network interface behind whatever card the guest sees: the owner's side of a frame
 * channel (user/frame.h), whose area is the guest's memory, and behind it, for cards that need it,
 * memory of the VMM's own.
 *
 * Epochs: a card that is reset, or offers something else, restarts the channel. From then on it
 * posts nothing until `ready` is called; what was posted before is the switch's until then.
 *
 * All functions and callbacks run under machine.lock. */
#ifndef VMM_NET_H
#define VMM_NET_H

#include "user/frame_owner.h"
#include "vmm/config.h"
#include "vmm/device.h"

/* What the interface stands on, as this process sees it. */
struct net_source {
    struct frame_channel *channel;
    uint8_t *bounce; /* vmm_net.bounce_size bytes; NULL: none */
    uint32_t notif;  /* slot of the switch's notification */
};

/* The card that the guest sees. */
struct net_owner {
    /* The switch has followed: the rings are empty, buffers may be posted. */
    void (*ready)(void *owner);
    /* net->link or net->mtu changed, or the switch was restarted. */
    void (*changed)(void *owner);
    /* Entries may have ended. */
    void (*event)(void *owner);
    void *owner;
};

struct net {
    const struct vmm_net *config;
    struct machine *machine;
    struct net_owner owner;
    struct frame_owner frames;
    uint8_t *bounce;
    uint64_t bounce_at; /* its offset in the area: behind guest memory */
    bool restarting;    /* an epoch has begun that the switch has not followed */
    bool link;
    uint32_t mtu; /* bytes of payload, that the network and the definition allow */
    uint64_t lies_told;
    struct dev_timer again;
};

void net_init(struct net *net, struct machine *machine, const struct vmm_net *config,
              const struct net_source *source);
/* Begins an epoch: net_owner.ready() follows. */
void net_restart(struct net *net, const struct frame_offer *offer);
/* net_owner.event is called soon, with the lock free in between. */
void net_yield(struct net *net);
/* VMM_CTL_NET. */
void net_event(struct net *net);

/* Guest memory in the area: what guest_ptr() gave. */
static inline uint64_t net_offset(const struct net *net, const uint8_t *data)
{
    uint64_t gpa = (uint64_t)(data - net->machine->guest_base);
    /* The area has the pieces of RAM without the hole between them. */
    return gpa < GUEST_HIGH_RAM ? gpa : gpa - GUEST_HIGH_RAM + net->machine->ram_low;
}

#endif
