/* SPDX-License-Identifier: BSD-2-Clause */
/* The device as a whole: features, configuration, epochs. Its queues: virtio_net_tx.c,
 * virtio_net_rx.c, virtio_net_control.c. */
#include <string.h>
#include "vmm/virtio_net_queues.h"

#define NET_QUEUE_SIZE 256u
#define SETTLE_NS      4000000ull /* how late the guest may hear of sent frames */
#define SPEED_MBPS     10000u     /* a guest wants some figure */

/* What the guest takes uncut, as the switch is told. */
static uint32_t takes_of(const struct virtio_net *dev)
{
    static const struct {
        uint64_t features;
        uint32_t takes;
    } map[] = {
        {VIRTIO_NET_F_GUEST_CSUM, FRAME_TAKES_CSUM},
        {VIRTIO_NET_F_GUEST_TSO4, FRAME_TAKES_TCP4},
        {VIRTIO_NET_F_GUEST_TSO6, FRAME_TAKES_TCP6},
        {VIRTIO_NET_F_GUEST_ECN, FRAME_TAKES_ECN},
        {VIRTIO_NET_F_GUEST_USO4 | VIRTIO_NET_F_GUEST_USO6, FRAME_TAKES_UDP},
    };
    uint32_t takes = virtio_has(&dev->virtio, VIRTIO_NET_F_MRG_RXBUF) ? FRAME_TAKES_MERGE : 0;
    for (unsigned i = 0; i < sizeof map / sizeof map[0]; i++) {
        if ((dev->offloads & map[i].features) == map[i].features)
            takes |= map[i].takes;
    }
    return takes;
}

static void begin_epoch(struct virtio_net *dev, uint32_t takes, uint32_t pairs)
{
    struct frame_offer offer = {
        .takes = takes, .pairs = pairs, .owner_mtu = dev->net->mtu, .headroom = VIRTIO_NET_HDR};
    memcpy(offer.mac, dev->virtio.config + VIRTIO_NET_CONFIG_MAC, sizeof offer.mac);
    net_restart(dev->net, &offer);
}

void virtio_net_offer(struct virtio_net *dev)
{
    for (uint32_t i = 0; i < dev->pairs; i++) {
        virtio_net_tx_void(dev, i);
        virtio_net_rx_unpost(dev, i);
    }
    begin_epoch(dev, takes_of(dev), dev->active);
}

/* --- the queues --- */

static void settle_later(struct virtio_net *dev, uint64_t ns)
{
    if (dev->settle.place == 0)
        timer_arm(dev->virtio.machine, &dev->settle, clock_ns(dev->virtio.machine) + ns);
}

/* Frames that were sent are given back when others come in, when there are many, or by the timer:
 * a guest is seldom in a hurry for them, and each signal costs. */
static void serve_pair(struct virtio_net *dev, uint32_t i, bool look_for_received)
{
    struct virtio_pci *virtio = &dev->virtio;
    bool received = look_for_received && virtio_net_receive(dev, i);
    bool sent = virtio_net_reap(dev, i);
    bool again = virtio_net_send(dev, i);
    virtio_net_fill(dev, i);
    if (received)
        virtio_interrupt(virtio, 2 * i);
    if (sent && !received && look_for_received)
        virtio_interrupt(virtio, 2 * i + 1);
    else if (sent)
        dev->late |= 1u << i;
    if (again)
        settle_later(dev, 0);
    else if (dev->late || dev->pair[i].chains_sent)
        settle_later(dev, SETTLE_NS);
}

static void settle(void *owner)
{
    struct virtio_net *dev = owner;
    uint32_t late = dev->late;
    dev->late = 0;
    if (!dev->running || dev->net->restarting)
        return;
    for (; late; late &= late - 1)
        virtio_interrupt(&dev->virtio, 2 * (unsigned)__builtin_ctz(late) + 1);
    for (uint32_t i = 0; i < dev->active; i++)
        serve_pair(dev, i, true);
}

static void net_card_event(void *owner)
{
    struct virtio_net *dev = owner;
    for (uint32_t i = 0; dev->running && i < dev->active; i++)
        serve_pair(dev, i, true);
}

static void net_card_ready(void *owner)
{
    struct virtio_net *dev = owner;
    dev->stopping = false;
    if (!dev->running)
        return;
    for (uint32_t i = 0; i < dev->pairs; i++)
        virtio_net_tx_give_back(dev, i);
    for (uint32_t i = 0; i < dev->active; i++)
        serve_pair(dev, i, true);
}

static void start_queues(struct virtio_net *dev)
{
    dev->running = true;
    dev->offloads = dev->virtio.driver_features & VIRTIO_NET_F_GUEST_ALL;
    virtio_net_listen_anew(dev);
    virtio_net_offer(dev);
}

static void net_notify(void *owner, unsigned queue)
{
    struct virtio_net *dev = owner;
    unsigned control = virtio_has(&dev->virtio, VIRTIO_NET_F_MQ) ? 2 * dev->pairs : 2;
    if (!dev->running && !dev->stopping)
        start_queues(dev);
    if (queue == control && virtio_has(&dev->virtio, VIRTIO_NET_F_CTRL_VQ))
        virtio_net_control(dev, queue);
    else if (queue / 2 < dev->active && dev->running && !dev->net->restarting)
        serve_pair(dev, queue / 2, false);
}

/* --- reset --- */

