/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio network device behind PCI, version 1.2: modern registers, split queues. Names: Virtual
 * I/O Device (VIRTIO) Version 1.2, "Virtio Over PCI Bus", "Split Virtqueues", "Network Device". */
#ifndef DRIVERS_NIC_VIRTIO_VIRTIO_H
#define DRIVERS_NIC_VIRTIO_VIRTIO_H

#include "drivers/nic/nic.h"

/* Common configuration structure. */
#define DEVICE_FEATURE_SELECT 0x00u
#define DEVICE_FEATURE        0x04u
#define DRIVER_FEATURE_SELECT 0x08u
#define DRIVER_FEATURE        0x0cu
#define CONFIG_MSIX_VECTOR    0x10u
#define NUM_QUEUES            0x12u
#define DEVICE_STATUS         0x14u
#define CONFIG_GENERATION     0x15u
#define QUEUE_SELECT          0x16u
#define QUEUE_SIZE            0x18u
#define QUEUE_MSIX_VECTOR     0x1au
#define QUEUE_ENABLE          0x1cu
#define QUEUE_NOTIFY_OFF      0x1eu
#define QUEUE_DESC            0x20u
#define QUEUE_DRIVER          0x28u
#define QUEUE_DEVICE          0x30u
#define COMMON_SIZE           0x38u
#define NO_VECTOR             0xffffu

#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER      2u
#define STATUS_DRIVER_OK   4u
#define STATUS_FEATURES_OK 8u
#define STATUS_NEEDS_RESET 64u

#define F_CSUM       (1ull << 0)
#define F_GUEST_CSUM (1ull << 1)
#define F_MTU        (1ull << 3)
#define F_MAC        (1ull << 5)
#define F_GUEST_TSO4 (1ull << 7)
#define F_GUEST_TSO6 (1ull << 8)
#define F_GUEST_ECN  (1ull << 9)
#define F_HOST_TSO4  (1ull << 11)
#define F_HOST_TSO6  (1ull << 12)
#define F_HOST_ECN   (1ull << 13)
#define F_MRG_RXBUF  (1ull << 15)
#define F_STATUS     (1ull << 16)
#define F_CTRL_VQ    (1ull << 17)
#define F_CTRL_RX    (1ull << 18)
#define F_CTRL_VLAN  (1ull << 19)
#define F_MQ         (1ull << 22)
#define F_CTRL_MAC   (1ull << 23)
#define F_EVENT_IDX  (1ull << 29)
#define F_VERSION_1  (1ull << 32)
#define F_PLATFORM   (1ull << 33)
#define F_HOST_USO   (1ull << 56)
#define F_SPEED      (1ull << 63)

/* Device configuration. */
#define NET_MAC       0u
#define NET_STATUS    6u
#define NET_MAX_PAIRS 8u
#define NET_MTU       10u
#define NET_SPEED     12u
#define NET_DUPLEX    16u
#define NET_LINK_UP   1u

#define NET_HEADER     12u /* bytes of struct virtio_net_hdr */
#define HDR_NEEDS_CSUM 1u
#define HDR_DATA_VALID 2u
#define GSO_TCP4       1u
#define GSO_TCP6       4u
#define GSO_UDP_L4     5u
#define GSO_ECN        0x80u

struct virtio_net_hdr {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};

#define DESC_NEXT  1u
#define DESC_WRITE 2u

struct virtq_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

/* A queue in DMA memory; the device writes the used ring and nothing else of it. The event words
 * stand behind the rings, wherever these end. */
struct virtq_memory {
    struct virtq_desc desc[NIC_RING];
    uint16_t avail_flags, avail_idx;
    uint16_t avail[NIC_RING + 1]; /* [size] is used_event */
    uint16_t pad;
    uint16_t used_flags, used_idx;
    struct virtq_used {
        uint32_t id, len;
    } used[NIC_RING + 1]; /* [size].id begins with avail_event */
    uint32_t end[2];
};
_Static_assert(sizeof(struct virtq_desc) == 16, "descriptor");
_Static_assert(__builtin_offsetof(struct virtq_memory, used_flags) % 4 == 0, "used ring");

