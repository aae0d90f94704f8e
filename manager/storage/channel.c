/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/storage/channel.h"

#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include "manager/window.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

static void make_free(struct channel *c)
{
    if (c->notif) {
        sys_cap_revoke(c->notif);
        slot_free(c->notif);
    }
    physmem_free(&c->memory);
    *c = (struct channel){0};
}

static const char *fill_geometry(const struct channel *c, const struct channel_request *r)
{
    struct blk_channel *shared = window_open(&c->memory);
    if (!shared)
        return "a channel cannot be mapped";
    memset(shared, 0, c->memory.size);
    shared->geometry = r->disk;
    shared->geometry.sectors = r->sectors;
    if (r->read_only)
        shared->geometry.flags |= BLK_GEOMETRY_READ_ONLY;
    window_close(&c->memory);
    return NULL;
}

const char *channel_prepare(struct channel *c, const struct channel_request *r)
{
    uint64_t bytes = (sizeof(struct blk_channel) + PHYSMEM_PAGE - 1) & ~(PHYSMEM_PAGE - 1);
    if (r->memory_count > BLK_MEMORIES_MAX)
        return "the client's memory is in too many pieces";
    *c = (struct channel){.owner = r->owner, .claims = r->claims, .disk_sectors = r->disk.sectors};
    if (physmem_alloc(&c->memory, bytes, PHYSMEM_PAGE, PHYSMEM_ANY_NODE) != OK)
        return "there is no memory for a channel";
    const char *why = fill_geometry(c, r);
    if (why) {
        make_free(c);
        return why;
    }
    c->attach = (struct ahci_attach){.port = r->port,
                                     .flags = r->read_only ? AHCI_ATTACH_READ_ONLY : 0,
                                     .first_sector = r->first_sector,
                                     .sectors = r->sectors};
    for (uint32_t i = 0; i < r->memory_count; i++)
        c->attach.memory[i] = (struct ahci_memory){r->memory[i].base, r->memory[i].size};
    snprintf(c->attach.name, sizeof(c->attach.name), "%s", r->name);
    memcpy(c->serial, r->disk.serial, sizeof(c->serial));
    memcpy(c->model, r->disk.model, sizeof(c->model));
    c->state = CHANNEL_PREPARED;
    return NULL;
}

int64_t channel_attach(struct channel *c, uint32_t notif, uint64_t bits)
{
    c->notif = slot_alloc();
    int64_t status =
        c->notif ? sys_cap_copy(SLOT_SELF_PD, c->notif, notif, RIGHT_WRITE | RIGHT_COPY, bits)
                 : ERR_QUOTA;
    if (status != OK) {
        slot_free(c->notif);
        c->notif = 0;
        return status;
    }
    c->attach.client_bits = bits;
    c->state = CHANNEL_ATTACH;
    return OK;
}

void channel_resize(struct channel *c, uint64_t sectors)
{
    c->resized |= c->state >= CHANNEL_ATTACHING && c->attach.sectors != sectors;
    c->attach.sectors = sectors;
}

bool channel_has_size(const struct channel *c)
{
    return !c->resized && c->state != CHANNEL_RESIZING;
}

bool channel_close(struct channel *c)
{
    switch (c->state) {
    case CHANNEL_FREE:
        return false;
    case CHANNEL_ATTACHING:
    case CHANNEL_ATTACHED:
    case CHANNEL_RESIZING:
        c->state = CHANNEL_DETACH;
        return true;
    case CHANNEL_DETACH:
    case CHANNEL_DETACHING:
        return true;
    case CHANNEL_PREPARED:
    case CHANNEL_ATTACH:
    case CHANNEL_REFUSED:
        break;
    }
    make_free(c);
    return false;
}

static void attach_done(struct channel *c, uint64_t refusal)
{
    static const char *const why[] = {
        [AHCI_REFUSED_CHANNEL] = "the channel is in use",
        [AHCI_REFUSED_PORT] = "its disk is not there",
        [AHCI_REFUSED_RANGE] = "its sectors lie beyond the disk",
        [AHCI_REFUSED_MEMORY] = "the controller cannot reach its memory",
    };
    c->state = refusal ? CHANNEL_REFUSED : CHANNEL_ATTACHED;
    if (refusal && refusal < sizeof(why) / sizeof(why[0]))
        log_line("%s: not attached: %s", c->attach.name, why[refusal]);
    else if (refusal)
        log_line("%s: not attached: reason %llu", c->attach.name, (unsigned long long)refusal);
}

bool channel_done(struct channel *c, uint64_t job, uint64_t refusal)
{
    /* Closed while it was being attached: its detachment is still to be told. */
    if ((job == AHCI_JOB_ATTACH || job == AHCI_JOB_RESIZE) && c->state == CHANNEL_DETACH)
        return true;
    if (job == AHCI_JOB_RESIZE && c->state == CHANNEL_RESIZING) {
        c->state = CHANNEL_ATTACHED;
        if (refusal)
            log_line("%s: its volume's size cannot be changed", c->attach.name);
        return true;
    }
    if (job == AHCI_JOB_ATTACH && c->state == CHANNEL_ATTACHING) {
        attach_done(c, refusal);
        return true;
    }
    if (job == AHCI_JOB_DETACH && c->state == CHANNEL_DETACHING) {
        make_free(c);
        return true;
    }
    return false;
}

void channel_driver_died(struct channel *c)
{
    c->resized = false;
    if (c->state == CHANNEL_DETACH || c->state == CHANNEL_DETACHING)
        make_free(c);
    else if (c->state >= CHANNEL_ATTACH)
        c->state = CHANNEL_ATTACH;
}

bool channel_disks_changed(struct channel *c)
{
    if (c->state == CHANNEL_REFUSED)
        c->state = CHANNEL_ATTACH;
    return c->state == CHANNEL_ATTACH || c->state == CHANNEL_DETACH;
}

bool channel_conflicts(const struct channel *c, uint32_t port, uint64_t first, uint64_t sectors,
                       bool read_only)
{
    bool reads = c->attach.flags & AHCI_ATTACH_READ_ONLY;
    if (c->state == CHANNEL_FREE || !c->claims || c->attach.port != port || (reads && read_only))
        return false;
    return first < c->attach.first_sector + c->attach.sectors &&
           c->attach.first_sector < first + sectors;
}

bool channel_is_for(const struct channel *c, const struct blk_geometry *disk)
{
    return c->disk_sectors == disk->sectors &&
           !memcmp(c->serial, disk->serial, sizeof(c->serial)) &&
           !memcmp(c->model, disk->model, sizeof(c->model));
}
