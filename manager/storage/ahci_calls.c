/* SPDX-License-Identifier: BSD-2-Clause */
/* What AHCI drivers ask and report (drivers/ahci/protocol.h), and the channels that they serve. */
#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "manager/answer.h"
#include "manager/storage/ahci.h"
#include "user/program.h"

#define SECTORS_MAX   (1ull << 51) /* 48 address bits, blocks of 4096 bytes */
#define READ_ATTEMPTS 1000u
#define TEXT_MAX      200u

static bool is_sane(const struct blk_geometry *g)
{
    bool block = g->block_size == 512 || g->block_size == 2048 || g->block_size == 4096;
    return block && g->sectors && g->sectors <= SECTORS_MAX &&
           g->sectors % (g->block_size / BLK_SECTOR) == 0;
}

bool ahci_read_disk(const struct ahci *a, uint32_t port, struct ahci_disk *disk)
{
    const struct ahci_status *status = a->status;
    if (port >= AHCI_PORTS || !a->ports_known)
        return false;
    for (uint32_t i = 0; i < READ_ATTEMPTS; i++) {
        uint64_t before = __atomic_load_n(&status->sequence, __ATOMIC_ACQUIRE);
        memcpy(disk, &status->disk[port], sizeof(*disk));
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        uint64_t after = __atomic_load_n(&status->sequence, __ATOMIC_RELAXED);
        if ((before & 1) || before != after)
            continue;
        clean_text(disk->geometry.serial, sizeof(disk->geometry.serial));
        clean_text(disk->geometry.model, sizeof(disk->geometry.model));
        return disk->kind != AHCI_DISK_NONE && is_sane(&disk->geometry);
    }
    return false;
}

/* A disk that was put into the port of another does not get the other's clients. */
static bool is_there(const struct ahci *a, const struct channel *c)
{
    struct ahci_disk disk;
    return ahci_read_disk(a, c->attach.port, &disk) && disk.state != AHCI_DISK_ABSENT &&
           channel_is_for(c, &disk.geometry);
}

static bool is_busy(const struct ahci *a)
{
    for (uint32_t i = 0; i < AHCI_CHANNELS; i++) {
        enum channel_state state = a->channel[i].state;
        if (state == CHANNEL_ATTACHING || state == CHANNEL_RESIZING || state == CHANNEL_DETACH ||
            state == CHANNEL_DETACHING)
            return true;
    }
    return false;
}

/* What the driver is told of a channel, which is under way from then on. */
static enum ahci_job next_job(const struct ahci *a, struct channel *c)
{
    if (c->state == CHANNEL_DETACH) {
        c->state = CHANNEL_DETACHING;
        return AHCI_JOB_DETACH;
    }
    bool attach = c->state == CHANNEL_ATTACH;
    if (!(attach || (c->state == CHANNEL_ATTACHED && c->resized)) || !is_there(a, c))
        return AHCI_JOB_NONE;
    c->resized = false;
    c->state = attach ? CHANNEL_ATTACHING : CHANNEL_RESIZING;
    return attach ? AHCI_JOB_ATTACH : AHCI_JOB_RESIZE;
}

static uint64_t serve_next(struct ahci *a, struct utcb *utcb)
{
    for (uint32_t i = 0; i < AHCI_CHANNELS; i++) {
        struct channel *c = &a->channel[i];
        enum ahci_job job = next_job(a, c);
        if (job == AHCI_JOB_NONE)
            continue;
        utcb->mr[0] = OK;
        utcb->mr[1] = job;
        utcb->mr[2] = i;
        if (job == AHCI_JOB_DETACH)
            return 3;
        memcpy(&utcb->mr[AHCI_PAYLOAD], &c->attach, sizeof(c->attach));
        utcb->send[0] = (struct utcb_cap){c->memory.slot, RIGHT_READ | RIGHT_WRITE};
        utcb->send[1] = (struct utcb_cap){c->notif, RIGHT_WRITE};
        return (AHCI_PAYLOAD + (sizeof(c->attach) + 7) / 8) |
               (job == AHCI_JOB_ATTACH ? 2ull << 32 : 0);
    }
    if (!is_busy(a) && !a->stopping)
        a->life.answer_by = 0;
    utcb->mr[0] = OK;
    utcb->mr[1] = AHCI_JOB_NONE;
    return 2;
}

