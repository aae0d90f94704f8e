/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/storage/volume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "manager/storage/pool.h"
#include "manager/storage/probe.h"
#include "user/program.h"

#define DISKS_MAX  (AHCI_CONTROLLERS * AHCI_PORTS)
#define BY_ID      "/dev/disk/by-id/"
#define BY_LABEL   "/dev/disk/by-partlabel/"
#define BY_UUID    "/dev/disk/by-partuuid/"
#define SEARCH_NS  60000000000ull /* after that, a disk that has not come will not */
#define RECHECK_NS 500000000ull   /* while disks spin up */

enum disk_look { LOOK_NOT, LOOK_NOW, LOOK_DONE };

struct part {
    uint32_t number;
    uint64_t first_sector, sectors;
    char uuid[GPT_UUID_TEXT];
    char name[GPT_NAME];
};

/* A disk that is there. */
struct disk {
    bool used;
    enum disk_look look;
    struct ahci_disk info;
    uint32_t part_count;
    struct part *part;
};

static struct disk disks[AHCI_CONTROLLERS][AHCI_PORTS];
static uint64_t search_until;
static struct {
    enum { GROW_NOTHING, GROW_WANTED, GROW_RUNS } state;
    struct volume volume;
    uint64_t sectors;
} growth;

void volume_init(uint32_t notif)
{
    search_until = time_tsc() + time_ns_to_tsc(SEARCH_NS);
    probe_init(notif, VOLUME_BIT);
}

/* A character as udev keeps it in names: others become '_'. */
static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("#+-.:=@_", c));
}

static size_t add_cleaned(char *to, size_t used, const char *text)
{
    size_t length = strlen(text), first = strspn(text, " ");
    while (length > first && text[length - 1] == ' ')
        length--;
    for (size_t i = first; i < length && used + 1 < VOLUME_ID; i++) {
        char c = is_plain(text[i]) ? text[i] : '_';
        if (!(c == '_' && i > first && text[i] == ' ' && text[i - 1] == ' '))
            to[used++] = c;
    }
    to[used] = 0;
    return used;
}

void volume_disk_id(const struct ahci_disk *disk, char id[VOLUME_ID])
{
    size_t used = add_cleaned(id, 0, "ata-");
    used = add_cleaned(id, used, disk->geometry.model);
    used = add_cleaned(id, used, "_");
    add_cleaned(id, used, disk->geometry.serial);
}

static bool is_same(const struct ahci_disk *a, const struct ahci_disk *b)
{
    return a->generation == b->generation && a->geometry.sectors == b->geometry.sectors &&
           !memcmp(a->geometry.serial, b->geometry.serial, sizeof(a->geometry.serial)) &&
           !memcmp(a->geometry.model, b->geometry.model, sizeof(a->geometry.model));
}

static void forget(struct disk *disk)
{
    free(disk->part);
    *disk = (struct disk){0};
}

static void greet(const struct ahci *a, uint32_t port, const struct ahci_disk *info)
{
    char id[VOLUME_ID];
    volume_disk_id(info, id);
    log_line("disk %s: %llu MiB, blocks of %u bytes, at %s port %u", id,
             (unsigned long long)(info->geometry.sectors / 2048),
             (unsigned)info->geometry.block_size, a->address, (unsigned)port);
}

static void update(const struct ahci *a, uint32_t port)
{
    struct disk *disk = &disks[a->index][port];
    struct ahci_disk info;
    bool there = ahci_read_disk(a, port, &info) && info.state != AHCI_DISK_ABSENT;
    /* A driver that was started again has forgotten its generations. */
    if (there && disk->used)
        disk->info.generation = info.generation;
    if (disk->used && (!there || !is_same(&disk->info, &info))) {
        char id[VOLUME_ID];
        volume_disk_id(&disk->info, id);
        log_line("disk %s is gone", id);
        probe_cancel(a, port);
        forget(disk);
    }
    if (!there || disk->used)
        return;
    disk->used = true;
    disk->info = info;
    greet(a, port, &info);
    if (info.kind != AHCI_DISK_ATA)
        disk->look = LOOK_DONE;
}

struct match {
    uint32_t count;
    struct volume volume;
};

static void add_match(struct match *m, uint32_t n, uint32_t port, const struct part *part);

/* Partitions of the pools' own type are opened as such. */
static void find_pools(uint32_t n, uint32_t port, const struct gpt *gpt)
{
    static const uint8_t type[16] = POOL_PARTITION_TYPE;
    const struct disk *disk = &disks[n][port];
    for (uint32_t i = 0; i < gpt->count && i < disk->part_count; i++) {
        struct match m = {0};
        if (memcmp(gpt->partition[i].type, type, sizeof(type)) != 0)
            continue;
        add_match(&m, n, port, &disk->part[i]);
        if (!m.volume.read_only)
            pool_found(disk->part[i].name, &m.volume);
    }
}

