/* SPDX-License-Identifier: BSD-2-Clause */
/* Between a NIC's driver and the manager. The driver calls (portal_call on SLOT_PARENT), the
 * manager answers; it never waits for a driver. What the manager wants to know at any time stands
 * in the status memory, which the driver writes and the manager reads without asking.
 *
 * Request: mr[0] = enum nic_event, from mr[NIC_PAYLOAD] on text. Reply: mr[0] = status. */
#ifndef DRIVERS_NIC_PROTOCOL_H
#define DRIVERS_NIC_PROTOCOL_H

#include <stdint.h>
#include "drivers/nic/config.h"

#define NIC_PAYLOAD 8u /* text begins at mr[NIC_PAYLOAD] */

enum nic_event {
    /* The chip is reset and does nothing that an earlier driver told it: bus mastering may be
     * enabled before the answer. */
    NIC_EVENT_RESET = 1024,
    /* It was reset again, since it did not behave: text says what it did. */
    NIC_EVENT_TROUBLE,
    /* It cannot be driven: text. The driver ends itself after it. */
    NIC_EVENT_FAILED
};

enum nic_stat {
    NIC_RX_FRAMES, /* from the wire */
    NIC_RX_BYTES,
    NIC_RX_DROPPED, /* the switch was behind */
    NIC_RX_MISSED,  /* the chip had no memory for them */
    NIC_RX_ERRORS,  /* of the wire: check sequence, length, symbols */
    NIC_TX_FRAMES,
    NIC_TX_BYTES,
    NIC_TX_DROPPED,   /* the link was down, or the switch had described them wrongly */
    NIC_TX_ERRORS,    /* of the wire: collisions, lost carrier */
    NIC_TX_SEGMENTED, /* frames that the chip has cut */
    NIC_INTERRUPTS,
    NIC_LINK_CHANGES,
    NIC_RESETS, /* since it did not behave */
    NIC_LIES,   /* things that it or the switch said and that cannot be */
    NIC_STATS
};

enum nic_state { NIC_STARTING, NIC_RUNNING, NIC_FAILED };

/* Single words; a reader may see them from two moments. */
struct nic_status {
    uint32_t state; /* enum nic_state */
    uint32_t link;  /* 1: up */
    uint32_t speed; /* Mbit/s; 0: unknown */
    uint32_t full_duplex;
    uint32_t takes; /* FRAME_TAKES_*: what the chip does */
    uint32_t pairs; /* of rings in use */
    uint8_t mac[8]; /* six bytes */
    uint64_t stat[NIC_STATS];
};
#define NIC_STATUS_BYTES ((sizeof(struct nic_status) + 4095u) & ~4095ul)

#endif
