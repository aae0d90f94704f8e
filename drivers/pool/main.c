/* SPDX-License-Identifier: BSD-2-Clause */
/* The process: what it is given, what the manager wants of it, the loop around pool.h. */
#include <stdio.h>
#include <string.h>
#include "abi/map.h"
#include "abi/object.h"
#include "abi/status.h"
#include "drivers/pool/client.h"
#include "drivers/pool/report.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define CHANNEL_VA 0x0000000010000000ull
#define OWN_VA     0x0000000020000000ull
#define JOURNAL_VA 0x0000000030000000ull
#define STATUS_VA  0x0000000038000000ull
#define CLIENT_VA  0x0000000040000000ull /* two STEPs each: to the client, to the driver */
#define STEP       ((sizeof(struct blk_channel) + 4095u) & ~4095ull)
#define COMMIT_NS  1000000000ull /* what no guest has flushed is committed after so long */

static const struct program_args *args;
static const struct pool_config *config;
static struct pool *pool;
static struct pool_status *status_memory;
static struct lane own_lane;
static struct client *clients[POOL_CLIENTS];
static uint32_t clients_end;         /* behind the last that was ever used */
static uint32_t slots[POOL_CLIENTS]; /* the first of four capabilities */
static uint64_t detaching;
static enum pool_state state = POOL_STARTING;
static bool opening, timer_armed, stopping, changed;
/* A flush of the pool goes to all lanes on which something was written. */
static struct pool_io *flush_io;
static struct pool_io lane_flush[POOL_CLIENTS + 1];
static uint32_t flushes;
static enum blk_status flush_status;

/* --- the manager --- */

static int64_t parent(uint64_t event, uint64_t a, uint64_t b, uint64_t c, const char *text)
{
    snprintf((char *)&utcb_self()->mr[POOL_PAYLOAD], POOL_TEXT, "%s", text ? text : "");
    return ask_parent(event, a, b, c, POOL_PAYLOAD + POOL_TEXT / 8);
}

static void report(enum pool_state now)
{
    state = now;
    changed = false;
    report_write(status_memory, pool, now);
    parent(POOL_EVENT_STATE, now, 0, 0, NULL);
}

/* --- the engine's environment --- */

static void flush_all(struct pool_io *io)
{
    flush_io = io;
    flush_status = BLK_OK;
    flushes = 0;
    for (uint32_t i = 0; i <= POOL_CLIENTS; i++) {
        struct client *c = i < POOL_CLIENTS ? clients[i] : NULL;
        struct lane *lane = c ? &c->lane : &own_lane;
        if (i < POOL_CLIENTS && (!c || !lane->wrote))
            continue;
        lane->wrote = false;
        lane_flush[i] = (struct pool_io){.op = BLK_FLUSH};
        flushes++;
        lane_submit(lane, &lane_flush[i]);
    }
}

static void submit(void *context, struct pool_io *io)
{
    (void)context;
    if (io->op == BLK_FLUSH && !io->request)
        flush_all(io);
    else if (io->buffer)
        lane_submit(&own_lane, io);
    else
        lane_submit(io->request->lane, io);
}

static void ended(void *context, struct pool_request *request, enum blk_status status)
{
    (void)context;
    client_ended(request, status);
}

static void opened(void *context, bool good)
{
    (void)context;
    if (!good)
        log_line("the pool is not used: %s", pool_reason(pool));
    state = good ? POOL_OPEN : POOL_REFUSED;
    changed = true;
}

static void ordered(void *context, uint64_t job, const char *why)
{
    (void)context;
    for (uint32_t i = 0; i < POOL_CLIENTS; i++) {
        if (clients[i] && clients[i]->volume &&
            clients[i]->shared->geometry.sectors != pool_record(clients[i]->volume)->sectors)
            client_announce(clients[i], config->block_size);
    }
    if (!why)
        report(state);
    parent(POOL_EVENT_DONE, POOL_JOB_ORDER, job, why != NULL, why);
    sys_notif_signal(SLOT_NOTIF, POOL_BIT_JOB);
}

static void engine_reports(void *context, bool bad, const char *text)
{
    (void)context;
    log_line("%s%s", bad ? "error: " : "", text);
}

static void lane_events(struct lane *lane)
{
    struct pool_io *io;
    enum blk_status status;
    if (blk_client_differs(&lane->client) && blk_client_changed(&lane->client) && pool &&
        pool_is_frozen(pool))
        fatal("the disk's driver is back: the pool is opened again");
    while (blk_client_has_answers(&lane->client) && lane_take(lane, &io, &status)) {
        if (io < lane_flush || io > &lane_flush[POOL_CLIENTS]) {
            pool_io_ended(pool, io, status);
            continue;
        }
        flush_status = status != BLK_OK ? status : flush_status;
        if (!--flushes)
            pool_io_ended(pool, flush_io, flush_status);
    }
}

