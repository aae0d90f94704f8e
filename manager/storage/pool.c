/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/storage/pool.h"

#include <stdio.h>
#include <string.h>
#include "abi/map.h"
#include "abi/object.h"
#include "abi/status.h"
#include "manager/bootpkg.h"
#include "manager/window.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define POOL_PRIORITY  25u /* below the drivers that it calls, above the VMMs that call it */
#define POOL_QUOTA     (1u << 20)
#define STATUS_VA      (MANAGER_DISKS_VA + 0x40000000ull)
#define STATUS_STEP    (4ull << 20)
#define LOW_MEMORY_END (1ull << 32)
#define ASK_NS         30000000000ull
#define ANSWER_NS      60000000000ull /* it never waits for anything itself */

static struct pool_setup setup;
static struct pool_server pools[POOLS_MAX];
static uint32_t count;

void pool_init(const struct pool_setup *with)
{
    setup = *with;
}

uint32_t pool_count(void)
{
    return count;
}

struct pool_server *pool_at(uint32_t index)
{
    return index < count ? &pools[index] : NULL;
}

struct pool_server *pool_by_name(const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!strcmp(pools[i].name, name))
            return &pools[i];
    }
    return NULL;
}

struct pool_server *pool_by_badge(uint64_t badge)
{
    return badge >= POOL_BADGE && badge - POOL_BADGE < count ? &pools[badge - POOL_BADGE] : NULL;
}

/* --- what stays while processes come and go --- */

static const char *take_memory(struct pool_server *p)
{
    uint64_t va = STATUS_VA + p->index * STATUS_STEP;
    if (physmem_alloc_below(&p->own, POOL_OWN_SIZE, PHYSMEM_PAGE, LOW_MEMORY_END) != OK ||
        physmem_alloc(&p->journal, POOL_JOURNAL_BYTES, PHYSMEM_PAGE, PHYSMEM_ANY_NODE) != OK ||
        physmem_alloc(&p->status_memory, POOL_STATUS_BYTES, PHYSMEM_PAGE, PHYSMEM_ANY_NODE) != OK)
        return "there is no memory for it";
    if (window_zero(&p->own) != OK || window_zero(&p->journal) != OK ||
        window_zero(&p->status_memory) != OK ||
        sys_mem_map(SLOT_SELF_PD, p->status_memory.slot, va, 0, p->status_memory.size, MAP_READ) !=
            OK)
        return "its memory cannot be mapped";
    p->status = (const struct pool_status *)va;
    return NULL;
}

static const char *open_channel(struct pool_server *p)
{
    const struct volume *v = &p->volume;
    char name[64];
    snprintf(name, sizeof(name), "pool %.48s", p->name);
    struct channel_request request = {.owner = p,
                                      .port = v->port,
                                      .disk = v->disk.geometry,
                                      .first_sector = v->first_sector,
                                      .sectors = v->sectors,
                                      .claims = true,
                                      .memory = &p->own,
                                      .memory_count = 1,
                                      .name = name};
    struct channel *c = ahci_new_channel(v->ahci);
    if (!c)
        return "all channels of its controller are in use";
    if (ahci_let_reach(v->ahci, &p->own, 1) != OK)
        return "its controller cannot reach its memory";
    const char *why = channel_prepare(c, &request);
    if (why)
        return why;
    p->channel = c;
    p->driver_bits = AHCI_BIT_CHANNEL(ahci_channel_index(v->ahci, c));
    p->peer = slot_alloc();
    p->notif = slot_alloc();
    if (!p->peer || !p->notif || sys_notif_create(p->notif) != OK ||
        sys_cap_copy(SLOT_SELF_PD, p->peer, v->ahci->notif, RIGHT_WRITE | RIGHT_COPY,
                     p->driver_bits) != OK ||
        channel_attach(c, p->notif, POOL_BIT_DISK) != OK)
        return "its channel cannot be set up";
    ahci_job(v->ahci);
    return NULL;
}

/* --- the process --- */

static const char *spawn(struct pool_server *p)
{
    const uint32_t rw = RIGHT_READ | RIGHT_WRITE;
    const struct spawn_cap caps[] = {{POOL_SLOT_CHANNEL, p->channel->memory.slot, rw, 0},
                                     {POOL_SLOT_PEER, p->peer, RIGHT_WRITE, 0},
                                     {POOL_SLOT_OWN, p->own.slot, rw, 0},
                                     {POOL_SLOT_JOURNAL, p->journal.slot, rw, 0},
                                     {POOL_SLOT_STATUS, p->status_memory.slot, rw, 0}};
    struct pool_config config = {.magic = POOL_CONFIG_MAGIC,
                                 .sectors = p->volume.sectors,
                                 .driver_bits = p->driver_bits,
                                 .block_size = p->volume.disk.geometry.block_size,
                                 .restarts = p->life.restarts};
    char name[64];
    snprintf(config.name, sizeof(config.name), "%.63s", p->name);
    snprintf(name, sizeof(name), "pool:%.48s", p->name);
    uint64_t heap = pool_heap(p->volume.sectors);
    struct spawn_request request = {
        .file = bootpkg_find("pool"),
        .name = name,
        .heap_size = heap,
        .quota = POOL_QUOTA + heap / 256,
        .priority = POOL_PRIORITY,
        .badge = POOL_BADGE + p->index,
        .portal = setup.portal,
        .fault_notif = setup.notif,
        .fault_bits = POOL_FAULT_BIT,
        .notif = p->notif,
        .data = &config,
        .data_size = sizeof(config),
        .caps = caps,
        .cap_count = sizeof(caps) / sizeof(caps[0]),
    };
    const char *why = setup.ensure_kernel_memory(request.quota);
    return why ? why : spawn_program(&p->life.program, &request);
}

