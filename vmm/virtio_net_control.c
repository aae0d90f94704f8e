/* SPDX-License-Identifier: BSD-2-Clause */
/* The control queue: what the guest lets in, its address, pairs and offloads. */
#include <string.h>
#include "vmm/virtio_net_queues.h"

#define COMMAND_ROUND 16u /* commands at a time; the driver waits for each */
#define ACK_OK        0u
#define ACK_ERR       1u
#define MAC_BYTES     6u
#define MACS_LISTED   1024u /* addresses of one table that are looked at */

enum control_class { CLASS_RX, CLASS_MAC, CLASS_VLAN, CLASS_ANNOUNCE, CLASS_MQ, CLASS_OFFLOADS };

/* Class and command, as one number. */
#define COMMAND(class, command) ((class) << 8 | (command))
#define RX_PROMISCUOUS          COMMAND(CLASS_RX, 0)
#define RX_ALL_MULTICAST        COMMAND(CLASS_RX, 1)
#define MAC_TABLE_SET           COMMAND(CLASS_MAC, 0)
#define MAC_ADDRESS_SET         COMMAND(CLASS_MAC, 1)
#define VLAN_ADD                COMMAND(CLASS_VLAN, 0)
#define VLAN_DELETE             COMMAND(CLASS_VLAN, 1)
#define ANNOUNCE_ACK            COMMAND(CLASS_ANNOUNCE, 0)
#define MQ_PAIRS_SET            COMMAND(CLASS_MQ, 0)
#define OFFLOADS_SET            COMMAND(CLASS_OFFLOADS, 0)
#define COMMAND_BYTES           2u

static bool net_has(const struct virtio_net *dev, uint64_t feature)
{
    return virtio_has(&dev->virtio, feature);
}

/* --- what the guest lets in --- */

static void show_listens(struct virtio_net *dev)
{
    uint32_t listens = 0;
    if (!net_has(dev, VIRTIO_NET_F_CTRL_RX) || dev->promiscuous || dev->macs_overflow)
        listens |= FRAME_LISTENS_ALL;
    if (dev->all_multicast || dev->multicast_overflow)
        listens |= FRAME_LISTENS_MULTICAST;
    /* A guest that bridges frames says so by asking for all of them, and adds no VLANs. */
    if (net_has(dev, VIRTIO_NET_F_CTRL_VLAN) && !dev->promiscuous)
        listens |= FRAME_LISTENS_VLANS;
    listens |= FRAME_LISTENS_LIST;
    __atomic_store_n(&dev->net->frames.channel->listens, listens, __ATOMIC_RELEASE);
    frame_owner_hears(&dev->net->frames);
}

void virtio_net_listen_anew(struct virtio_net *dev)
{
    struct frame_channel *channel = dev->net->frames.channel;
    dev->promiscuous = dev->all_multicast = dev->macs_overflow = dev->multicast_overflow = false;
    __atomic_store_n(&channel->list_macs, 0, __ATOMIC_RELAXED);
    memset(channel->list_vlan, 0, sizeof channel->list_vlan);
    show_listens(dev);
}

static bool read_switch(const struct virtio_net *dev, bool *to)
{
    uint8_t on;
    if (!net_has(dev, VIRTIO_NET_F_CTRL_RX) ||
        vq_chain_read(&dev->chain, COMMAND_BYTES, &on, 1) != 1 || on > 1)
        return false;
    *to = on;
    return true;
}

/* One of the two tables at `*at`; the addresses are appended to the channel's list. */
static bool read_macs(struct virtio_net *dev, uint64_t *at, uint32_t *listed, bool *overflow)
{
    struct frame_channel *channel = dev->net->frames.channel;
    uint32_t entries;
    if (vq_chain_read(&dev->chain, *at, &entries, sizeof entries) != sizeof entries)
        return false;
    *at += sizeof entries;
    if ((uint64_t)entries * MAC_BYTES > dev->chain.out_len - *at)
        return false;
    *overflow = entries > MACS_LISTED || entries > FRAME_MACS - *listed;
    for (uint32_t i = 0; i < entries && !*overflow; i++) {
        uint8_t mac[8] = {0};
        vq_chain_read(&dev->chain, *at + (uint64_t)i * MAC_BYTES, mac, MAC_BYTES);
        memcpy(channel->list_mac[(*listed)++], mac, sizeof mac);
    }
    *at += (uint64_t)entries * MAC_BYTES;
    return true;
}

static bool set_macs(struct virtio_net *dev)
{
    struct frame_channel *channel = dev->net->frames.channel;
    uint64_t at = COMMAND_BYTES;
    uint32_t listed = 0;
    if (!net_has(dev, VIRTIO_NET_F_CTRL_RX))
        return false;
    bool ok = read_macs(dev, &at, &listed, &dev->macs_overflow) &&
              read_macs(dev, &at, &listed, &dev->multicast_overflow);
    __atomic_store_n(&channel->list_macs, ok ? listed : 0, __ATOMIC_RELEASE);
    return ok;
}

