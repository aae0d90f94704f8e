/* SPDX-License-Identifier: BSD-2-Clause */
/* A NIC: rings of a frame channel on one side, rings of a chip on the other, buffers between them.
 * A buffer is always in one of five places: free, in the chip, in the channel, in a frame that is
 * being put together, or (to the wire) in the frame that waits for room in the chip.
 *
 * A chip is believed nothing: what it says is bounded, and what cannot be has it reset. */
#ifndef DRIVERS_NIC_NIC_H
#define DRIVERS_NIC_NIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "drivers/nic/protocol.h"
#include "user/frame_owner.h"

#define NIC_RING     256u /* descriptors of a chip's ring, a power of two */
#define NIC_NONE     0xffffu
#define NIC_RX_PARTS 34u /* of a frame from the wire: FRAME_BYTES_MAX, and a header */
#define NIC_TX_PARTS 17u /* of a frame to the wire: FRAME_BYTES_MAX */
#define NIC_MTU      9216u
#define NIC_MS       1000000ull

struct nic;
struct intel;
struct nic_virtio_queue;

/* What a chip has received: one buffer of a frame. */
struct nic_rx {
    uint32_t buffer; /* of the queue's NIC_RX_BUFFERS */
    uint32_t start;  /* bytes of the buffer before the frame's */
    uint32_t length;
    bool last; /* of the frame */
    bool bad;  /* the frame is to be dropped */
    /* On a frame's last; virtio: on its first as well. FRAME_*, as in struct frame_entry. */
    uint16_t flags, header_length, gso_size, csum_start, csum_offset;
};

/* What a chip is to send; all numbers are checked. */
struct nic_tx {
    uint32_t parts, length; /* length: bytes of all parts */
    uint32_t buffer[NIC_TX_PARTS];
    uint32_t bytes[NIC_TX_PARTS];
    bool csum; /* the sum from csum_start on goes to csum_start + csum_offset */
    bool tso;  /* and the payload is cut: mss bytes of it in each frame */
    bool ipv6, udp;
    uint16_t flags; /* FRAME_*, as the switch said */
    uint16_t l3_start, csum_start, csum_offset, header_length, mss;
};

struct nic_queue {
    struct nic *nic;
    uint32_t index;
    uint8_t *rings; /* NIC_RINGS_PAIR of DMA memory */
    uint64_t rings_base;
    uint8_t *pool; /* NIC_POOL_PAIR */
    uint64_t pool_base;
    uint32_t pool_offset; /* in the channel's area */
    /* The chip's rings; counts of descriptors run freely, NIC_RING at most lie between. */
    uint32_t rx_size; /* descriptors, NIC_RING at most */
    uint32_t rx_head, rx_tail, rx_shown;
    uint32_t tx_head, tx_tail, tx_shown;
    uint16_t rx_buffer[NIC_RING];
    uint16_t tx_buffer[NIC_RING];      /* NIC_NONE: the descriptor has none */
    uint64_t tx_report[NIC_RING / 64]; /* descriptors whose end the chip reports */
    /* The channel's rings. */
    struct frame_owner_ring *send, *receive;
    uint16_t send_buffer[FRAME_ENTRIES], receive_buffer[FRAME_ENTRIES];
    uint32_t rx_free, tx_free;
    uint16_t rx_stack[NIC_RX_BUFFERS], tx_stack[NIC_TX_BUFFERS];
    /* The frame from the wire that is being put together. */
    uint32_t rx_parts, rx_bytes;
    bool rx_dropping;
    struct frame_entry rx_entry[NIC_RX_PARTS];
    uint16_t rx_part[NIC_RX_PARTS];
    /* The frame to the wire that is being put together, then waits for room. */
    struct nic_tx tx;
    uint32_t tx_wanted; /* parts; 0: no frame is begun */
    bool tx_bad, tx_stalled;
    struct frame_entry tx_first;
    /* The chip's last context (Intel), so that it is not told again. */
    uint32_t context[4];
    bool context_known;
    struct nic_virtio_queue *virtio;
};

/* Causes that a chip's interrupt has told of. */
#define NIC_CAUSE_RINGS 1u
#define NIC_CAUSE_LINK  2u
#define NIC_CAUSE_GONE  4u /* it answers with ones only */

struct nic_link {
    bool up, full_duplex;
    uint32_t speed; /* Mbit/s */
};

/* One chip family. A reason is NULL for success, else static text. */
struct nic_chip {
    /* Stops all that it does and brings it to a known state; finds its address, pairs and what it
     * takes (nic->mac, pairs, takes, mtu). No DMA before start(). */
    const char *(*reset)(struct nic *nic);
    /* The queues' rings are empty; starts them. */
    const char *(*start)(struct nic *nic);
    /* nic->filter and nic->mtu_now have changed. */
    void (*filter)(struct nic *nic);
    uint32_t (*interrupt)(struct nic *nic, uint32_t vector);
    /* Interrupts may come again; true: there is something to do already. */
    bool (*arm)(struct nic *nic);
    void (*link)(struct nic *nic, struct nic_link *link);
    /* Adds what it has counted to the status. */
    void (*count)(struct nic *nic);
    /* An empty buffer for what comes; there is room. */
    void (*fill)(struct nic_queue *q, uint32_t buffer);
    void (*fill_bell)(struct nic_queue *q);
    /* The next buffer with something in it; false: none. */
    bool (*receive)(struct nic_queue *q, struct nic_rx *rx);
    /* False: no room for it. */
    bool (*transmit)(struct nic_queue *q, const struct nic_tx *tx);
    void (*transmit_bell)(struct nic_queue *q);
    /* Gives back the buffers that were sent, by nic_tx_done(). */
    void (*reap)(struct nic_queue *q);
};