/* For messages; returns `name`. */
static const char *life_name(const struct pool_server *p, char name[64])
{
    snprintf(name, 64, "pool:%.48s", p->name);
    return name;
}

static void start(struct pool_server *p)
{
    char name[64];
    p->ready = false;
    life_began(&p->life, life_name(p, name), spawn(p), 0);
}

static bool is_same_place(const struct volume *a, const struct volume *b)
{
    return a->ahci == b->ahci && a->port == b->port && a->first_sector == b->first_sector &&
           a->sectors == b->sectors &&
           !memcmp(a->disk.geometry.serial, b->disk.geometry.serial,
                   sizeof(a->disk.geometry.serial));
}

void pool_found(const char *name, const struct volume *volume)
{
    for (uint32_t i = 0; i < count; i++) {
        if (is_same_place(&pools[i].volume, volume))
            return; /* the disk was away: its channel is still there */
        if (!strcmp(pools[i].name, name)) {
            log_line("pool %s: a second partition with this label is left out", name);
            return;
        }
    }
    if (count == POOLS_MAX || !bootpkg_find("pool") || !*name) {
        log_line("pool %s: left out: %s", *name ? name : "without a label",
                 count == POOLS_MAX ? "there are too many"
                 : *name            ? "the boot package has no program for pools"
                                    : "a pool is known by its partition's label");
        return;
    }
    struct pool_server *p = &pools[count];
    *p = (struct pool_server){.index = count, .volume = *volume};
    snprintf(p->name, sizeof(p->name), "%s", name);
    const char *why = take_memory(p);
    if (!why)
        why = open_channel(p);
    if (why) {
        log_line("pool %s: left out: %s", name, why);
        ahci_close_all(p);
        physmem_free(&p->own);
        physmem_free(&p->journal);
        physmem_free(&p->status_memory);
        return;
    }
    p->used = true;
    count++;
    start(p);
}

/* --- watching it --- */

void pool_end(struct pool_server *p)
{
    life_end(&p->life);
    pool_clients_orphaned(p);
    if (p->order_state == ORDER_GIVEN)
        p->order_state = ORDER_WAITS; /* its number tells whether it was carried out */
    p->ready = false;
    p->stopped |= p->stopping;
}

/* What a client that is gone has in flight must have ended before blocks are given out again. */
static bool is_clear(const struct pool_server *p)
{
    for (uint32_t i = 0; i < POOL_CLIENTS; i++) {
        const struct pool_client *c = &p->client[i];
        if (c->owner && c->channel.state == CHANNEL_FREE && ahci_has_channels(c))
            return false;
    }
    return true;
}

uint64_t pool_tick(uint64_t now)
{
    char name[64];
    uint64_t next = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct pool_server *p = &pools[i];
        enum life_state state = life_check(&p->life, now);
        if (state != LIFE_GOES_ON && !p->stopping)
            life_tell(&p->life, life_name(p, name), state);
        if (state != LIFE_GOES_ON)
            pool_end(p);
        pool_growth_tick(p);
        if (!p->stopping && life_is_due(&p->life, now) && is_clear(p))
            start(p);
        if (!p->stopping && life_asks(&p->life, now, ASK_NS, ANSWER_NS))
            sys_notif_signal(p->notif, POOL_BIT_JOB);
        uint64_t at = p->stopping ? 0 : life_next(&p->life);
        if (at && (!next || at < next))
            next = at;
    }
    return next;
}

void pool_job(struct pool_server *p)
{
    if (!p->life.program.alive)
        return;
    life_expect(&p->life, ANSWER_NS);
    sys_notif_signal(p->notif, POOL_BIT_JOB);
}

void pool_stop(void)
{
    for (uint32_t i = 0; i < count; i++) {
        struct pool_server *p = &pools[i];
        if (p->stopping)
            continue;
        p->stopping = true;
        p->stopped = !p->life.program.alive || !p->ready || p->status->head.state != POOL_OPEN;
        sys_notif_signal(p->notif, POOL_BIT_STOP);
    }
}

bool pool_stopped(void)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!pools[i].stopped)
            return false;
    }
    return true;
}

bool pool_searching(void)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!pools[i].ready && pools[i].life.restarts < 4)
            return true;
    }
    return false;
}
