/* SPDX-License-Identifier: BSD-2-Clause */
/* What the manager tells the virtual switch (the data behind its struct program_args). One process
 * serves all networks. It may end at any instant: the next one gets the same data, asks for its
 * jobs and serves the channels where they stand. */
#ifndef NET_SWITCH_CONFIG_H
#define NET_SWITCH_CONFIG_H

#include <stdint.h>

#define SWITCH_CONFIG_MAGIC 0x4d53574943464731ull
#define SWITCH_HEAP_BYTES   (4u << 20)

/* Index into program_args.slot[]. */
enum switch_slot {
    SWITCH_SLOT_STATUS /* memory, read and write: struct switch_status, which the manager reads */
};

/* Bits of the switch's notification (SLOT_NOTIF). */
#define SWITCH_BIT_TIMER (1ull << 1)
#define SWITCH_BIT_JOB   (1ull << 2) /* manager: there is something for SWITCH_EVENT_NEXT */
/* Owners of ports share the other bits; their copies of the notification can signal no more. */
#define SWITCH_PORT_BITS    48u
#define SWITCH_BIT_PORT(id) (1ull << (16u + (id) % SWITCH_PORT_BITS))

struct switch_config {
    uint64_t magic;
    uint32_t restarts; /* of the switch */
    uint32_t pad;
};

#endif
