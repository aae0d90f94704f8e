/* SPDX-License-Identifier: BSD-2-Clause */
/* What the manager tells a pool process (the data behind its struct program_args). One process
 * serves one pool. It may end at any instant: the next one gets the same data and memory, waits for
 * what its predecessor has left in the hands of the disk's driver, and takes the clients over. */
#ifndef DRIVERS_POOL_CONFIG_H
#define DRIVERS_POOL_CONFIG_H

#include <stdint.h>
#include "drivers/pool/journal.h"

#define POOL_CONFIG_MAGIC 0x4d504f4f4c434647ull

/* Type of a GPT partition that holds a pool, as it stands on the disk:
 * 7a3b6f0e-5d1c-4e57-9a54-6d756c6c696f. */
#define POOL_PARTITION_TYPE                                                                       \
    {                                                                                             \
        0x0e, 0x6f, 0x3b, 0x7a, 0x1c, 0x5d, 0x57, 0x4e, 0x9a, 0x54, 0x6d, 0x75, 0x6c, 0x6c, 0x69, \
            0x6f                                                                                  \
    }

/* Index into program_args.slot[]. */
enum pool_slot {
    POOL_SLOT_CHANNEL, /* memory: the struct blk_channel to the partition, for the pool itself */
    POOL_SLOT_PEER,    /* the driver's notification, signalled with pool_config.driver_bits */
    POOL_SLOT_OWN,     /* memory, POOL_OWN_SIZE: memory 0 of that channel */
    POOL_SLOT_JOURNAL, /* memory, POOL_JOURNAL_BYTES: outlives the process */
    POOL_SLOT_STATUS   /* memory, POOL_STATUS_BYTES: read by the manager */
};
#define POOL_OWN_SIZE (2u << 20)

#define POOL_CLIENTS 24u

/* Bits of the process's notification (SLOT_NOTIF). */
#define POOL_BIT_TIMER (1ull << 0)
#define POOL_BIT_JOB   (1ull << 1) /* manager: there is something for POOL_EVENT_NEXT */
#define POOL_BIT_STOP  (1ull << 2) /* manager: commit, then POOL_EVENT_STOPPED */
#define POOL_BIT_DISK  (1ull << 3) /* the driver, on all channels to it */
#define POOL_BIT_WORK  (1ull << 4) /* the process itself: there is more to do */
/* Clients: a slot of client i was submitted. Their copies of the notification can signal no more.
 */
#define POOL_BIT_CLIENT(i) (1ull << (16u + (i)))

struct pool_config {
    uint64_t magic;
    char name[64];        /* the partition's label, for messages */
    uint64_t sectors;     /* of the partition */
    uint64_t driver_bits; /* of POOL_SLOT_PEER */
    uint32_t block_size;  /* the disk's */
    uint32_t restarts;
};

/* Bytes of heap for a pool on so many sectors: all its metadata is in memory. */
static inline uint64_t pool_heap(uint64_t sectors)
{
    uint64_t blocks = sectors / 128, slots = 1024 + blocks / 256;
    return (slots * 4352 + blocks * 5 / 2 + (12ull << 20) + 4095) & ~4095ull;
}

#endif