/* --- jobs --- */

static void give_back(uint32_t index)
{
    uint64_t va = CLIENT_VA + 2 * STEP * index;
    sys_mem_unmap(SLOT_SELF_PD, va, STEP);
    sys_mem_unmap(SLOT_SELF_PD, va + STEP, STEP);
    for (uint32_t i = 0; i < UTCB_CAPS; i++)
        slot_free(slots[index] + i);
    slots[index] = 0;
}

static void serve(uint32_t index)
{
    struct client *c = clients[index];
    if (!c || c->volume || c->detaching || state != POOL_OPEN)
        return;
    bool good = client_serve(c, pool, config->block_size);
    log_line("%s: client %u to volume %s: %s", c->attach.name, index, c->attach.volume,
             good ? "served" : "there is none");
    changed = true;
}

static void attach(uint32_t index, const struct pool_attach *job, uint32_t first)
{
    uint64_t va = CLIENT_VA + 2 * STEP * index;
    bool good = index < POOL_CLIENTS && !clients[index];
    if (!good) {
        for (uint32_t i = 0; i < UTCB_CAPS; i++)
            slot_free(first + i);
        parent(POOL_EVENT_DONE, POOL_JOB_ATTACH, index, 1, "no such client");
        return;
    }
    slots[index] = first;
    good = sys_mem_map(SLOT_SELF_PD, first, va, 0, STEP, MAP_READ | MAP_WRITE) == OK &&
           sys_mem_map(SLOT_SELF_PD, first + 2, va + STEP, 0, STEP, MAP_READ | MAP_WRITE) == OK;
    if (good)
        clients[index] = client_new(job, (void *)va, first + 1, (void *)(va + STEP), first + 3);
    if (clients[index] && index >= clients_end)
        clients_end = index + 1;
    if (!clients[index])
        give_back(index);
    parent(POOL_EVENT_DONE, POOL_JOB_ATTACH, index, !clients[index],
           clients[index] ? NULL : "the pool's memory is exhausted");
    serve(index);
}

static void finish_detach(void)
{
    for (uint32_t i = 0; i < POOL_CLIENTS; i++) {
        if (!(detaching >> i & 1) || (clients[i] && !client_detach(clients[i])))
            continue;
        detaching &= ~(1ull << i);
        if (clients[i]) {
            client_free(clients[i]);
            clients[i] = NULL;
            give_back(i);
            changed = true;
        }
        parent(POOL_EVENT_DONE, POOL_JOB_DETACH, i, 0, NULL);
    }
}

/* False: nothing more is to be done now. */
static bool take_job(void)
{
    struct utcb *utcb = utcb_self();
    union {
        struct pool_attach attach;
        struct pool_order order;
    } job;
    uint32_t first = slot_alloc_range(UTCB_CAPS);
    if (!first)
        fatal("no capability slots are left");
    utcb->recv_slot = first;
    int64_t status = parent(POOL_EVENT_NEXT, state == POOL_OPEN && !stopping, 0, 0, NULL);
    utcb->recv_slot = 0;
    uint64_t kind = status == OK ? utcb->mr[1] : POOL_JOB_NONE, index = utcb->mr[2];
    memcpy(&job, &utcb->mr[POOL_PAYLOAD], sizeof(job));
    if (kind == POOL_JOB_ATTACH) {
        attach((uint32_t)index, &job.attach, first);
        return true;
    }
    for (uint32_t i = 0; i < UTCB_CAPS; i++)
        slot_free(first + i);
    if (kind == POOL_JOB_DETACH && index < POOL_CLIENTS)
        detaching |= 1ull << index;
    else if (kind == POOL_JOB_ORDER)
        pool_order(pool, &job.order);
    return kind == POOL_JOB_DETACH;
}

/* --- the loop --- */

static bool all_quiet(void)
{
    bool quiet = lane_is_quiet(&own_lane);
    for (uint32_t i = 0; i < POOL_CLIENTS && quiet; i++)
        quiet = !clients[i] || lane_is_quiet(&clients[i]->lane);
    return quiet;
}

