/* SPDX-License-Identifier: BSD-2-Clause */
/* Orders: volumes and snapshots are made, changed and deleted, each order in one commit. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/pool/engine.h"

enum { ORDER_NEW, ORDER_WAITS, ORDER_COMMITS };

__attribute__((format(printf, 2, 3))) static const char *order_refuse(struct pool *pool,
                                                                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(pool->order_text, sizeof(pool->order_text), format, args);
    va_end(args);
    return pool->order_text;
}

static uint64_t in_blocks(uint64_t sectors)
{
    return (sectors + POOL_BLOCK_SECTORS - 1) / POOL_BLOCK_SECTORS;
}

static uint32_t free_index(const struct pool *pool)
{
    uint32_t index = 0;
    while (index < POOL_VOLUMES && pool->volume[index])
        index++;
    return index;
}

static uint32_t snapshots_of(const struct pool *pool, const struct pool_volume *volume)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < POOL_VOLUMES; i++) {
        const struct pool_volume *other = pool->volume[i];
        n += other && other->record.flags & POOL_RECORD_SNAPSHOT &&
             other->record.parent == volume->record.id;
    }
    return n;
}

/* A record that is in the table, sharing the tree of `from`. */
static const char *add_record(struct pool *pool, const char *name, const struct pool_volume *from,
                              uint64_t sectors, uint32_t flags)
{
    struct pool_record record = {.flags = flags, .sectors = sectors, .created = pool->order.now};
    uint32_t index = free_index(pool);
    if (index == POOL_VOLUMES)
        return order_refuse(pool, "a pool has at most %u volumes and snapshots", POOL_VOLUMES);
    if (pool->super.next_volume + pool->ids_used == UINT32_MAX)
        return order_refuse(pool, "the pool has no numbers left for volumes");
    snprintf(record.name, sizeof(record.name), "%s", name);
    record.id = pool->super.next_volume + pool->ids_used;
    record.parent = from ? from->record.id : 0;
    struct pool_volume *volume = volume_new(pool, &record, index);
    if (!volume)
        return order_refuse(pool, "there is no memory for a volume");
    pool->ids_used++;
    if (from && from->root) {
        volume->root = from->root;
        volume->root->refs++;
        volume->mapped = from->mapped;
    }
    volume_dirty(volume);
    return NULL;
}

static const char *create(struct pool *pool)
{
    const struct pool_order *order = &pool->order;
    uint64_t sectors = (order->sectors + POOL_PART_SECTORS - 1) & ~(POOL_PART_SECTORS - 1ull);
    if (!pool_name_is_good(order->name[0]))
        return order_refuse(pool, "a volume's name has 1 to 63 letters, digits and any of _.+-:");
    if (pool_find(pool, order->name[0]))
        return order_refuse(pool, "storage volume '%s' exists already", order->name[0]);
    if (!order->sectors || order->sectors > POOL_VOLUME_SECTORS)
        return order_refuse(pool, "a volume has 4 KiB to 8 TiB");
    return add_record(pool, order->name[0], NULL, sectors, 0);
}

static const char *clone(struct pool *pool)
{
    const struct pool_order *order = &pool->order;
    const struct pool_volume *from = pool_find(pool, order->name[0]);
    if (!from)
        return order_refuse(pool, "there is no storage volume '%s'", order->name[0]);
    if (!pool_name_is_good(order->to))
        return order_refuse(pool, "a volume's name has 1 to 63 letters, digits and any of _.+-:");
    if (pool_find(pool, order->to))
        return order_refuse(pool, "storage volume '%s' exists already", order->to);
    return add_record(pool, order->to, from, from->record.sectors, 0);
}