struct nic {
    const struct nic_chip *chip;
    const struct nic_config *config;
    volatile uint8_t *registers;
    struct nic_status *status;
    /* Found by reset(). */
    uint8_t mac[6];
    uint32_t pairs, takes, mtu;
    uint32_t active;     /* pairs in this epoch */
    bool running;        /* the rings go */
    bool waiting;        /* for the switch to follow into the new epoch */
    const char *trouble; /* not NULL: it is to be reset */
    struct nic_link wire;
    struct frame_filter filter;
    uint32_t mtu_now; /* of the network */
    bool has_channel;
    struct frame_owner owner;
    struct nic_queue queue[NIC_PAIRS];
    uint64_t now, tick_at; /* ns; 0: no tick is needed */
    uint64_t traffic;      /* frames when the last tick was */
    uint32_t stuck_head[NIC_PAIRS], stuck_ticks[NIC_PAIRS];
    uint64_t troubles_since;
    uint32_t troubles;
    /* Families' own. */
    const struct intel *intel;
    uint32_t armed; /* Intel: causes that may interrupt */
    uint64_t virtio_features;
};

extern const struct nic_chip nic_e1000, nic_e1000e, nic_igb, nic_virtio;

/* --- mmio.c: what unit tests replace --- */
uint32_t nic_read32(const struct nic *nic, uint32_t reg);
void nic_write32(const struct nic *nic, uint32_t reg, uint32_t value);
uint16_t nic_read16(const struct nic *nic, uint32_t reg);
void nic_write16(const struct nic *nic, uint32_t reg, uint16_t value);
uint8_t nic_read8(const struct nic *nic, uint32_t reg);
void nic_write8(const struct nic *nic, uint32_t reg, uint8_t value);
/* Lets so many microseconds pass. */
void nic_sleep(const struct nic *nic, uint32_t microseconds);
/* Tells the manager (enum nic_event). */
void nic_tell(const struct nic *nic, uint64_t event, const char *text);

/* --- nic.c --- */
/* Resets the chip and asks the switch for an epoch. NULL, or why it cannot be driven. */
const char *nic_open(struct nic *nic);
/* Moves frames both ways; true: there was something to do. */
bool nic_poll(struct nic *nic);
/* About to sleep: true if there is something to do already. */
bool nic_arm(struct nic *nic);
void nic_interrupt(struct nic *nic, uint32_t vector);
/* The switch has signalled. */
void nic_channel(struct nic *nic);
void nic_tick(struct nic *nic);
/* ns at which nic_tick() is wanted; 0: not at all. */
uint64_t nic_wake(const struct nic *nic);
/* After anything: resets a chip that did not behave. NULL, or why it is given up. */
const char *nic_mend(struct nic *nic);
/* The chip (or the switch) said what cannot be; the first reason counts. */
void nic_distrust(struct nic *nic, const char *why);
void nic_look_at_link(struct nic *nic);
static inline void nic_add(struct nic *nic, enum nic_stat stat, uint64_t n)
{
    __atomic_store_n(&nic->status->stat[stat], nic->status->stat[stat] + n, __ATOMIC_RELAXED);
}

/* --- pool.c --- */
void nic_pool_reset(struct nic_queue *q);
uint32_t nic_rx_get(struct nic_queue *q); /* NIC_NONE: all are in use */
void nic_rx_put(struct nic_queue *q, uint32_t buffer);
uint32_t nic_tx_get(struct nic_queue *q);
void nic_tx_put(struct nic_queue *q, uint32_t buffer);
/* Offset in the queue's part of the pool. */
static inline uint32_t nic_rx_at(uint32_t buffer)
{
    return buffer * NIC_RX_BUFFER;
}
static inline uint32_t nic_tx_at(uint32_t buffer)
{
    return NIC_POOL_RX + buffer * NIC_TX_BUFFER;
}

/* --- receive.c: from the wire --- */
bool nic_receive(struct nic_queue *q);
/* Gives the chip what is free. */
void nic_refill(struct nic_queue *q);

/* --- transmit.c: to the wire --- */
bool nic_transmit(struct nic_queue *q);
/* The chip has sent the buffer. */
void nic_tx_done(struct nic_queue *q, uint32_t buffer);
/* Gives the switch what is free. */
void nic_post(struct nic_queue *q);

/* --- offload.c --- */
/* Fills in how a frame's sum is put in and how it is cut, by what the switch said of it; false:
 * that cannot be, the frame is dropped. What the chip does not do is done here. */
bool nic_offload(struct nic_queue *q, struct nic_tx *tx, const struct frame_entry *entry);
/* Makes a frame's headers what Intel's chips want to find before they cut it: the pseudo header's
 * sum without the length, which the chip puts in for each segment, and neither length nor sum in
 * IP's header. */
void nic_segment_headers(struct nic_queue *q, const struct nic_tx *tx);

#endif
