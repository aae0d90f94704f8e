/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/pool/report.h"

#include <stdio.h>
#include <string.h>

static void write_volumes(struct pool_status *status, struct pool *pool)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < POOL_VOLUMES; i++) {
        const struct pool_volume *v = pool_at(pool, i);
        if (!v)
            continue;
        const struct pool_record *r = pool_record(v);
        struct pool_status_volume *to = &status->volume[n++];
        memset(to, 0, sizeof(*to));
        memcpy(to->name, r->name, sizeof(to->name));
        to->id = r->id;
        to->snapshot_of = r->flags & POOL_RECORD_SNAPSHOT ? r->parent : 0;
        to->used = pool_is_used(v);
        to->sectors = r->sectors;
        to->created = r->created;
        to->blocks = pool_volume_blocks(v);
    }
    status->head.volumes = n;
}

void report_write(struct pool_status *status, struct pool *pool, enum pool_state state)
{
    struct pool_numbers n = {0};
    /* Who dies in here leaves an odd number: the next one makes it odd again, then even. */
    uint64_t sequence = status->sequence | 1;
    __atomic_store_n(&status->sequence, sequence, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    status->head.state = state;
    status->head.volumes = 0;
    status->head.reason[0] = 0;
    if (pool) {
        pool_numbers(pool, &n);
        snprintf(status->head.reason, sizeof(status->head.reason), "%s", pool_reason(pool));
    }
    if (pool && state != POOL_REFUSED && state != POOL_STARTING)
        write_volumes(status, pool);
    status->head.blocks = n.blocks;
    status->head.free_blocks = n.free_blocks;
    status->head.generation = n.generation;
    status->head.last_job = n.last_job;
    __atomic_store_n(&status->sequence, sequence + 1, __ATOMIC_RELEASE);
}