static const char *delete (struct pool *pool)
{
    struct pool_volume *volume = pool_find(pool, pool->order.name[0]);
    if (!volume)
        return order_refuse(pool, "there is no storage volume '%s'", pool->order.name[0]);
    if (volume->users)
        return order_refuse(pool, "storage volume '%s' is in use", pool->order.name[0]);
    uint32_t snapshots = snapshots_of(pool, volume);
    if (snapshots && !(volume->record.flags & POOL_RECORD_SNAPSHOT))
        return order_refuse(pool, "storage volume '%s' has %u snapshots; delete them first",
                            pool->order.name[0], snapshots);
    volume_dirty(volume);
    if (volume->root)
        drop_later(pool, DROP_NODE, 0, volume->root);
    pool->volume[volume->index] = NULL;
    pool->volume_count--;
    free(volume);
    return NULL;
}

static const char *resize(struct pool *pool)
{
    const struct pool_order *order = &pool->order;
    struct pool_volume *volume = pool_find(pool, order->name[0]);
    uint64_t sectors = (order->sectors + POOL_PART_SECTORS - 1) & ~(POOL_PART_SECTORS - 1ull);
    if (!volume || volume->record.flags & POOL_RECORD_SNAPSHOT)
        return order_refuse(pool, "there is no storage volume '%s'", order->name[0]);
    if (!order->sectors || order->sectors > POOL_VOLUME_SECTORS)
        return order_refuse(pool, "a volume has 4 KiB to 8 TiB");
    if (sectors < volume->record.sectors && !(order->flags & POOL_ORDER_SHRINK))
        return order_refuse(pool, "'%s' would lose what lies beyond its new end; say --shrink",
                            order->name[0]);
    if (sectors < volume->record.sectors && volume->users)
        return order_refuse(pool, "storage volume '%s' is in use", order->name[0]);
    if (sectors < volume->record.sectors) {
        uint64_t last = sectors / POOL_BLOCK_SECTORS, inside = sectors % POOL_BLOCK_SECTORS;
        bool exclusive;
        tree_trim(volume, in_blocks(sectors));
        uint64_t entry = inside ? tree_get(volume, last, &exclusive) : 0;
        uint32_t parts =
            POOL_ENTRY_PARTS(entry) & (uint32_t)((1ull << inside / POOL_PART_SECTORS) - 1);
        if (entry && parts != POOL_ENTRY_PARTS(entry))
            tree_set(volume, last, parts ? POOL_ENTRY(POOL_ENTRY_BLOCK(entry), parts) : 0);
    }
    volume->record.sectors = sectors;
    volume_dirty(volume);
    return NULL;
}

/* All names first: nothing has happened when one of them is wrong. */
static const char *check_names(struct pool *pool, bool exist)
{
    const struct pool_order *order = &pool->order;
    char name[3 * POOL_NAME + 2];
    if (!pool_name_is_good(order->to))
        return order_refuse(pool, "a snapshot's name has 1 to 63 letters, digits and any of _.+-:");
    for (uint32_t i = 0; i < order->names; i++) {
        const struct pool_volume *volume = pool_find(pool, order->name[i]);
        if (!volume || volume->record.flags & POOL_RECORD_SNAPSHOT)
            return order_refuse(pool, "there is no storage volume '%s'", order->name[i]);
        snprintf(name, sizeof(name), "%s@%s", order->name[i], order->to);
        if (exist && !pool_find(pool, name))
            return order_refuse(pool, "there is no snapshot '%s'", name);
        if (!exist && pool_find(pool, name))
            return order_refuse(pool, "snapshot '%s' exists already", name);
        if (exist && volume->users)
            return order_refuse(pool, "storage volume '%s' is in use", order->name[i]);
    }
    if (!exist && pool->volume_count + order->names > POOL_VOLUMES)
        return order_refuse(pool, "a pool has at most %u volumes and snapshots", POOL_VOLUMES);
    return NULL;
}

static const char *snapshot(struct pool *pool)
{
    const struct pool_order *order = &pool->order;
    const char *why = check_names(pool, false);
    for (uint32_t i = 0; i < order->names && !why; i++) {
        const struct pool_volume *volume = pool_find(pool, order->name[i]);
        why = add_record(pool, order->to, volume, volume->record.sectors, POOL_RECORD_SNAPSHOT);
    }
    return why;
}

