/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/nets.h"

#include <stdlib.h>
#include <string.h>
#include "vmm/e1000.h"
#include "vmm/virtio_net.h"

struct guest_net {
    struct net net;
    union {
        struct virtio_net virtio;
        struct e1000 e1000;
    } card;
    struct virtio_net_pair *pair;
};

static void init_card(struct guest_net *guest_net, struct pci_bus *bus, unsigned slot, uint8_t line)
{
    const struct vmm_net *setup = guest_net->net.config;
    if (setup->model == VMM_NET_E1000) {
        e1000_init(&guest_net->card.e1000, bus, slot, line, &guest_net->net);
        return;
    }
    guest_net->pair = calloc(setup->pairs, sizeof *guest_net->pair);
    if (!guest_net->pair)
        fatal("no memory for %u pairs of queues", setup->pairs);
    virtio_net_init(&guest_net->card.virtio, bus, slot, line, &guest_net->net, guest_net->pair);
}

void nets_init(struct nets *nets, struct pci_bus *bus, const struct vmm_config *config,
               const struct net_source *source, unsigned first_slot, uint8_t (*irq)(unsigned))
{
    *nets = (struct nets){.count = config->net_count};
    if (!nets->count)
        return;
    nets->net = calloc(nets->count, sizeof(*nets->net));
    if (!nets->net)
        fatal("no memory for %u network interfaces", nets->count);
    for (uint32_t i = 0; i < nets->count; i++) {
        net_init(&nets->net[i].net, bus->machine, &config->net[i], &source[i]);
        init_card(&nets->net[i], bus, first_slot + i, irq(first_slot + i));
    }
}

void nets_free(struct nets *nets)
{
    for (uint32_t i = 0; i < nets->count; i++)
        free(nets->net[i].pair);
    free(nets->net);
    *nets = (struct nets){0};
}

void nets_event(struct nets *nets)
{
    for (uint32_t i = 0; i < nets->count; i++)
        net_event(&nets->net[i].net);
}

void nets_announce(struct nets *nets)
{
    for (uint32_t i = 0; i < nets->count; i++) {
        if (nets->net[i].net.config->model == VMM_NET_VIRTIO)
            virtio_net_announce(&nets->net[i].card.virtio);
    }
}
