/* SPDX-License-Identifier: BSD-2-Clause */
/* Network interface controllers: a driver process each, started, watched, restarted. They are eth0,
 * eth1 ... in the order of their PCI addresses; a network that names one has it as its uplink. */
#ifndef MANAGER_NETWORK_NIC_H
#define MANAGER_NETWORK_NIC_H

#include <stdbool.h>
#include <stdint.h>
#include "abi/utcb.h"
#include "drivers/nic/protocol.h"
#include "manager/host/hostpci.h"
#include "manager/network/netport.h"
#include "manager/protocol.h"
#include "manager/life.h"

#define NICS 16u
/* Badges of the drivers' portals. */
#define NIC_BADGE (1ull << 35)
/* Bit of the manager's notification for a driver's faults. */
#define NIC_FAULT_BIT (1ull << 62)

struct nic_model {
    uint16_t vendor, device;
    const char *chip;
    enum nic_kind kind;
    uint32_t bar; /* of its registers; virtio's capabilities say which */
};

struct nic {
    const struct pci_device *device;
    const struct nic_model *model;
    uint32_t index;
    char name[16];    /* "eth0" */
    char address[16]; /* "0000:00:02.0" */
    struct life life;
    uint32_t notif; /* outlives the process, as the switch has it */
    uint32_t bar, registers, dma_space;
    bool is_confined;
    uint32_t irqs;
    bool has_messages; /* MSI-X: a vector a cause */
    struct hostpci_irq irq[NIC_IRQS];
    struct mem_block rings, pool, status_memory;
    const struct nic_status *status; /* mapped; the driver writes it */
    struct nic_virtio virtio;
    struct netport *port; /* NULL: no network names it */
    char network[SWITCH_NAME];
    struct netport_grant grant;
    bool failed; /* said so, or hung: the function is reset before the next try */
};

struct nic_setup {
    uint32_t portal, notif; /* the manager's */
    /* Makes room for so many bytes of kernel memory; NULL or why not. */
    const char *(*ensure_kernel_memory)(uint64_t quota);
};

/* Starts a driver for each NIC that is known. After the switch. */
void nic_start(const struct nic_setup *setup);
uint32_t nic_count(void);
const struct nic *nic_at(uint32_t index);
struct nic *nic_by_badge(uint64_t badge);
/* Serves a call (drivers/nic/protocol.h); words of the answer. */
uint64_t nic_serve(struct nic *nic, struct utcb *utcb, uint32_t words);
/* Restarts what has ended or hangs; the TSC at which to be called again, 0: when its bit comes. */
uint64_t nic_tick(uint64_t now);
/* What iface-list shows. */
void nic_info(const struct nic *nic, struct mgr_iface *info);

/* --- nic_port.c --- */
/* Opens the port at the network that names it, if one does. */
void nic_open_port(struct nic *nic);
/* Logs what uplinks networks name and there are none of. */
void nic_check_networks(void);

#endif
