/* SPDX-License-Identifier: BSD-2-Clause */
/* What the manager tells an AHCI driver (the data behind its struct program_args). One process
 * serves one controller. It may end at any instant: the next one gets the same data, resets the
 * controller and takes the channels over.
 *
 * The driver never sees configuration space: an MSI's address is a place where the device writes,
 * and bus mastering is what the manager takes away first when a driver has died. */
#ifndef DRIVERS_AHCI_CONFIG_H
#define DRIVERS_AHCI_CONFIG_H

#include <stdint.h>

#define AHCI_CONFIG_MAGIC 0x4d41484349434647ull

/* Index into program_args.slot[]. */
enum ahci_slot {
    AHCI_SLOT_ABAR,  /* memory, read and write: the pages of BAR 5 */
    AHCI_SLOT_DMA,   /* memory, read and write, AHCI_DMA_BYTES, contiguous, no one else's */
    AHCI_SLOT_IRQ,   /* the controller's MSI; an INTx's GSI where there is no MSI */
    AHCI_SLOT_STATUS /* memory, read and write: struct ahci_status, which the manager reads */
};

#define AHCI_PORTS 32u
/* Zero pages, then one part a port: command list, received FIS, buffers, command tables. */
#define AHCI_DMA_ZERO  (64u << 10)
#define AHCI_DMA_PORT  (64u << 10)
#define AHCI_DMA_BYTES (AHCI_DMA_ZERO + AHCI_PORTS * AHCI_DMA_PORT)
/* Requests of AHCI_CHANNELS channels (drivers/ahci/protocol.h), and the rest. */
#define AHCI_HEAP_BYTES (8u << 20)

/* Bits of the driver's notification (SLOT_NOTIF). */
#define AHCI_BIT_IRQ   (1ull << 0)
#define AHCI_BIT_TIMER (1ull << 1)
#define AHCI_BIT_JOB   (1ull << 2) /* manager: there is something for AHCI_EVENT_NEXT */
#define AHCI_BIT_STOP  (1ull << 3) /* manager: flush all disks, then AHCI_EVENT_STOPPED */
/* Clients: a slot of channel i was submitted. Their copies of the notification can signal no more.
 */
#define AHCI_BIT_CHANNEL(i) (1ull << (16u + (i)))

struct ahci_config {
    uint64_t magic;
    char address[16];     /* "0000:00:1f.2", for messages */
    uint64_t abar_size;   /* bytes of registers */
    uint32_t abar_offset; /* of the registers in AHCI_SLOT_ABAR: a BAR may be smaller than a page */
    uint32_t irq_level;   /* 1: AHCI_SLOT_IRQ is level-triggered and wants irq_ack */
    /* Where the device finds AHCI_SLOT_DMA: a physical address, or the IOMMU's. Below 4 GiB unless
     * the manager knows that the controller takes 64 bits. */
    uint64_t dma_base;
    uint32_t restarts; /* of this driver */
    uint32_t pad;
};

#endif