static void take_partitions(struct disk *disk, const struct gpt *gpt)
{
    uint32_t per_block = gpt->block_size / BLK_SECTOR;
    char id[VOLUME_ID];
    volume_disk_id(&disk->info, id);
    if (gpt->reason[0])
        log_line("disk %s: %s", id, gpt->reason);
    disk->look = LOOK_DONE;
    if (!gpt->count)
        return;
    disk->part = calloc(gpt->count, sizeof(*disk->part));
    if (!disk->part) {
        log_line("disk %s: no memory for its %u partitions", id, (unsigned)gpt->count);
        return;
    }
    disk->part_count = gpt->count;
    for (uint32_t i = 0; i < gpt->count; i++) {
        const struct gpt_partition *p = &gpt->partition[i];
        struct part *part = &disk->part[i];
        part->number = p->number;
        part->first_sector = p->first * per_block;
        part->sectors = p->blocks * per_block;
        gpt_uuid_text(p->uuid, part->uuid);
        snprintf(part->name, sizeof(part->name), "%s", p->name);
    }
    log_line("disk %s: %u partitions", id, (unsigned)gpt->count);
}

/* One disk at a time; the next when the one before is done. */
static void look(void)
{
    for (uint32_t n = 0; n < ahci_count(); n++) {
        for (uint32_t port = 0; port < AHCI_PORTS; port++) {
            struct disk *disk = &disks[n][port];
            if (!disk->used || disk->look != LOOK_NOT || disk->info.state != AHCI_DISK_READY)
                continue;
            const char *why = probe_start(ahci_at(n), port, &disk->info);
            if (why)
                log_line("a disk cannot be looked at: %s", why);
            disk->look = why ? LOOK_DONE : LOOK_NOW;
            if (!why)
                return;
        }
    }
}

static void refresh_states(void)
{
    for (uint32_t n = 0; n < ahci_count(); n++) {
        for (uint32_t port = 0; port < AHCI_PORTS; port++) {
            struct ahci_disk info;
            if (disks[n][port].used && ahci_read_disk(ahci_at(n), port, &info))
                disks[n][port].info.state = info.state;
        }
    }
}

static uint32_t count_look(enum disk_look look)
{
    uint32_t sum = 0;
    for (uint32_t n = 0; n < ahci_count(); n++) {
        for (uint32_t port = 0; port < AHCI_PORTS; port++)
            sum += disks[n][port].used && disks[n][port].look == look;
    }
    return sum;
}

/* --- partitions that grow --- */

const char *volume_grow(const struct volume *volume, uint64_t sectors)
{
    if (growth.state != GROW_NOTHING)
        return "another partition is being made larger";
    growth.volume = *volume;
    growth.sectors = sectors;
    growth.state = GROW_WANTED;
    return NULL;
}

static void has_grown(uint64_t sectors, const char *why)
{
    const struct volume *v = &growth.volume;
    const struct disk *disk = &disks[v->ahci->index][v->port];
    for (uint32_t i = 0; i < disk->part_count && !why; i++) {
        if (disk->part[i].first_sector == v->first_sector)
            disk->part[i].sectors = sectors;
    }
    growth.state = GROW_NOTHING;
    pool_partition_grown(v, sectors, why);
}

/* When nothing else is being looked at. */
static void start_growth(void)
{
    const struct volume *v = &growth.volume;
    const struct disk *disk = &disks[v->ahci->index][v->port];
    struct ahci_disk wanted = v->disk;
    const char *why = "its disk is not there";
    uint64_t per_block = v->disk.geometry.block_size / BLK_SECTOR;
    wanted.generation = disk->info.generation; /* of another driver's time */
    if (disk->used && is_same(&disk->info, &wanted) && disk->info.state == AHCI_DISK_READY)
        why = probe_grow(v->ahci, v->port, &disk->info, v->first_sector / per_block,
                         growth.sectors / per_block);
    growth.state = GROW_RUNS;
    if (why)
        has_grown(0, why);
}

static void follow_growth(uint64_t now)
{
    const struct gpt_grow *g = growth.state == GROW_RUNS ? probe_grown(now) : NULL;
    if (g)
        has_grown(g->blocks * (growth.volume.disk.geometry.block_size / BLK_SECTOR), g->why);
    if (growth.state == GROW_WANTED && !probe_is_busy())
        start_growth();
}