static const char *revert(struct pool *pool)
{
    const struct pool_order *order = &pool->order;
    const char *why = check_names(pool, true);
    char name[3 * POOL_NAME + 2];
    for (uint32_t i = 0; i < order->names && !why; i++) {
        struct pool_volume *volume = pool_find(pool, order->name[i]);
        snprintf(name, sizeof(name), "%s@%s", order->name[i], order->to);
        const struct pool_volume *from = pool_find(pool, name);
        if (volume->root)
            drop_later(pool, DROP_NODE, 0, volume->root);
        volume->root = from->root;
        if (volume->root)
            volume->root->refs++;
        volume->mapped = from->mapped;
        volume->record.sectors = from->record.sectors;
        volume_dirty(volume);
    }
    return why;
}

/* Whose writes have to end first: those of what is copied. */
static void hold(struct pool *pool, bool held)
{
    const struct pool_order *order = &pool->order;
    pool->holding = 0;
    if (order->verb != POOL_SNAPSHOT && order->verb != POOL_CLONE && order->verb != POOL_RESIZE)
        return;
    for (uint32_t i = 0; i < order->names; i++) {
        struct pool_volume *volume = pool_find(pool, order->name[i]);
        if (!volume)
            continue;
        volume->held = held;
        pool->holding += volume->active_writes != 0;
        if (!held)
            request_wake(volume);
    }
}

static void order_answer(struct pool *pool, const char *why)
{
    pool->has_order = false;
    pool->env.ordered(pool->env.context, pool->order.job, why);
}

/* When no commit is in flight: the order's commit is to be the next. */
void order_step(struct pool *pool)
{
    static const char *(*const run[POOL_VERBS])(struct pool *) = {
        [POOL_CREATE] = create, [POOL_CLONE] = clone,       [POOL_DELETE] = delete,
        [POOL_RESIZE] = resize, [POOL_SNAPSHOT] = snapshot, [POOL_REVERT] = revert,
    };
    if (!pool->has_order || pool->order_step == ORDER_COMMITS)
        return;
    hold(pool, true);
    pool->order_step = ORDER_WAITS;
    if (pool->holding)
        return;
    pool->ids_used = 0;
    const char *why = run[pool->order.verb](pool);
    if (why) {
        hold(pool, false);
        order_answer(pool, why);
        return;
    }
    pool->order_step = ORDER_COMMITS;
    pool->order_done = true;
    pool->commit_wanted = true;
}

/* The commit has begun: writes go on, on what is shared now. */
void order_begun(struct pool *pool)
{
    if (pool->has_order && pool->order_step == ORDER_COMMITS)
        hold(pool, false);
}

void order_committed(struct pool *pool, bool good)
{
    if (!pool->has_order || pool->order_step != ORDER_COMMITS)
        return;
    order_answer(pool, good ? NULL : "the pool cannot be written");
}

static const char *order_check(struct pool *pool, const struct pool_order *order)
{
    if (!pool->opened || pool->frozen)
        return order_refuse(pool, "the pool cannot be written%s%s", pool->reason[0] ? ": " : "",
                            pool->reason);
    if (pool->env.read_only)
        return order_refuse(pool, "the pool is open for reading only");
    if (pool->has_order)
        return order_refuse(pool, "another order is being carried out");
    if (order->verb >= POOL_VERBS || !order->names || order->names > POOL_ORDER_VOLUMES)
        return order_refuse(pool, "there is no such order");
    for (uint32_t i = 0; i < order->names; i++) {
        if (!memchr(order->name[i], 0, sizeof(order->name[i])))
            return order_refuse(pool, "a name is too long");
    }
    return NULL;
}

void pool_order(struct pool *pool, const struct pool_order *order)
{
    const char *why = order_check(pool, order);
    if (why || (order->job && order->job == pool->super.last_job)) {
        pool->env.ordered(pool->env.context, order->job, why);
        return;
    }
    pool->order = *order;
    pool->order.to[POOL_NAME - 1] = 0;
    pool->has_order = true;
    pool->order_step = ORDER_NEW;
    commit_wake(pool);
}
