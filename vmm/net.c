/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/net.h"

#include <string.h>

/* What the switch says of the network, bounded. */
static void read_link(struct net *net)
{
    const struct frame_channel *channel = net->frames.channel;
    uint32_t mtu = __atomic_load_n(&channel->mtu, __ATOMIC_RELAXED);
    uint32_t own = net->config->mtu ? net->config->mtu : FRAME_MTU_MAX;
    net->link = __atomic_load_n(&channel->link, __ATOMIC_RELAXED) != 0;
    if (mtu > own)
        mtu = own;
    if (mtu >= FRAME_MTU_MIN && mtu <= FRAME_MTU_MAX)
        net->mtu = mtu;
}

void net_restart(struct net *net, const struct frame_offer *offer)
{
    net->restarting = true;
    frame_owner_reset(&net->frames, offer);
}

void net_yield(struct net *net)
{
    timer_arm(net->machine, &net->again, clock_ns(net->machine));
}

static void look_for_lies(struct net *net)
{
    if (net->frames.lies == net->lies_told)
        return;
    if (!net->lies_told)
        log_line("%s: the switch counts more frames than there are", net->config->target);
    net->lies_told = net->frames.lies;
}

void net_event(struct net *net)
{
    if (net->restarting && frame_owner_ready(&net->frames)) {
        net->restarting = false;
        net->owner.ready(net->owner.owner);
    }
    if (frame_owner_changed(&net->frames)) {
        read_link(net);
        net->owner.changed(net->owner.owner);
    }
    if (!net->restarting)
        net->owner.event(net->owner.owner);
    look_for_lies(net);
}

static void look_again(void *dev)
{
    net_event(dev);
}

void net_init(struct net *net, struct machine *machine, const struct vmm_net *config,
              const struct net_source *source)
{
    memset(net, 0, sizeof *net);
    net->config = config;
    net->machine = machine;
    net->again = (struct dev_timer){.fire = look_again, .dev = net};
    net->bounce = source->bounce;
    net->bounce_at = machine->ram_low + machine->ram_high;
    net->mtu = config->mtu ? config->mtu : 1500;
    frame_owner_init(&net->frames, source->channel, config->pairs, source->notif,
                     config->switch_bits);
    frame_owner_changed(&net->frames);
    read_link(net);
}
