/* SPDX-License-Identifier: BSD-2-Clause */
/* All network interfaces of a guest. Under machine.lock. */
#ifndef VMM_NETS_H
#define VMM_NETS_H

#include "vmm/net.h"
#include "vmm/pci.h"

struct guest_net;

struct nets {
    struct guest_net *net;
    uint32_t count;
};

/* source: one for each of config->net[]. Slots from first_slot on; irq: interrupt line register of
 * a slot. fatal() without memory. */
void nets_init(struct nets *nets, struct pci_bus *bus, const struct vmm_config *config,
               const struct net_source *source, unsigned first_slot, uint8_t (*irq)(unsigned));
void nets_free(struct nets *nets);
/* VMM_CTL_NET. */
void nets_event(struct nets *nets);
/* The guest stood still, or its neighbours may have forgotten where it is: it shall tell them. */
void nets_announce(struct nets *nets);

#endif
