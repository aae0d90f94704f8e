/* SPDX-License-Identifier: BSD-2-Clause */
/* AHCI controllers: a driver process each, started, watched, restarted. The manager answers a
 * driver's calls and signals it, and never waits for it. */
#ifndef MANAGER_STORAGE_AHCI_H
#define MANAGER_STORAGE_AHCI_H

#include <stdbool.h>
#include <stdint.h>
#include "abi/utcb.h"
#include "manager/storage/channel.h"
#include "manager/host/hostpci.h"
#include "manager/life.h"

#define AHCI_CONTROLLERS 8u
/* Badges of the drivers' portals; VMMs count up from 1. */
#define AHCI_BADGE (1ull << 33)
/* Bit of the manager's notification for a driver's faults; its call's consequences are worked off
 * with the others. */
#define AHCI_FAULT_BIT (1ull << 59)

struct ahci {
    const struct pci_device *device;
    uint32_t index;
    char name[24];       /* "ahci:0000:00:1f.2" */
    const char *address; /* "0000:00:1f.2" */
    struct life life;
    uint32_t notif; /* outlives the process, as clients have it */
    uint32_t abar;
    uint32_t dma_space; /* slot: what the controller reaches */
    bool is_confined;   /* an IOMMU sees to it */
    struct hostpci_irq irq;
    struct mem_block dma, status_memory;
    const struct ahci_status *status; /* mapped; the driver writes it */
    bool is_reset, ports_known, disks_changed, stopping, stopped;
    struct channel channel[AHCI_CHANNELS];
};

struct ahci_setup {
    uint32_t portal, notif; /* the manager's */
    /* Makes room for so many bytes of kernel memory; NULL or why not. */
    const char *(*ensure_kernel_memory)(uint64_t quota);
};

/* Starts a driver for each controller, if the boot package has one. */
void ahci_start(const struct ahci_setup *setup);
uint32_t ahci_count(void);
struct ahci *ahci_at(uint32_t index);
struct ahci *ahci_by_badge(uint64_t badge);

/* A consistent copy of what the driver says of a port; false: there is no disk. Numbers and texts
 * are in bounds, whatever it wrote. */
bool ahci_read_disk(const struct ahci *ahci, uint32_t port, struct ahci_disk *disk);
/* All controllers have told of their disks, or are given up for now. */
bool ahci_settled(void);

/* Serves a call (drivers/ahci/protocol.h); words and capabilities << 32 of the answer. */
uint64_t ahci_serve(struct ahci *ahci, struct utcb *utcb, uint32_t words);
/* There is something to tell the driver. */
void ahci_job(struct ahci *ahci);
/* Restarts what has ended or hangs; the TSC at which to be called again, 0: when its bit comes. */
uint64_t ahci_tick(uint64_t now);
/* The host goes down: all caches are written out. */
void ahci_stop(void);
/* True when they are, or nobody will do it any more. */
bool ahci_stopped(void);

/* Lets the controller reach memory, at its physical address, until the memory's capability goes.
 * Status of the mapping. */
int64_t ahci_let_reach(const struct ahci *ahci, const struct mem_block *blocks, uint32_t n);
/* A free channel of the controller; NULL: all are used. */
struct channel *ahci_new_channel(struct ahci *ahci);
uint32_t ahci_channel_index(const struct ahci *ahci, const struct channel *channel);
/* Closes what the owner has; true while some of it is still with a driver. */
bool ahci_close_all(const void *owner);
bool ahci_has_channels(const void *owner);
/* True while some channel is being given back: what it claims will be free. */
bool ahci_is_closing(void);

#endif