/* All of a pair's DMA memory. */
struct virtio_memory {
    struct virtq_memory rx, tx;
    struct virtio_net_hdr header[NIC_RING]; /* of the frame that begins at that descriptor */
    struct virtq_memory control;            /* of pair 0 alone */
    uint8_t command[1024];
};
_Static_assert(sizeof(struct virtio_memory) <= NIC_RINGS_PAIR, "a pair's DMA memory");

static inline struct virtio_memory *virtio_memory(const struct nic_queue *q)
{
    return (struct virtio_memory *)q->rings;
}
static inline uint64_t virtio_address(const struct nic_queue *q, const volatile void *part)
{
    return q->rings_base + (uint64_t)((const volatile uint8_t *)part - q->rings);
}
static inline bool virtio_has(const struct nic *nic, uint64_t feature)
{
    return (nic->virtio_features & feature) != 0;
}

/* What the driver keeps of a pair. */
struct nic_virtio_queue {
    uint32_t rx_size, tx_size; /* descriptors, powers of two */
    uint32_t rx_bell, tx_bell; /* registers */
    uint16_t rx_seen, tx_seen; /* used entries that were read */
    uint16_t free[NIC_RING];   /* receive descriptors */
    uint32_t free_count;
    uint16_t parts[NIC_RING];     /* descriptors of the frame that begins here; 0: none does */
    uint64_t done[NIC_RING / 64]; /* and it is sent */
    uint32_t left;                /* buffers of a merged frame that are still to come */
    uint32_t rx_avail, tx_avail;  /* entries of the available rings, free running */
    uint32_t tx_told;             /* of them, the device knows */
    uint32_t control_size, control_bell, control_count; /* of pair 0 alone */
};

/* --- queue.c --- */
/* Tells the device where a queue is, and enables it. Its size, at most `most`, and the register of
 * its bell; 0: it cannot be used. */
uint32_t virtio_set_queue(struct nic *nic, uint32_t index, const struct virtq_memory *at,
                          uint32_t most, uint32_t vector, uint32_t *bell);
/* A queue as the functions below see it. */
struct virtq {
    struct virtq_memory *at;
    uint32_t size, index, bell;
};
/* Shows entries up to idx (free running), and rings if the device wants that for one of those since
 * `shown`. */
void virtio_show(const struct nic *nic, const struct virtq *q, uint32_t shown, uint32_t idx);
/* Asks for an interrupt at the next used entry, or not; true: there is one already. */
bool virtio_want(const struct nic *nic, const struct virtq *q, uint16_t seen, bool on);
static inline uint16_t virtio_used_idx(const struct virtq_memory *at)
{
    return __atomic_load_n((const volatile uint16_t *)&at->used_idx, __ATOMIC_ACQUIRE);
}

static inline struct virtq virtio_rx(const struct nic_queue *q)
{
    const struct nic_virtio_queue *v = q->virtio;
    return (struct virtq){&virtio_memory(q)->rx, v->rx_size, 2 * q->index, v->rx_bell};
}
static inline struct virtq virtio_tx(const struct nic_queue *q)
{
    const struct nic_virtio_queue *v = q->virtio;
    return (struct virtq){&virtio_memory(q)->tx, v->tx_size, 2 * q->index + 1, v->tx_bell};
}

/* --- traffic.c --- */
void virtio_fill(struct nic_queue *q, uint32_t buffer);
void virtio_fill_bell(struct nic_queue *q);
bool virtio_receive(struct nic_queue *q, struct nic_rx *rx);
bool virtio_transmit(struct nic_queue *q, const struct nic_tx *tx);
void virtio_transmit_bell(struct nic_queue *q);
void virtio_reap(struct nic_queue *q);
void virtio_clear(struct nic_queue *q);

/* --- control.c --- */
/* Commands over the control queue: filters, pairs. Each is waited for. */
const char *virtio_set_control(struct nic *nic);
const char *virtio_set_pairs(struct nic *nic, uint32_t pairs);
void virtio_filter(struct nic *nic);

#endif