uint64_t volume_tick(uint64_t now)
{
    uint32_t n, port;
    for (uint32_t i = 0; i < ahci_count(); i++) {
        struct ahci *a = ahci_at(i);
        if (!a->disks_changed)
            continue;
        a->disks_changed = false;
        for (uint32_t p = 0; p < AHCI_PORTS; p++)
            update(a, p);
    }
    refresh_states();
    const struct gpt *gpt = probe_result(now, &n, &port);
    if (gpt && disks[n][port].look == LOOK_NOW) {
        take_partitions(&disks[n][port], gpt);
        find_pools(n, port, gpt);
    }
    follow_growth(now);
    if (!probe_is_busy())
        look();
    uint64_t at = probe_deadline();
    if (!at && count_look(LOOK_NOT))
        at = now + time_ns_to_tsc(RECHECK_NS);
    return at;
}

bool volume_searching(uint64_t now)
{
    if (now >= search_until)
        return false;
    return !ahci_settled() || count_look(LOOK_NOT) || count_look(LOOK_NOW);
}

/* Undoes "\x20", which is how udev writes a blank in a link's name. */
static void unescape(const char *from, char *to, size_t size)
{
    size_t used = 0;
    while (*from && used + 1 < size) {
        unsigned int code;
        if (from[0] == '\\' && from[1] == 'x' && strspn(from + 2, "0123456789abcdef") >= 2) {
            char digits[3] = {from[2], from[3], 0};
            code = (unsigned int)strtoul(digits, NULL, 16);
            from += 4;
        } else {
            code = (unsigned char)*from++;
        }
        to[used++] = (char)code;
    }
    to[used] = 0;
}

static void add_match(struct match *m, uint32_t n, uint32_t port, const struct part *part)
{
    const struct disk *disk = &disks[n][port];
    m->count++;
    m->volume = (struct volume){.ahci = ahci_at(n),
                                .port = port,
                                .first_sector = part ? part->first_sector : 0,
                                .sectors = part ? part->sectors : disk->info.geometry.sectors,
                                .disk = disk->info};
    m->volume.read_only =
        disk->info.kind == AHCI_DISK_ATAPI || (disk->info.geometry.flags & BLK_GEOMETRY_READ_ONLY);
}

static void match_id(struct match *m, uint32_t n, uint32_t port, const char *name)
{
    const struct disk *disk = &disks[n][port];
    char id[VOLUME_ID], with_part[VOLUME_ID + 16];
    volume_disk_id(&disk->info, id);
    if (!strcmp(id, name))
        add_match(m, n, port, NULL);
    for (uint32_t i = 0; i < disk->part_count; i++) {
        snprintf(with_part, sizeof(with_part), "%s-part%u", id, (unsigned)disk->part[i].number);
        if (!strcmp(with_part, name))
            add_match(m, n, port, &disk->part[i]);
    }
}

static void match_parts(struct match *m, uint32_t n, uint32_t port, const char *name, bool uuid)
{
    const struct disk *disk = &disks[n][port];
    for (uint32_t i = 0; i < disk->part_count; i++) {
        const struct part *part = &disk->part[i];
        if (uuid ? !strcasecmp(part->uuid, name) : (*name && !strcmp(part->name, name)))
            add_match(m, n, port, part);
    }
}

const char *volume_find(const char *path, struct volume *volume, char reason[VOLUME_REASON])
{
    static const char *const folders[] = {BY_ID, BY_LABEL, BY_UUID};
    struct match m = {0};
    char name[192];
    uint32_t kind = 0;
    while (kind < 3 && strncmp(path, folders[kind], strlen(folders[kind])) != 0)
        kind++;
    if (kind == 3) {
        snprintf(reason, VOLUME_REASON,
                 "%s: a disk is named by " BY_ID ", " BY_LABEL " or " BY_UUID, path);
        return reason;
    }
    unescape(path + strlen(folders[kind]), name, sizeof(name));
    for (uint32_t n = 0; n < ahci_count(); n++) {
        for (uint32_t port = 0; port < AHCI_PORTS; port++) {
            if (!disks[n][port].used)
                continue;
            if (kind == 0)
                match_id(&m, n, port, name);
            else
                match_parts(&m, n, port, name, kind == 2);
        }
    }
    if (m.count == 1) {
        *volume = m.volume;
        return NULL;
    }
    snprintf(reason, VOLUME_REASON, m.count ? "%s: %u volumes have this name" : "%s: there is none",
             path, (unsigned)m.count);
    return reason;
}
