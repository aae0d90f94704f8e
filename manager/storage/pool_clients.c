/* SPDX-License-Identifier: BSD-2-Clause */
/* Guests' disks on volumes of pools: two channels each. */
#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "manager/storage/pool.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

static struct pool_client *free_client(struct pool_server *p)
{
    for (uint32_t i = 0; i < POOL_CLIENTS; i++) {
        struct pool_client *c = &p->client[i];
        if (c->owner && c->channel.state == CHANNEL_FREE && !ahci_has_channels(c))
            c->owner = NULL;
        if (!c->owner)
            return c;
    }
    return NULL;
}

static void release_peer(struct pool_client *c)
{
    if (c->lower_peer) {
        sys_cap_revoke(c->lower_peer);
        slot_free(c->lower_peer);
    }
    c->lower_peer = 0;
}

/* With the guest's memory; its client is the pool. */
static const char *open_lower(struct pool_server *p, struct pool_client *c,
                              const struct pool_open *open)
{
    const struct volume *v = &p->volume;
    struct channel_request request = {.owner = c,
                                      .port = v->port,
                                      .disk = v->disk.geometry,
                                      .first_sector = v->first_sector,
                                      .sectors = v->sectors,
                                      .read_only = false,
                                      .memory = open->memory,
                                      .memory_count = open->memory_count,
                                      .name = open->name};
    struct channel *lower = ahci_new_channel(v->ahci);
    if (!lower)
        return "all channels of its controller are in use";
    if (ahci_let_reach(v->ahci, open->memory, open->memory_count) != OK)
        return "its controller cannot reach the guest's memory";
    const char *why = channel_prepare(lower, &request);
    if (why)
        return why;
    c->lower = lower;
    c->lower_bits = AHCI_BIT_CHANNEL(ahci_channel_index(v->ahci, lower));
    c->lower_peer = slot_alloc();
    if (!c->lower_peer || sys_cap_copy(SLOT_SELF_PD, c->lower_peer, v->ahci->notif,
                                       RIGHT_WRITE | RIGHT_COPY, c->lower_bits) != OK)
        return "no notification";
    return NULL;
}

static const char *open_upper(struct pool_client *c, const struct pool_open *open,
                              const struct pool_status_volume *volume, uint32_t block_size)
{
    struct channel_request request = {
        .owner = c,
        .disk = {.sectors = volume->sectors,
                 .block_size = block_size,
                 .physical_size = 4096,
                 .discard_align = 4096,
                 .flags = BLK_GEOMETRY_FLUSH | BLK_GEOMETRY_FUA | BLK_GEOMETRY_DISCARD |
                          BLK_GEOMETRY_WRITE_ZEROES,
                 .model = "Mullion volume"},
        .sectors = volume->sectors / (block_size / BLK_SECTOR) * (block_size / BLK_SECTOR),
        .read_only = open->read_only || volume->snapshot_of,
        .claims = true,
        .name = open->name};
    memcpy(request.disk.serial, volume->name, sizeof(request.disk.serial) - 1);
    return channel_prepare(&c->channel, &request);
}

/* A volume has one writer, or readers. */
static const char *taken_by(const struct pool_server *p, const struct pool_open *open)
{
    for (uint32_t i = 0; i < POOL_CLIENTS; i++) {
        const struct pool_client *c = &p->client[i];
        if (c->owner && c->channel.state != CHANNEL_FREE &&
            !strcmp(c->attach.volume, open->volume) && !(c->attach.read_only && open->read_only))
            return c->attach.name;
    }
    return NULL;
}

const char *pool_open_client(struct pool_server *p, const struct pool_open *open,
                             struct pool_client **client)
{
    static char why_text[256];
    struct pool_status_volume volume;
    const char *other = taken_by(p, open);
    if (!p->ready || p->status->head.state != POOL_OPEN) {
        struct pool_head head;
        uint32_t n;
        bool known = pool_read(p, &head, 0, NULL, 0, &n);
        snprintf(why_text, sizeof(why_text), "pool %.64s cannot be used%s%s", p->name,
                 known && head.reason[0] ? ": " : "", known ? head.reason : "");
        return why_text;
    }
    if (!pool_find_volume(p, open->volume, &volume)) {
        snprintf(why_text, sizeof(why_text), "pool %.64s has no volume '%.128s'", p->name,
                 open->volume);
        return why_text;
    }
    if (volume.snapshot_of && !open->read_only)
        return "a snapshot cannot be written; add <readonly/>";
    if (other) {
        snprintf(why_text, sizeof(why_text), "volume '%.128s' is in use by %.64s", open->volume,
                 other);
        return why_text;
    }
    struct pool_client *c = free_client(p);
    if (!c)
        return "all channels of its pool are in use";
    memset(c, 0, sizeof(*c));
    c->owner = open->owner;
    snprintf(c->attach.volume, sizeof(c->attach.volume), "%s", open->volume);
    snprintf(c->attach.name, sizeof(c->attach.name), "%s", open->name);
    c->attach.read_only = open->read_only;
    const char *why = open_lower(p, c, open);
    if (!why)
        why = open_upper(c, open, &volume, p->volume.disk.geometry.block_size);
    if (why) {
        release_peer(c);
        ahci_close_all(c);
        channel_close(&c->channel);
        c->owner = NULL;
        return why;
    }
    c->attach.driver_bits = c->lower_bits;
    *client = c;
    return NULL;
}

void pool_start_client(struct pool_server *p, struct pool_client *c)
{
    c->attach.client_bits = c->channel.attach.client_bits;
    if (c->lower->state == CHANNEL_PREPARED &&
        channel_attach(c->lower, p->notif, POOL_BIT_DISK) != OK)
        log_line("%s: its driver cannot be told", c->attach.name);
    ahci_job(p->volume.ahci);
    pool_job(p);
}

void pool_close_lower(struct pool_server *p, struct pool_client *c)
{
    (void)p;
    release_peer(c);
    c->lower = NULL;
    ahci_close_all(c);
}

bool pool_close_all(const void *owner)
{
    bool busy = false;
    for (uint32_t n = 0; n < pool_count(); n++) {
        struct pool_server *p = pool_at(n);
        bool jobs = false;
        for (uint32_t i = 0; i < POOL_CLIENTS; i++) {
            struct pool_client *c = &p->client[i];
            if (!c->owner || c->owner != owner)
                continue;
            bool with_process = channel_close(&c->channel);
            /* A process that is not there holds nothing. */
            if (with_process && !p->life.program.alive) {
                channel_driver_died(&c->channel);
                with_process = false;
            }
            jobs |= with_process;
            if (!with_process)
                pool_close_lower(p, c);
            if (!with_process && !ahci_has_channels(c))
                c->owner = NULL;
            busy |= c->owner != NULL;
        }
        if (jobs)
            pool_job(p);
    }
    return busy;
}

void pool_clients_orphaned(struct pool_server *p)
{
    for (uint32_t i = 0; i < POOL_CLIENTS; i++) {
        struct pool_client *c = &p->client[i];
        if (!c->owner)
            continue;
        channel_driver_died(&c->channel);
        if (c->channel.state == CHANNEL_FREE)
            pool_close_lower(p, c);
    }
}

bool pool_is_closing(void)
{
    for (uint32_t n = 0; n < pool_count(); n++) {
        for (uint32_t i = 0; i < POOL_CLIENTS; i++) {
            const struct pool_client *c = &pool_at(n)->client[i];
            if (c->owner &&
                (c->channel.state == CHANNEL_DETACH || c->channel.state == CHANNEL_DETACHING))
                return true;
        }
    }
    return false;
}
