/* SPDX-License-Identifier: BSD-2-Clause */
/* A partition with a volatile write cache, for the engine of volume pools: what was written and not
 * flushed may be there after a power cut, or not, or sector by sector, in any order. */
#ifndef TESTS_UNIT_POOL_SIM_H
#define TESTS_UNIT_POOL_SIM_H

#include "drivers/pool/engine.h"

#include "drivers/pool/check.c"
#include "drivers/pool/commit.c"
/* A fuzzer would never get past checksums. */
#ifdef POOL_SIM_NO_CHECKSUMS
uint32_t crc32c(const void *data, size_t size)
{
    (void)data, (void)size;
    return 0;
}
#else
#include "drivers/pool/crc32c.c"
#endif
#include "drivers/pool/journal.c"
#include "drivers/pool/layout.c"
#include "drivers/pool/load.c"
#include "drivers/pool/order.c"
#include "drivers/pool/piece.c"
#include "drivers/pool/request.c"
#include "drivers/pool/space.c"
#include "drivers/pool/tree.c"
#include "drivers/pool/volume.c"

#define SIM_SECTORS 24576u /* 12 MiB */
#define SIM_QUEUE   4096u
#define SIM_WRITES  65536u

struct sim_write {
    uint64_t sector;
    uint8_t data[POOL_SECTOR];
};

struct sim {
    uint8_t *medium; /* what is there after a power cut */
    uint8_t *now;    /* what is read */
    uint64_t sectors;
    struct sim_write *cache; /* sectors written since the last flush, in order */
    uint32_t cached;
    struct pool_io *queue[SIM_QUEUE];
    uint32_t queued;
    uint32_t random;       /* order in which ios end; 0: first in, first out */
    uint32_t odd;          /* ios that a disk with blocks of 4096 bytes would refuse */
    uint64_t ended, limit; /* ios; after `limit` nothing ends any more */
    uint64_t fail_at;      /* the io with this number fails; 0: none */
    uint8_t *memory;       /* the clients' */
    uint8_t own[POOL_OWN_BYTES];
    struct pool *pool;
    bool opened, good;
    uint32_t answers;
    const char *order_why;
    char order_text[POOL_REASON];
    uint32_t bad_reports, notes;
    char last_report[POOL_REASON];
    struct pool_journal *journal;
};

static void sim_submit(void *context, struct pool_io *io)
{
    struct sim *sim = context;
    if (sim->queued == SIM_QUEUE)
        abort();
    sim->queue[sim->queued++] = io;
    sim->odd += (io->sector | io->sectors) % 8 != 0;
}

static void sim_ended(void *context, struct pool_request *request, enum blk_status status);

static void sim_opened(void *context, bool good)
{
    struct sim *sim = context;
    sim->opened = true;
    sim->good = good;
}

static void sim_ordered(void *context, uint64_t job, const char *why)
{
    struct sim *sim = context;
    (void)job;
    sim->answers++;
    sim->order_why = NULL;
    if (why) {
        snprintf(sim->order_text, sizeof(sim->order_text), "%s", why);
        sim->order_why = sim->order_text;
    }
}

static void sim_report(void *context, bool bad, const char *text)
{
    struct sim *sim = context;
    sim->bad_reports += bad;
    sim->notes += !bad;
    snprintf(sim->last_report, sizeof(sim->last_report), "%s", text);
}

static uint32_t sim_dice(struct sim *sim)
{
    sim->random = sim->random * 1664525u + 1013904223u;
    return sim->random >> 8;
}

static void sim_flush(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->cached; i++)
        memcpy(sim->medium + sim->cache[i].sector * POOL_SECTOR, sim->cache[i].data, POOL_SECTOR);
    sim->cached = 0;
}

static void sim_write(struct sim *sim, uint64_t sector, const uint8_t *data, bool fua)
{
    memcpy(sim->now + sector * POOL_SECTOR, data, POOL_SECTOR);
    if (fua) {
        /* What the cache holds of the sector is older. */
        for (uint32_t i = 0; i < sim->cached; i++) {
            if (sim->cache[i].sector == sector)
                memcpy(sim->cache[i].data, data, POOL_SECTOR);
        }
        memcpy(sim->medium + sector * POOL_SECTOR, data, POOL_SECTOR);
        return;
    }
    if (sim->cached == SIM_WRITES)
        abort();
    sim->cache[sim->cached].sector = sector;
    memcpy(sim->cache[sim->cached++].data, data, POOL_SECTOR);
}