static void open_pool(void)
{
    static struct pool_environment environment;
    environment = (struct pool_environment){.submit = submit,
                                            .ended = ended,
                                            .opened = opened,
                                            .ordered = ordered,
                                            .report = engine_reports,
                                            .own = (uint8_t *)OWN_VA,
                                            .journal = (struct pool_journal *)JOURNAL_VA,
                                            .sectors = config->sectors};
    opening = true;
    pool = pool_new(&environment);
    if (!pool)
        fatal("there is no memory for the pool");
    pool_open(pool, false);
}

static void after_opening(void)
{
    for (uint32_t i = 0; i < POOL_CLIENTS; i++)
        serve(i);
    if (state == POOL_OPEN)
        log_line("%s is open", config->name);
    report(state);
    sys_notif_signal(SLOT_NOTIF, POOL_BIT_JOB);
}

static void ring_all(void)
{
    for (uint32_t i = 0; i < clients_end; i++) {
        if (!clients[i])
            continue;
        if (clients[i]->ended)
            client_tell(clients[i]);
        if (lane_has_news(&clients[i]->lane))
            lane_ring(&clients[i]->lane);
    }
    if (lane_has_news(&own_lane))
        lane_ring(&own_lane);
}

static void events(uint64_t bits)
{
    static bool was_open;
    if (bits & POOL_BIT_DISK) {
        if (blk_client_has_answers(&own_lane.client) || blk_client_differs(&own_lane.client))
            lane_events(&own_lane);
        for (uint32_t i = 0; i < clients_end; i++) {
            if (clients[i])
                lane_events(&clients[i]->lane);
        }
    }
    for (uint64_t b = bits >> 16; b; b &= b - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(b);
        if (i < POOL_CLIENTS && clients[i])
            client_take(clients[i]);
    }
    if (!opening && all_quiet())
        open_pool();
    if (!was_open && state != POOL_STARTING) {
        was_open = true;
        after_opening();
    }
    while (bits & POOL_BIT_JOB && take_job())
        continue;
    if (bits & POOL_BIT_TIMER)
        timer_armed = false;
    stopping |= (bits & POOL_BIT_STOP) != 0;
    if (detaching)
        finish_detach();
}

/* What is done when there is time. */
static void background(uint64_t bits)
{
    if (!pool || !(pool_stirs(pool) || stopping || changed))
        return;
    bool dirty = pool_is_dirty(pool);
    if ((dirty && bits & POOL_BIT_TIMER) || stopping)
        pool_commit(pool);
    if (dirty && !timer_armed) {
        timer_armed = true;
        sys_notif_timer(SLOT_NOTIF, time_tsc() + time_ns_to_tsc(COMMIT_NS), POOL_BIT_TIMER);
    }
    if (pool_work(pool))
        sys_notif_signal(SLOT_NOTIF, POOL_BIT_WORK);
    if (pool_is_frozen(pool) && state == POOL_OPEN) {
        log_line("%s", pool_reason(pool));
        report(POOL_FROZEN);
    }
    if (changed && (bits & (POOL_BIT_TIMER | POOL_BIT_JOB)))
        report(state);
    if (stopping && !pool_is_dirty(pool)) {
        parent(POOL_EVENT_STOPPED, 0, 0, 0, NULL);
        log_line("all is committed");
        sys_thread_exit();
    }
}

int program_main(const struct program_args *program, const void *data)
{
    const uint32_t rw = MAP_READ | MAP_WRITE;
    args = program;
    config = data;
    if (args->data_size < sizeof(*config) || config->magic != POOL_CONFIG_MAGIC)
        fatal("this is no configuration of a volume pool");
    void *channel = map_given(args->slot[POOL_SLOT_CHANNEL], CHANNEL_VA, STEP, rw, "the channel");
    uint8_t *own =
        map_given(args->slot[POOL_SLOT_OWN], OWN_VA, POOL_OWN_SIZE, rw, "its own memory");
    map_given(args->slot[POOL_SLOT_JOURNAL], JOURNAL_VA, POOL_JOURNAL_BYTES, rw, "the journal");
    status_memory =
        map_given(args->slot[POOL_SLOT_STATUS], STATUS_VA, POOL_STATUS_BYTES, rw, "the status");
    lane_init(&own_lane, channel, args->slot[POOL_SLOT_PEER], config->driver_bits, own);
    lane_bell.owner = utcb_self();
    report(POOL_STARTING);
    uint64_t bits = POOL_BIT_JOB | POOL_BIT_DISK;
    while (take_job()) /* the clients of the process before */
        continue;
    for (;;) {
        events(bits);
        background(bits);
        ring_all();
        bits = 0;
        bell_wait(&lane_bell, SLOT_NOTIF, &bits);
    }
}