static uint64_t serve_done(struct ahci *a, struct utcb *utcb)
{
    uint64_t job = utcb->mr[1], index = utcb->mr[2];
    if (index >= AHCI_CHANNELS || !channel_done(&a->channel[index], job, utcb->mr[3]))
        return answer(utcb, ERR_ARG);
    if (!is_busy(a) && !a->stopping)
        a->life.answer_by = 0;
    return answer(utcb, OK);
}

static uint64_t serve_disks(struct ahci *a, struct utcb *utcb)
{
    bool jobs = false;
    if (!a->ports_known)
        log_line("ahci %s: driver is up, %u restarts", a->address, (unsigned)a->life.restarts);
    a->ports_known = true;
    a->disks_changed = true;
    for (uint32_t i = 0; i < AHCI_CHANNELS; i++)
        jobs |= channel_disks_changed(&a->channel[i]);
    if (jobs)
        ahci_job(a);
    else if (!a->stopping)
        a->life.answer_by = 0;
    return answer(utcb, OK);
}

static uint64_t serve_failed(struct ahci *a, struct utcb *utcb, uint32_t words)
{
    char text[TEXT_MAX] = "";
    size_t have = words > AHCI_PAYLOAD ? (size_t)(words - AHCI_PAYLOAD) * 8 : 0;
    memcpy(text, &utcb->mr[AHCI_PAYLOAD], have < sizeof(text) ? have : sizeof(text));
    clean_text(text, sizeof(text));
    log_line("ahci %s: %s", a->address, text);
    return answer(utcb, OK);
}

uint64_t ahci_serve(struct ahci *a, struct utcb *utcb, uint32_t words)
{
    switch (utcb->mr[0]) {
    case AHCI_EVENT_RESET:
        a->is_reset = true;
        hostpci_master(a->device, true);
        return answer(utcb, OK);
    case AHCI_EVENT_DISKS:
        return serve_disks(a, utcb);
    case AHCI_EVENT_NEXT:
        return serve_next(a, utcb);
    case AHCI_EVENT_DONE:
        return serve_done(a, utcb);
    case AHCI_EVENT_FAILED:
        return serve_failed(a, utcb, words);
    case AHCI_EVENT_STOPPED:
        a->stopped = a->stopping;
        return answer(utcb, OK);
    default:
        return answer(utcb, ERR_ARG);
    }
}

struct channel *ahci_new_channel(struct ahci *a)
{
    for (uint32_t i = 0; i < AHCI_CHANNELS; i++) {
        if (a->channel[i].state == CHANNEL_FREE)
            return &a->channel[i];
    }
    return NULL;
}

uint32_t ahci_channel_index(const struct ahci *a, const struct channel *channel)
{
    return (uint32_t)(channel - a->channel);
}

bool ahci_has_channels(const void *owner)
{
    for (uint32_t n = 0; n < ahci_count(); n++) {
        for (uint32_t i = 0; i < AHCI_CHANNELS; i++) {
            const struct channel *c = &ahci_at(n)->channel[i];
            if (c->state != CHANNEL_FREE && c->owner == owner)
                return true;
        }
    }
    return false;
}

bool ahci_is_closing(void)
{
    for (uint32_t n = 0; n < ahci_count(); n++) {
        for (uint32_t i = 0; i < AHCI_CHANNELS; i++) {
            enum channel_state state = ahci_at(n)->channel[i].state;
            if (state == CHANNEL_DETACH || state == CHANNEL_DETACHING)
                return true;
        }
    }
    return false;
}

bool ahci_close_all(const void *owner)
{
    bool busy = false;
    for (uint32_t n = 0; n < ahci_count(); n++) {
        struct ahci *a = ahci_at(n);
        bool jobs = false;
        for (uint32_t i = 0; i < AHCI_CHANNELS; i++) {
            if (a->channel[i].owner == owner)
                jobs |= channel_close(&a->channel[i]);
        }
        if (jobs)
            ahci_job(a);
        busy |= jobs;
    }
    return busy;
}
