/* SPDX-License-Identifier: BSD-2-Clause */
/* What the manager tells a NIC's driver (the data behind its struct program_args). One process
 * serves one NIC. It may end at any instant: the next one gets the same data, resets the chip and
 * starts a new epoch of the frame channel.
 *
 * The driver never sees configuration space, nor the page of the MSI-X table: an interrupt's
 * address is a place where the device writes, and bus mastering is what the manager takes away
 * first when a driver has died. */
#ifndef DRIVERS_NIC_CONFIG_H
#define DRIVERS_NIC_CONFIG_H

#include <stdint.h>

#define NIC_CONFIG_MAGIC 0x4d4e494343464731ull
#define NIC_PAIRS        2u /* pairs of rings at most */
#define NIC_IRQS         3u /* a pair each, and one for all that is rare */

/* Index into program_args.slot[]. */
enum nic_slot {
    NIC_SLOT_REGISTERS, /* memory, read and write: the pages of the BAR */
    NIC_SLOT_RINGS,   /* memory, NIC_RINGS_BYTES, contiguous: what chip and driver tell each other,
                         no one else's */
    NIC_SLOT_POOL,    /* memory, NIC_POOL_BYTES, contiguous: frames; the channel's area */
    NIC_SLOT_STATUS,  /* memory: struct nic_status, which the manager reads */
    NIC_SLOT_CHANNEL, /* memory: struct frame_channel; absent without a network */
    NIC_SLOT_BELL,    /* the switch's notification; absent without a network */
    NIC_SLOT_IRQ      /* first of nic_config.irqs */
};

#define NIC_RINGS_PAIR  (64u << 10)
#define NIC_RINGS_BYTES (NIC_PAIRS * NIC_RINGS_PAIR)
/* A pair's frames: from the wire, then to the wire. */
#define NIC_RX_BUFFER  2048u
#define NIC_RX_BUFFERS 512u
#define NIC_TX_BUFFER  4096u
#define NIC_TX_BUFFERS 256u
#define NIC_POOL_RX    (NIC_RX_BUFFER * NIC_RX_BUFFERS)
#define NIC_POOL_PAIR  (NIC_POOL_RX + NIC_TX_BUFFER * NIC_TX_BUFFERS)
#define NIC_POOL_BYTES (NIC_PAIRS * NIC_POOL_PAIR)
#define NIC_HEAP_BYTES (256u << 10)

/* Bits of the driver's notification (SLOT_NOTIF). */
#define NIC_BIT_IRQ(i)  (1ull << (i))
#define NIC_BIT_TIMER   (1ull << 8)
#define NIC_BIT_CHANNEL (1ull << 9) /* the switch */

enum nic_kind { NIC_E1000, NIC_E1000E, NIC_IGB, NIC_VIRTIO, NIC_KINDS };

/* Structures of a virtio device in its BAR ("Virtio Structure PCI Capabilities"), bytes. */
struct nic_virtio {
    uint32_t common, common_size;
    uint32_t notify, notify_size, notify_multiplier;
    uint32_t isr;
    uint32_t device, device_size;
};

struct nic_config {
    uint64_t magic;
    char name[16];             /* "eth0" */
    char chip[24];             /* "82540EM" */
    char address[16];          /* "0000:00:02.0", for messages */
    uint32_t kind;             /* enum nic_kind */
    uint32_t irqs;             /* 0: none could be had, the rings are looked at by the clock */
    uint32_t irq_level;        /* 1: wants irq_ack */
    uint32_t irq_messages;     /* 1: MSI-X: vector i is cause i; 0: one for all causes */
    uint64_t registers_size;   /* bytes */
    uint32_t registers_offset; /* in NIC_SLOT_REGISTERS */
    uint32_t channel_pairs;    /* 0: no network names this NIC: only its link is watched */
    /* Where the device finds the two: physical addresses, or the IOMMU's. */
    uint64_t rings_base, pool_base;
    uint64_t channel_bytes;
    uint64_t bell_bits; /* of the switch's notification */
    uint32_t restarts;  /* of this driver */
    uint32_t confined;  /* an IOMMU keeps the device's DMA in bounds */
    struct nic_virtio virtio;
};

#endif
