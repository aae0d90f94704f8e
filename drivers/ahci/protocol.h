/* SPDX-License-Identifier: BSD-2-Clause */
/* Between an AHCI driver and the manager. The driver calls (portal_call on SLOT_PARENT, operations
 * above those of the VMM and the console), the manager answers and else signals: it never waits for
 * a driver, which may hang as well as crash. What the manager wants to know at any time stands in
 * the status memory, which the driver writes and the manager reads without asking.
 *
 * Request: mr[0] = enum ahci_event, mr[1..] as below. Reply: mr[0] = status, and as below. */
#ifndef DRIVERS_AHCI_PROTOCOL_H
#define DRIVERS_AHCI_PROTOCOL_H

#include <stdint.h>
#include "drivers/ahci/config.h"
#include "user/block.h"

#define AHCI_CHANNELS 48u /* of one controller: one bit of the notification each */
#define AHCI_PAYLOAD  8u  /* structures begin at mr[AHCI_PAYLOAD] */

enum ahci_event {
    /* The controller is reset and does nothing that an earlier driver told it: bus mastering may be
     * enabled before the answer, memory of the earlier driver may be used otherwise after it. */
    AHCI_EVENT_RESET = 512,
    /* The disks in the status memory have changed. First: all ports have been looked at. */
    AHCI_EVENT_DISKS,
    /* After AHCI_BIT_JOB: what is to be done. Reply: mr[1] = enum ahci_job, mr[2] = channel, from
     * mr[AHCI_PAYLOAD] on struct ahci_attach; its capabilities. Asked until it says NONE, and once
     * unasked after the first DISKS: so a driver that was restarted gets its channels again. */
    AHCI_EVENT_NEXT,
    /* mr[1] = enum ahci_job, mr[2] = channel, mr[3] = enum ahci_refusal. After a DETACH nothing of
     * the channel is in flight: its memory may be used otherwise. */
    AHCI_EVENT_DONE,
    /* The controller cannot be driven: text from mr[AHCI_PAYLOAD] on, zero-terminated. The driver
     * ends itself after it; a restart helps no more than one for any other end. */
    AHCI_EVENT_FAILED,
    /* After AHCI_BIT_STOP: caches are on the media, nothing more is served. */
    AHCI_EVENT_STOPPED
};

/* RESIZE: the volume of a channel that is attached has other sectors, from the same first one on;
 * of the structure, `sectors` alone counts. */
enum ahci_job { AHCI_JOB_NONE, AHCI_JOB_ATTACH, AHCI_JOB_DETACH, AHCI_JOB_RESIZE };

enum ahci_refusal {
    AHCI_REFUSED_NOT,
    AHCI_REFUSED_CHANNEL, /* no such channel, or attached already (not attached: DETACH) */
    AHCI_REFUSED_PORT,    /* no disk there */
    AHCI_REFUSED_RANGE,   /* beyond the disk, or no multiple of its blocks */
    AHCI_REFUSED_MEMORY   /* the channel's memory cannot be mapped, or DMA cannot reach the client's
                           */
};

/* Where the device finds one of the client's memory objects: blk_segment.memory is the index. The
 * driver needs no capability for them, since it never looks at the data itself. */
struct ahci_memory {
    uint64_t base; /* page aligned: a physical address, or the IOMMU's */
    uint64_t size; /* bytes; 0: none */
};

#define AHCI_ATTACH_READ_ONLY 1u

/* AHCI_JOB_ATTACH. Capabilities: the channel's memory (struct blk_channel; read and write), the
 * client's notification. The client rings with AHCI_BIT_CHANNEL(channel). */
struct ahci_attach {
    uint32_t port;
    uint32_t flags;        /* AHCI_ATTACH_* */
    uint64_t first_sector; /* of the volume on the disk, in units of BLK_SECTOR */
    uint64_t sectors;      /* of the volume; 0: to the end of the disk */
    uint64_t client_bits;  /* signalled at the client's notification */
    struct ahci_memory memory[BLK_MEMORIES_MAX];
    char name[64]; /* the client, for messages: "alpha vda" */
};

enum ahci_disk_kind { AHCI_DISK_NONE, AHCI_DISK_ATA, AHCI_DISK_ATAPI };

enum ahci_disk_state {
    AHCI_DISK_ABSENT,   /* was removed; what it was is still told */
    AHCI_DISK_STARTING, /* spins up, or recovers from an error */
    AHCI_DISK_READY,
    AHCI_DISK_FAILED /* there, but does not answer */
};

struct ahci_disk {
    uint32_t kind;       /* enum ahci_disk_kind */
    uint32_t state;      /* enum ahci_disk_state */
    uint32_t depth;      /* commands at a time; 1: no NCQ */
    uint32_t generation; /* rises when another disk (serial, model, size) takes the port */
    uint32_t rpm;        /* 0: unknown, 1: solid state */
    uint32_t gigabits;   /* speed of the link: 1 to 3 */
    uint64_t wwn;        /* 0: none */
    struct blk_geometry geometry;
    char firmware[12];
};

/* Counters since the driver started. */
enum ahci_disk_stat {
    AHCI_STAT_COMMANDS,
    AHCI_STAT_INTERRUPTS,  /* that told of this port */
    AHCI_STAT_ERRORS,      /* commands that the disk or the link reported as failed */
    AHCI_STAT_TIMEOUTS,    /* commands that did not end in time */
    AHCI_STAT_LOST,        /* commands that had ended when the clock looked, without an interrupt */
    AHCI_STAT_RETRIES,     /* commands issued again, their own fault or another's */
    AHCI_STAT_RECOVERIES,  /* stops of the command engine */
    AHCI_STAT_LINK_RESETS, /* COMRESETs after the first */
    AHCI_STAT_UNPLUGGED,   /* removals */
    AHCI_DISK_STATS
};

enum ahci_channel_stat {
    AHCI_CHANNEL_READS,
    AHCI_CHANNEL_READ_BYTES,
    AHCI_CHANNEL_WRITES,
    AHCI_CHANNEL_WRITTEN_BYTES,
    AHCI_CHANNEL_FLUSHES,
    AHCI_CHANNEL_DISCARDS, /* and write-zeroes */
    AHCI_CHANNEL_REFUSED,  /* requests that were malformed, or beyond the volume */
    AHCI_CHANNEL_FAILED,   /* requests that ended with an error of the disk */
    AHCI_CHANNEL_REPLAYED, /* requests that an earlier driver had left */
    AHCI_CHANNEL_COMMANDS, /* what they became */
    AHCI_CHANNEL_STATS
};

/* The status memory. `sequence` is odd while the disks are being written; counters are single
 * words that only grow. */
struct ahci_status {
    uint64_t sequence;
    uint64_t interrupts, timers;
    uint32_t ports; /* bits of ports that the controller has */
    uint32_t pad;
    struct ahci_disk disk[AHCI_PORTS];
    uint64_t disk_stat[AHCI_PORTS][AHCI_DISK_STATS];
    uint64_t channel_stat[AHCI_CHANNELS][AHCI_CHANNEL_STATS];
};
#define AHCI_STATUS_BYTES ((sizeof(struct ahci_status) + 4095u) & ~4095ul)

#endif
