/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/verbs_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "abi/status.h"
#include "console/client.h"

#define KIB_PER_BLOCK 64ull
#define LIST          16u

static void pool_fail(struct text *text, const char *why)
{
    text_add(text, "error: %s\n\n", why);
}

static const char *pool_state_name(uint32_t state)
{
    static const char *const names[] = {"starting", "active", "refused", "frozen"};
    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

void run_pool_list(const struct command *c, struct text *text)
{
    struct mgr_pool list[8];
    uint32_t n;
    (void)c;
    if (client_pools(list, sizeof(list) / sizeof(list[0]), &n) != OK) {
        pool_fail(text, client_reason());
        return;
    }
    text_add(text, " %-20s %-10s %14s %14s %8s %14s\n", "Name", "State", "Capacity KiB", "Free KiB",
             "Volumes", "CPU us");
    text_add(text, "---------------------------------------------------------------------------"
                   "-----------\n");
    for (uint32_t i = 0; i < n; i++) {
        const struct mgr_pool *p = &list[i];
        text_add(text, " %-20s %-10s %14llu %14llu %8u %14llu%s%s\n", p->name,
                 pool_state_name(p->state), p->blocks * KIB_PER_BLOCK,
                 p->free_blocks * KIB_PER_BLOCK, (unsigned)p->volumes,
                 (unsigned long long)(p->used_ns / 1000), p->reason[0] ? "  " : "", p->reason);
    }
    text_add(text, "\n");
}

/* Calls with each volume and snapshot of a pool. False: the text says why. */
static bool each_volume(const char *pool, struct text *text,
                        void (*see)(const struct mgr_volume *volume, void *context), void *context)
{
    struct mgr_volume list[LIST];
    uint32_t first = 0, n;
    do {
        if (client_volumes(pool, first, list, LIST, &n) != OK) {
            pool_fail(text, client_reason());
            return false;
        }
        for (uint32_t i = 0; i < n; i++)
            see(&list[i], context);
        first += n;
    } while (n);
    return true;
}

struct listing {
    struct text *text;
    const char *pool;
    uint32_t of; /* snapshots of this volume; 0: all volumes */
    const char *wanted;
    uint32_t found;
};

static void see_volume(const struct mgr_volume *v, void *context)
{
    const struct listing *l = context;
    if (!v->snapshot_of)
        text_add(l->text, " %-32s %14llu %14llu  %s\n", v->name,
                 (unsigned long long)(v->sectors / 2), v->blocks * KIB_PER_BLOCK,
                 v->used ? "in use" : "");
}

void run_vol_list(const struct command *c, struct text *text)
{
    struct listing l = {.text = text, .pool = c->domain};
    text_add(text, " %-32s %14s %14s\n", "Name", "Capacity KiB", "Mapped KiB");
    text_add(text, "----------------------------------------------------------------\n");
    if (each_volume(c->domain, text, see_volume, &l))
        text_add(text, "\n");
}

/* "512M"; libvirt's default unit is a byte. In sectors; 0: no size. */
static uint64_t sectors_of(const char *word)
{
    static const char units[] = "KMGT";
    char *end;
    unsigned long long value = strtoull(word, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    unsigned shift = unit ? 10u * (unsigned)(unit - units + 1) : 0;
    end += unit != NULL;
    if (!strcmp(end, "iB") || (unit && !strcmp(end, "B")))
        end += strlen(end);
    if (*end || end == word || *word == '-' || value > (1ull << 50) >> shift)
        return 0;
    return ((value << shift) + 511) / 512;
}

static bool put_name(struct pool_order *order, const char *name, struct text *text)
{
    if (strlen(name) >= sizeof(order->name[0])) {
        pool_fail(text, "a name is too long");
        return false;
    }
    snprintf(order->name[order->names++], sizeof(order->name[0]), "%s", name);
    return true;
}

static bool put_to(struct pool_order *order, const char *name, struct text *text)
{
    if (strlen(name) >= sizeof(order->to)) {
        pool_fail(text, "a name is too long");
        return false;
    }
    snprintf(order->to, sizeof(order->to), "%s", name);
    return true;
}

static bool needs(const struct command *c, uint32_t words, bool pool, const char *usage,
                  struct text *text)
{
    if (c->word_count >= words && (!pool || c->pool))
        return true;
    text_add(text, "error: usage: %s %s\n\n", c->verb, usage);
    return false;
}

static bool pool_give(const char *name, const struct pool_order *order, struct text *text)
{
    if (client_order(name, order) == OK)
        return true;
    pool_fail(text, client_reason());
    return false;
}

void run_pool_grow(const struct command *c, struct text *text)
{
    struct pool_order order = {.verb = POOL_GROW};
    if (c->word_count)
        order.sectors = sectors_of(c->word[0]);
    if (c->word_count && !order.sectors)
        pool_fail(text, "the capacity is a number of bytes, or one with K, M, G, T");
    else if (pool_give(c->domain, &order, text))
        text_add(text, "Pool %s is larger\n\n", c->domain);
}

void run_vol_create(const struct command *c, struct text *text)
{
    struct pool_order order = {.verb = POOL_CREATE};
    if (!needs(c, 2, false, "<pool> <name> <capacity>", text))
        return;
    order.sectors = sectors_of(c->word[1]);
    if (!order.sectors)
        pool_fail(text, "the capacity is a number of bytes, or one with K, M, G, T");
    else if (put_name(&order, c->word[0], text) && pool_give(c->domain, &order, text))
        text_add(text, "Vol %s created\n\n", c->word[0]);
}

void run_vol_clone(const struct command *c, struct text *text)
{
    struct pool_order order = {.verb = POOL_CLONE};
    if (needs(c, 1, true, "<vol> <newname> --pool <pool>", text) &&
        put_name(&order, c->domain, text) && put_to(&order, c->word[0], text) &&
        pool_give(c->pool, &order, text))
        text_add(text, "Vol %s cloned from %s\n\n", c->word[0], c->domain);
}

void run_vol_delete(const struct command *c, struct text *text)
{
    struct pool_order order = {.verb = POOL_DELETE};
    if (needs(c, 0, true, "<vol> --pool <pool>", text) && put_name(&order, c->domain, text) &&
        pool_give(c->pool, &order, text))
        text_add(text, "Vol %s deleted\n\n", c->domain);
}

void run_vol_resize(const struct command *c, struct text *text)
{
    struct pool_order order = {.verb = POOL_RESIZE};
    if (!needs(c, 1, true, "<vol> <capacity> --pool <pool> [--shrink]", text))
        return;
    order.flags = c->options & OPTION_SHRINK ? POOL_ORDER_SHRINK : 0;
    order.sectors = sectors_of(c->word[0]);
    if (!order.sectors)
        pool_fail(text, "the capacity is a number of bytes, or one with K, M, G, T");
    else if (put_name(&order, c->domain, text) && pool_give(c->pool, &order, text))
        text_add(text, "Size of volume '%s' successfully changed to %s\n\n", c->domain, c->word[0]);
}

/* --- snapshots of a domain: of all its volumes --- */

void run_snapshot_create(const struct command *c, struct text *text)
{
    struct pool_order order = {.verb = POOL_SNAPSHOT};
    if (needs(c, 1, false, "<domain> <name>", text) && put_to(&order, c->word[0], text) &&
        pool_give(c->domain, &order, text))
        text_add(text, "Domain snapshot %s created\n\n", c->word[0]);
}

void run_snapshot_revert(const struct command *c, struct text *text)
{
    struct pool_order order = {.verb = POOL_REVERT};
    if (needs(c, 1, false, "<domain> <snapshot>", text) && put_to(&order, c->word[0], text) &&
        pool_give(c->domain, &order, text))
        text_add(text, "Domain is reverted to snapshot %s\n\n", c->word[0]);
}

/* "pool/volume" of each of the domain's disks on volumes. */
static uint32_t disks_of(const char *domain, struct mgr_disk *disks, struct text *text)
{
    uint32_t count, n = 0;
    if (client_disks(domain, disks, &count) != OK) {
        pool_fail(text, client_reason());
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (disks[i].source[0] != '/' && disks[i].is_volume)
            disks[n++] = disks[i];
    }
    if (!n)
        pool_fail(text, "the domain has no disk on a volume");
    return n;
}

static void see_id(const struct mgr_volume *v, void *context)
{
    struct listing *l = context;
    if (!v->snapshot_of && !strcmp(v->name, l->wanted))
        l->of = v->id;
}

static void see_snapshot(const struct mgr_volume *v, void *context)
{
    struct listing *l = context;
    if (v->snapshot_of && v->snapshot_of == l->of)
        text_add(l->text, " %-24s %-24s %14llu\n", v->name, l->wanted,
                 (unsigned long long)v->created);
}

void run_snapshot_list(const struct command *c, struct text *text)
{
    struct mgr_disk disks[VMM_MAX_DISKS];
    uint32_t n = disks_of(c->domain, disks, text);
    if (!n)
        return;
    text_add(text, " %-24s %-24s %14s\n", "Name", "Volume", "Created (Unix)");
    text_add(text, "-----------------------------------------------------------------\n");
    for (uint32_t i = 0; i < n; i++) {
        char *name = strchr(disks[i].source, '/');
        struct listing l = {.text = text, .pool = disks[i].source, .wanted = name + 1};
        *name = 0;
        if (!each_volume(l.pool, text, see_id, &l) || !each_volume(l.pool, text, see_snapshot, &l))
            return;
    }
    text_add(text, "\n");
}

void run_snapshot_delete(const struct command *c, struct text *text)
{
    struct mgr_disk disks[VMM_MAX_DISKS];
    char name[3 * MGR_NAME];
    if (!needs(c, 1, false, "<domain> <snapshot>", text))
        return;
    uint32_t n = disks_of(c->domain, disks, text);
    for (uint32_t i = 0; i < n; i++) {
        struct pool_order order = {.verb = POOL_DELETE};
        char *volume = strchr(disks[i].source, '/');
        *volume = 0;
        snprintf(name, sizeof(name), "%.120s@%.63s", volume + 1, c->word[0]);
        if (!put_name(&order, name, text) || !pool_give(disks[i].source, &order, text))
            return;
    }
    if (n)
        text_add(text, "Domain snapshot %s deleted\n\n", c->word[0]);
}