static void net_reset(void *owner)
{
    struct virtio_net *dev = owner;
    bool was_running = dev->running;
    dev->running = false;
    dev->offloads = 0;
    dev->late = 0;
    dev->active = 1;
    timer_cancel(dev->net->machine, &dev->settle);
    memset(dev->pair, 0, dev->pairs * sizeof *dev->pair);
    memcpy(dev->virtio.config + VIRTIO_NET_CONFIG_MAC, dev->net->config->mac, 6);
    virtio_net_show(dev);
    if (!was_running)
        return;
    dev->stopping = true;
    begin_epoch(dev, 0, 1);
}

/* The switch may still write to what was posted before. */
static bool net_busy(void *owner)
{
    const struct virtio_net *dev = owner;
    return dev->stopping;
}

/* --- configuration --- */

void virtio_net_show(struct virtio_net *dev)
{
    struct virtio_pci *virtio = &dev->virtio;
    uint32_t status = virtio_get_config(virtio, VIRTIO_NET_CONFIG_STATUS, 2);
    status &= VIRTIO_NET_S_ANNOUNCE;
    if (dev->net->link)
        status |= VIRTIO_NET_S_LINK_UP;
    if (!(virtio->status & VIRTIO_FEATURES_OK)) {
        status &= ~VIRTIO_NET_S_ANNOUNCE;
        virtio_set_config(virtio, VIRTIO_NET_CONFIG_MTU, 2, dev->net->mtu);
    }
    virtio_set_config(virtio, VIRTIO_NET_CONFIG_STATUS, 2, status);
}

void virtio_net_announce(struct virtio_net *dev)
{
    uint64_t both = VIRTIO_NET_F_GUEST_ANNOUNCE | VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_STATUS;
    uint32_t status = virtio_get_config(&dev->virtio, VIRTIO_NET_CONFIG_STATUS, 2);
    if (dev->running && dev->net->link && virtio_has(&dev->virtio, both))
        virtio_set_config(&dev->virtio, VIRTIO_NET_CONFIG_STATUS, 2,
                          status | VIRTIO_NET_S_ANNOUNCE);
}

/* Whatever it was, the switch may have to learn anew where the guest is. */
static void net_card_changed(void *owner)
{
    virtio_net_show(owner);
    virtio_net_announce(owner);
}

static uint64_t net_features(const struct vmm_net *config)
{
    static const struct {
        uint32_t without;
        uint64_t features;
    } optional[] = {
        {VMM_NET_HOST_CSUM, VIRTIO_NET_F_CSUM},
        {VMM_NET_HOST_TSO4, VIRTIO_NET_F_HOST_TSO4},
        {VMM_NET_HOST_TSO6, VIRTIO_NET_F_HOST_TSO6},
        {VMM_NET_HOST_ECN, VIRTIO_NET_F_HOST_ECN},
        {VMM_NET_HOST_USO, VIRTIO_NET_F_HOST_USO},
        {VMM_NET_MRG_RXBUF, VIRTIO_NET_F_MRG_RXBUF},
        {VMM_NET_GUEST_CSUM, VIRTIO_NET_F_GUEST_CSUM},
        {VMM_NET_GUEST_TSO4, VIRTIO_NET_F_GUEST_TSO4},
        {VMM_NET_GUEST_TSO6, VIRTIO_NET_F_GUEST_TSO6},
        {VMM_NET_GUEST_ECN, VIRTIO_NET_F_GUEST_ECN},
        {VMM_NET_GUEST_USO, VIRTIO_NET_F_GUEST_USO4 | VIRTIO_NET_F_GUEST_USO6},
    };
    uint64_t features = VIRTIO_NET_F_GUEST_OFFLOADS | VIRTIO_NET_F_MTU | VIRTIO_NET_F_MAC |
                        VIRTIO_NET_F_STATUS | VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_CTRL_RX |
                        VIRTIO_NET_F_CTRL_VLAN | VIRTIO_NET_F_GUEST_ANNOUNCE |
                        VIRTIO_NET_F_CTRL_MAC_ADDR | VIRTIO_NET_F_SPEED_DUPLEX;
    for (unsigned i = 0; i < sizeof optional / sizeof optional[0]; i++)
        features |= config->without & optional[i].without ? 0 : optional[i].features;
    return config->pairs > 1 ? features | VIRTIO_NET_F_MQ : features;
}

void virtio_net_init(struct virtio_net *dev, struct pci_bus *bus, unsigned slot,
                     uint8_t interrupt_line, struct net *net, struct virtio_net_pair *pair)
{
    memset(dev, 0, sizeof *dev);
    dev->net = net;
    dev->pair = pair;
    dev->pairs = net->config->pairs;
    dev->settle = (struct dev_timer){.fire = settle, .dev = dev};
    dev->type = (struct virtio_type){.name = "virtio-net",
                                     .id = 1,
                                     .class_code = 0x020000,
                                     .queues = (uint8_t)(2 * dev->pairs + 1),
                                     .queue_size = NET_QUEUE_SIZE,
                                     .features = net_features(net->config),
                                     .config_size = VIRTIO_NET_CONFIG_SIZE,
                                     .queue_notify = net_notify,
                                     .reset = net_reset,
                                     .busy = net_busy};
    net->owner = (struct net_owner){net_card_ready, net_card_changed, net_card_event, dev};
    virtio_pci_init(&dev->virtio, bus, slot, interrupt_line, &dev->type, dev);
    virtio_set_config(&dev->virtio, VIRTIO_NET_CONFIG_PAIRS, 2, dev->pairs);
    virtio_set_config(&dev->virtio, VIRTIO_NET_CONFIG_SPEED, 4, SPEED_MBPS);
    virtio_set_config(&dev->virtio, VIRTIO_NET_CONFIG_DUPLEX, 1, 1);
}
