/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's channel (user/block.h) to a volume on a port's disk, and its requests. */
#ifndef DRIVERS_AHCI_CHANNEL_H
#define DRIVERS_AHCI_CHANNEL_H

#include "drivers/ahci/hba.h"

struct request {
    struct request *next; /* in channel.pending, or port.flush_* */
    struct channel *channel;
    uint32_t slot;
    uint32_t op;
    bool taken;        /* the client has submitted it, we have not ended it */
    bool fua;          /* the disk is told to */
    bool flush_after;  /* the disk cannot be told to */
    uint32_t inflight; /* commands */
    enum blk_status status;
    uint64_t lba, blocks; /* on the disk; not yet in a command */
    uint64_t mark;        /* FLUSH: channel.writes when it was taken */
    uint32_t segments;
    uint32_t segment, offset; /* not yet in a command */
    struct blk_segment part[BLK_SEGMENTS_MAX];
};

struct channel {
    struct blk_channel *shared;
    struct port *port;
    uint32_t index;
    uint32_t notif; /* the client's */
    uint64_t client_bits;
    uint64_t first_sector, sectors;
    bool read_only;
    bool gone;                /* the disk that it was for is not there */
    bool detaching;           /* nothing more is taken */
    uint64_t writes, flushed; /* that have ended; of those, on the medium for sure */
    bool lost;                /* and that cache lost its power: the next flush must say so */
    uint32_t active;          /* requests taken */
    uint64_t ended;           /* bits that the client is not told of yet */
    int64_t credit;           /* bytes, for the turns on the port */
    struct request *pending, **pending_tail;
    struct ahci_memory memory[BLK_MEMORIES_MAX];
    char name[64];
    struct request request[BLK_SLOTS];
};

/* Serves a channel; what an earlier driver left in it is done again. `shared` is mapped. */
enum ahci_refusal channel_attach(struct hba *hba, uint32_t index, const struct ahci_attach *attach,
                                 struct blk_channel *shared, uint32_t notif);
/* The volume ends elsewhere; the client is told. */
enum ahci_refusal channel_resize(struct hba *hba, uint32_t index, uint64_t sectors);
/* Takes no more; true when nothing of it is in flight: channel_free() may be called. */
bool channel_detach(struct hba *hba, uint32_t index);
/* The shared memory, to be unmapped; *notif: to be deleted. */
struct blk_channel *channel_free(struct hba *hba, uint32_t index, uint32_t *notif);

/* Takes what was submitted. */
void channel_take(struct channel *channel);
/* Tells the client of what has ended. */
void channel_tell(struct channel *channel);
/* The disk has come (back), or gone. */
void channel_present(struct channel *channel);
void channel_gone(struct channel *channel);

static inline void channel_count(const struct channel *channel, enum ahci_channel_stat stat,
                                 uint64_t n)
{
    channel->port->hba->status->channel_stat[channel->index][stat] += n;
}

/* --- request.c --- */
/* From the slot that the client has filled. */
void request_take(struct channel *channel, uint32_t slot);
/* A command of it has ended. */
void request_command_done(struct request *request, enum blk_status status);
/* A flush for it has ended. */
void request_flushed(struct request *request, enum blk_status status);
/* All of it has been put into commands, or will not be. */
void request_end(struct request *request, enum blk_status status);
/* Ends what is waiting in the channel; what is in flight goes on. */
void request_drop_pending(struct channel *channel, enum blk_status status);

#endif
