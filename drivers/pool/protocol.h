/* SPDX-License-Identifier: BSD-2-Clause */
/* Between a pool process and the manager, as between an AHCI driver and the manager: the process
 * calls (portal_call on SLOT_PARENT), the manager answers and else only signals.
 *
 * Request: mr[0] = enum pool_event, mr[1..] as below. Reply: mr[0] = status, and as below. */
#ifndef DRIVERS_POOL_PROTOCOL_H
#define DRIVERS_POOL_PROTOCOL_H

#include <stdint.h>
#include "drivers/pool/config.h"

#define POOL_PAYLOAD      8u /* structures and texts begin at mr[POOL_PAYLOAD] */
#define POOL_TEXT         192u
#define POOL_NAMES        64u /* bytes of a name; of "volume@snapshot": twice */
#define POOL_LIST_VOLUMES 1024u

enum pool_event {
    /* What is to be done. Reply: mr[1] = enum pool_job, mr[2] = client, from mr[POOL_PAYLOAD] on a
     * structure; its capabilities. Asked until it says NONE: at the start, and after POOL_BIT_JOB.
     */
    POOL_EVENT_NEXT = 768,
    /* mr[1] = enum pool_job, mr[2] = client or number of the order, mr[3] = 0 or 1: refused, for
     * the reason in the text. After a DETACH nothing of the client is in flight. */
    POOL_EVENT_DONE,
    /* The state in the status memory has changed. */
    POOL_EVENT_STATE,
    /* After POOL_BIT_STOP: all is committed, nothing more is served. */
    POOL_EVENT_STOPPED
};

enum pool_job { POOL_JOB_NONE, POOL_JOB_ATTACH, POOL_JOB_DETACH, POOL_JOB_ORDER };

/* POOL_JOB_ATTACH. Capabilities: the channel to the client (read and write), the client's
 * notification, the channel to the disk's driver with the client's memory, the driver's
 * notification. */
struct pool_attach {
    char volume[2 * POOL_NAMES]; /* "volume", "volume@snapshot" */
    char name[64];               /* the client, for messages: "alpha vda" */
    uint64_t client_bits;        /* signalled at the client's notification */
    uint64_t driver_bits;        /* at the driver's */
    uint32_t read_only;
    uint32_t pad;
};

/* POOL_JOB_ORDER. */
enum pool_verb {
    POOL_CREATE,   /* name, sectors */
    POOL_CLONE,    /* name: of the source; to: the new volume */
    POOL_DELETE,   /* name: volume or snapshot */
    POOL_RESIZE,   /* name, sectors */
    POOL_SNAPSHOT, /* name: up to POOL_ORDER_VOLUMES of them, at one instant; to: the snapshots' */
    POOL_REVERT,   /* names; to: the snapshots' */
    POOL_VERBS,
    POOL_GROW = POOL_VERBS /* the manager's own: the pool's partition; sectors, 0: all there are */
};
#define POOL_ORDER_VOLUMES 8u
#define POOL_ORDER_SHRINK  1u /* POOL_RESIZE: content beyond the new end is lost */

struct pool_order {
    uint64_t job; /* rises with each order; 0: do not remember */
    uint32_t verb;
    uint32_t flags;
    uint32_t names;
    uint32_t pad;
    uint64_t sectors;
    uint64_t now; /* seconds since 1970; 0: unknown */
    char name[POOL_ORDER_VOLUMES][2 * POOL_NAMES];
    char to[POOL_NAMES];
};

enum pool_state { POOL_STARTING, POOL_OPEN, POOL_REFUSED, POOL_FROZEN };

struct pool_status_volume {
    char name[POOL_NAMES];
    uint32_t id; /* 0: none */
    uint32_t snapshot_of;
    uint32_t used; /* by clients */
    uint32_t pad;
    uint64_t sectors, blocks; /* blocks of 64 KiB that it maps, shared ones included */
    uint64_t created;
};

struct pool_head {
    uint32_t state;   /* enum pool_state */
    uint32_t volumes; /* volumes and snapshots */
    char reason[POOL_TEXT];
    uint64_t blocks, free_blocks, generation, last_job;
};

/* The status memory. `sequence` is odd while it is being written. */
struct pool_status {
    uint64_t sequence;
    struct pool_head head;
    struct pool_status_volume volume[POOL_LIST_VOLUMES];
};
#define POOL_STATUS_BYTES ((sizeof(struct pool_status) + 4095u) & ~4095ul)

#endif