static bool set_vlan(struct virtio_net *dev, bool on)
{
    struct frame_channel *channel = dev->net->frames.channel;
    uint16_t vlan;
    if (!net_has(dev, VIRTIO_NET_F_CTRL_VLAN) ||
        vq_chain_read(&dev->chain, COMMAND_BYTES, &vlan, sizeof vlan) != sizeof vlan ||
        vlan >= 4096)
        return false;
    uint64_t bit = 1ull << vlan % 64;
    if (on)
        channel->list_vlan[vlan / 64] |= bit;
    else
        channel->list_vlan[vlan / 64] &= ~bit;
    return true;
}

/* --- what takes an epoch --- */

static bool set_address(struct virtio_net *dev)
{
    uint8_t mac[MAC_BYTES];
    if (!net_has(dev, VIRTIO_NET_F_CTRL_MAC_ADDR) ||
        vq_chain_read(&dev->chain, COMMAND_BYTES, mac, sizeof mac) != sizeof mac || mac[0] & 1)
        return false;
    if (!memcmp(dev->virtio.config + VIRTIO_NET_CONFIG_MAC, mac, sizeof mac))
        return true;
    memcpy(dev->virtio.config + VIRTIO_NET_CONFIG_MAC, mac, sizeof mac);
    virtio_net_offer(dev);
    return true;
}

static bool set_pairs(struct virtio_net *dev)
{
    uint16_t pairs;
    if (!net_has(dev, VIRTIO_NET_F_MQ) ||
        vq_chain_read(&dev->chain, COMMAND_BYTES, &pairs, sizeof pairs) != sizeof pairs || !pairs ||
        pairs > dev->pairs)
        return false;
    if (pairs == dev->active)
        return true;
    dev->active = pairs;
    virtio_net_offer(dev);
    return true;
}

static bool set_offloads(struct virtio_net *dev)
{
    uint64_t offloads;
    if (!net_has(dev, VIRTIO_NET_F_GUEST_OFFLOADS) ||
        vq_chain_read(&dev->chain, COMMAND_BYTES, &offloads, sizeof offloads) != sizeof offloads ||
        offloads & ~(dev->virtio.driver_features & VIRTIO_NET_F_GUEST_ALL))
        return false;
    if (offloads == dev->offloads)
        return true;
    dev->offloads = offloads;
    virtio_net_offer(dev);
    return true;
}

/* --- the queue --- */

static bool acknowledge(struct virtio_net *dev)
{
    struct virtio_pci *virtio = &dev->virtio;
    uint32_t status = virtio_get_config(virtio, VIRTIO_NET_CONFIG_STATUS, 2);
    /* Not by virtio_set_config(): the driver knows, and needs no interrupt for it. */
    virtio->config[VIRTIO_NET_CONFIG_STATUS] = (uint8_t)(status & ~VIRTIO_NET_S_ANNOUNCE);
    return net_has(dev, VIRTIO_NET_F_GUEST_ANNOUNCE);
}

static bool obey(struct virtio_net *dev)
{
    uint8_t command[COMMAND_BYTES];
    if (vq_chain_read(&dev->chain, 0, command, sizeof command) != sizeof command)
        return false;
    switch (COMMAND(command[0], command[1])) {
    case RX_PROMISCUOUS:
        return read_switch(dev, &dev->promiscuous);
    case RX_ALL_MULTICAST:
        return read_switch(dev, &dev->all_multicast);
    case MAC_TABLE_SET:
        return set_macs(dev);
    case MAC_ADDRESS_SET:
        return set_address(dev);
    case VLAN_ADD:
        return set_vlan(dev, true);
    case VLAN_DELETE:
        return set_vlan(dev, false);
    case ANNOUNCE_ACK:
        return acknowledge(dev);
    case MQ_PAIRS_SET:
        return set_pairs(dev);
    case OFFLOADS_SET:
        return set_offloads(dev);
    default:
        return false;
    }
}

void virtio_net_control(struct virtio_net *dev, unsigned queue)
{
    for (unsigned i = 0; i < COMMAND_ROUND && virtio_pop(&dev->virtio, queue, &dev->chain); i++) {
        if (!dev->chain.in_len) {
            virtio_fail(&dev->virtio, "a command net_has no place for its answer");
            return;
        }
        uint8_t ack = (uint8_t)(obey(dev) ? ACK_OK : ACK_ERR);
        show_listens(dev);
        vq_chain_write(&dev->chain, 0, &ack, 1);
        virtio_push(&dev->virtio, queue, &dev->chain, 1);
    }
    virtio_interrupt(&dev->virtio, queue);
}