/* The next of the bytes that an io means. */
static uint8_t *sim_bytes(struct sim *sim, const struct pool_io *io, uint64_t sector)
{
    struct blk_segment segment[BLK_SEGMENTS_MAX];
    uint64_t at = sector * POOL_SECTOR;
    if (io->buffer)
        return (uint8_t *)io->buffer + at;
    uint32_t n = pool_cut(io, segment);
    for (uint32_t i = 0; i < n; i++) {
        if (at < segment[i].length)
            return sim->memory + segment[i].offset + at;
        at -= segment[i].length;
    }
    abort();
}

static void sim_carry_out(struct sim *sim, const struct pool_io *io)
{
    if (io->op == BLK_FLUSH) {
        sim_flush(sim);
        return;
    }
    if (!io->sectors || io->sector + io->sectors > sim->sectors)
        abort();
    /* What a FUA write does is no promise for those before it. */
    for (uint64_t i = 0; i < io->sectors; i++) {
        uint8_t *bytes = sim_bytes(sim, io, i);
        if (io->op == BLK_READ)
            memcpy(bytes, sim->now + (io->sector + i) * POOL_SECTOR, POOL_SECTOR);
        else
            sim_write(sim, io->sector + i, bytes, io->fua);
    }
}

/* One io ends. False: none is there, or the power is gone. */
static bool sim_step(struct sim *sim)
{
    if (!sim->queued || sim->ended == sim->limit)
        return false;
    uint32_t pick = sim->random ? sim_dice(sim) % sim->queued : 0;
    struct pool_io *io = sim->queue[pick];
    memmove(&sim->queue[pick], &sim->queue[pick + 1],
            (--sim->queued - pick) * sizeof(sim->queue[0]));
    bool fails = ++sim->ended == sim->fail_at;
    if (!fails)
        sim_carry_out(sim, io);
    pool_io_ended(sim->pool, io, fails ? BLK_IO_ERROR : BLK_OK);
    return true;
}

static bool sim_run(struct sim *sim)
{
    while (sim_step(sim))
        continue;
    return sim->ended != sim->limit;
}

/* A new process on what is there; it reports when it is open. */
static bool sim_open(struct sim *sim, bool check)
{
    struct pool_environment environment = {.context = sim,
                                           .submit = sim_submit,
                                           .ended = sim_ended,
                                           .opened = sim_opened,
                                           .ordered = sim_ordered,
                                           .report = sim_report,
                                           .own = sim->own,
                                           .journal = check ? NULL : sim->journal,
                                           .read_only = check,
                                           .sectors = sim->sectors};
    if (sim->pool)
        pool_free(sim->pool);
    sim->queued = 0;
    sim->opened = sim->good = false;
    sim->bad_reports = sim->notes = 0;
    sim->pool = pool_new(&environment);
    pool_open(sim->pool, check);
    sim_run(sim);
    return sim->good;
}

static void sim_make(struct sim *sim, uint64_t sectors)
{
    static const uint8_t uuid[16] = "uuid of the pool";
    struct pool_super super;
    memset(sim, 0, sizeof(*sim));
    sim->sectors = sectors;
    sim->limit = ~0ull;
    sim->medium = calloc(sectors, POOL_SECTOR);
    sim->now = calloc(sectors, POOL_SECTOR);
    sim->cache = malloc(SIM_WRITES * sizeof(*sim->cache));
    sim->memory = calloc(16, 1 << 20);
    if (!pool_format(&super, sectors, uuid, 0))
        abort();
    memcpy(sim->medium + POOL_SUPER_SECTOR(1) * POOL_SECTOR, &super, sizeof(super));
    memcpy(sim->now, sim->medium, sectors * POOL_SECTOR);
}

static void sim_free(struct sim *sim)
{
    if (sim->pool)
        pool_free(sim->pool);
    free(sim->medium);
    free(sim->now);
    free(sim->cache);
    free(sim->memory);
    free(sim->journal);
    sim->pool = NULL;
}

#endif
