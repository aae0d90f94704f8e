/* SPDX-License-Identifier: BSD-2-Clause */
/* Volume pools on partitions: a process each (drivers/pool/), started, watched, restarted. As with
 * drivers, the manager answers a process's calls and signals it, and never waits for it. */
#ifndef MANAGER_STORAGE_POOL_H
#define MANAGER_STORAGE_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include "abi/utcb.h"
#include "drivers/pool/protocol.h"
#include "manager/storage/ahci.h"
#include "manager/life.h"
#include "manager/storage/volume.h"

#define POOLS_MAX 8u
/* Badges of the processes' portals. */
#define POOL_BADGE     (1ull << 37)
#define POOL_FAULT_BIT (1ull << 55)

/* A guest's disk on a volume: the channel between guest and pool, and the one with the guest's
 * memory between pool and disk driver. Its place in the pool is the client's number. */
struct pool_client {
    struct channel channel;
    struct channel *lower;
    uint32_t lower_peer; /* slot: the driver's notification as the pool gets it */
    uint64_t lower_bits;
    struct pool_attach attach;
    const void *owner; /* NULL: free */
};

/* GROWS: the partition, then the channels to the disk's driver, then the pool, by being opened
 * again. */
enum pool_order_state { ORDER_NONE, ORDER_WAITS, ORDER_GIVEN, ORDER_GROWS, ORDER_DONE };
enum pool_growth { GROWTH_NONE, GROWTH_PARTITION, GROWTH_CHANNELS, GROWTH_OPENS };

struct pool_server {
    bool used;
    uint32_t index;
    char name[GPT_NAME];
    struct volume volume; /* the partition */
    struct life life;
    uint32_t notif; /* outlives the process */
    struct channel *channel;
    uint32_t peer; /* slot: the driver's notification */
    uint64_t driver_bits;
    struct mem_block own, journal, status_memory;
    const struct pool_status *status; /* mapped; the process writes it */
    bool ready, stopping, stopped;
    struct pool_client client[POOL_CLIENTS];
    struct pool_order order;
    enum pool_order_state order_state;
    uint64_t last_job;
    char order_text[POOL_TEXT];
    enum pool_growth growth;
    uint64_t blocks_before;
};

struct pool_setup {
    uint32_t portal, notif;
    const char *(*ensure_kernel_memory)(uint64_t quota);
};

void pool_init(const struct pool_setup *setup);
/* A partition of the pools' type was found; again is fine. */
void pool_found(const char *name, const struct volume *volume);
uint32_t pool_count(void);
struct pool_server *pool_at(uint32_t index);
struct pool_server *pool_by_name(const char *name);
struct pool_server *pool_by_badge(uint64_t badge);
/* There is something to tell the process. */
void pool_job(struct pool_server *pool);
/* Restarts what has ended; the TSC at which to be called again, 0: when its bit comes. */
uint64_t pool_tick(uint64_t now);
/* The process ended, or is ended: what it had is there for the next one. */
void pool_end(struct pool_server *pool);
/* The host goes down: all is committed. */
void pool_stop(void);
bool pool_stopped(void);
/* Some pool may yet open. */
bool pool_searching(void);

/* --- pool_calls.c --- */
uint64_t pool_serve(struct pool_server *pool, struct utcb *utcb, uint32_t words);
/* NULL and its number, or why it is not even tried. */
const char *pool_give_order(struct pool_server *pool, const struct pool_order *order,
                            uint64_t *job);
/* A copy of the status that fits together; false: there is none at the moment. The volumes from
 * `first` on, at most max; *total: how many there are. */
bool pool_read(const struct pool_server *pool, struct pool_head *head, uint32_t first,
               struct pool_status_volume *volumes, uint32_t max, uint32_t *count);
/* "volume" or "volume@snapshot". */
bool pool_find_volume(const struct pool_server *pool, const char *name,
                      struct pool_status_volume *volume);

/* --- pool_grow.c --- */
/* An order to grow. NULL, or why it is not even tried. */
const char *pool_grow(struct pool_server *pool, uint64_t sectors);
/* volume_grow() has ended; why: NULL, or why the partition is as it was. */
void pool_partition_grown(const struct volume *volume, uint64_t sectors, const char *why);
/* Goes on when the disk's driver knows the new size. */
void pool_growth_tick(struct pool_server *pool);
/* A process has opened the pool. */
void pool_growth_opened(struct pool_server *pool, const struct pool_head *head);

/* --- pool_clients.c --- */
struct pool_open {
    const void *owner;
    const char *volume, *name; /* of the volume; of the client */
    bool read_only;
    const struct mem_block *memory;
    uint32_t memory_count;
};
/* NULL and a client whose channel is prepared, or why not. */
const char *pool_open_client(struct pool_server *pool, const struct pool_open *open,
                             struct pool_client **client);
/* Tells the disk's driver of what was prepared. */
void pool_start_client(struct pool_server *pool, struct pool_client *client);
/* Closes what the owner has; true while some of it is with the process or the driver. */
bool pool_close_all(const void *owner);
/* A client's channel is closed: the other one, too. */
void pool_close_lower(struct pool_server *pool, struct pool_client *client);
/* The process died. */
void pool_clients_orphaned(struct pool_server *pool);
bool pool_is_closing(void);

#endif
