/* SPDX-License-Identifier: BSD-2-Clause */
/* What Intel's gigabit controllers have in common. */
#ifndef DRIVERS_NIC_INTEL_INTEL_H
#define DRIVERS_NIC_INTEL_INTEL_H

#include "drivers/nic/intel/registers.h"
#include "drivers/nic/nic.h"

/* The second word of a receive descriptor as the chip writes it back. */
struct intel_written {
    uint32_t length_shift;              /* of 16 bits */
    uint64_t done, end;                 /* the buffer is filled; the frame ends here */
    uint64_t damaged;                   /* any: the frame is to be dropped */
    uint64_t unchecked, checked, wrong; /* of TCP's, UDP's, IP's sums */
};

/* In what families differ where they share the rest. */
struct intel {
    uint32_t rx_ring, tx_ring, ring_step; /* registers of ring 0, bytes to the next ring's */
    uint32_t addresses;                   /* RAL/RAH pairs */
    uint32_t eerd_done, eerd_shift;       /* EERD: bit that tells of an answer, place of the word */
    bool express;                         /* PCI Express: DMA can be drained before a reset */
    bool length_register;                 /* RLPML bounds frames, not LPE alone */
    uint32_t eeprom_words;                /* that the checksum covers; 0: none to check */
    struct intel_written written;
};

/* A descriptor of whatever kind: 16 bytes. */
struct intel_descriptor {
    uint64_t low, high;
};

static inline volatile struct intel_descriptor *intel_rx_ring(const struct nic_queue *q)
{
    return (volatile struct intel_descriptor *)q->rings;
}
static inline volatile struct intel_descriptor *intel_tx_ring(const struct nic_queue *q)
{
    return (volatile struct intel_descriptor *)(q->rings +
                                                NIC_RING * sizeof(struct intel_descriptor));
}
static inline uint32_t intel_rx_register(const struct nic_queue *q, uint32_t reg)
{
    return q->nic->intel->rx_ring + q->index * q->nic->intel->ring_step + reg;
}
static inline uint32_t intel_tx_register(const struct nic_queue *q, uint32_t reg)
{
    return q->nic->intel->tx_ring + q->index * q->nic->intel->ring_step + reg;
}

/* --- reset.c --- */
/* "Software Reset": silence, then CTRL.RST; finds the address, clears filters, sees to the PHY. */
const char *intel_reset(struct nic *nic, const struct intel *family);
/* Where the rings lie; head and tail are 0. */
void intel_set_rings(struct nic_queue *q);

/* --- eeprom.c --- */
/* A word of the EEPROM; false: it does not answer. */
bool intel_eeprom_read(const struct nic *nic, uint32_t word, uint16_t *value);
/* The address in RAL0/RAH0 if the chip has loaded one, else the EEPROM's. */
const char *intel_find_mac(struct nic *nic);

/* --- link.c --- */
void intel_wake_phy(const struct nic *nic);
void intel_link(struct nic *nic, struct nic_link *link);

/* --- filter.c --- */
/* Registers of addresses, multicast table and VLAN table from nic->filter; RCTL last. */
void intel_filter(struct nic *nic);

/* --- statistics.c --- */
void intel_count(struct nic *nic);

/* --- interrupt.c: one interrupt for all causes --- */
uint32_t intel_interrupt(struct nic *nic, uint32_t vector);
bool intel_arm(struct nic *nic);

/* --- transmit.c: extended descriptors of 8254x and 82574 --- */
bool intel_transmit(struct nic_queue *q, const struct nic_tx *tx);
void intel_transmit_bell(struct nic_queue *q);
/* Whatever the descriptors look like: DD stands at the same place in all. */
void intel_reap(struct nic_queue *q);
/* The next descriptor: its words, whose RS stands at the same place in all, and its buffer or
 * NIC_NONE. */
void intel_put(struct nic_queue *q, uint64_t low, uint64_t high, uint32_t buffer);

/* --- receive.c: by what family->written says --- */
void intel_fill(struct nic_queue *q, uint32_t buffer);
void intel_fill_bell(struct nic_queue *q);
bool intel_receive(struct nic_queue *q, struct nic_rx *rx);

#endif
