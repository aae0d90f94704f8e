/* SPDX-License-Identifier: BSD-2-Clause */
/* A pool that anyone may have written: a good one, with patches from the input. Whatever is opened
 * is used, too, and never leaves its partition; what it has written can be opened again. */
#define POOL_SIM_NO_CHECKSUMS
#include "tests/unit/pool_sim.h"

#define SECTORS 12288u     /* 6 MiB */
#define META    (3u << 20) /* superblocks, and all slots: from byte 0 */

static struct sim sim;
static uint8_t base[SECTORS * POOL_SECTOR];
static struct pool_request request;

static void sim_ended(void *context, struct pool_request *ended, enum blk_status status)
{
    (void)context, (void)ended, (void)status;
}

static void order(enum pool_verb verb, const char *name, const char *to)
{
    struct pool_order o = {.verb = verb, .names = 1, .sectors = 70000};
    snprintf(o.name[0], sizeof(o.name[0]), "%s", name);
    snprintf(o.to, sizeof(o.to), "%s", to);
    pool_order(sim.pool, &o);
    sim_run(&sim);
}

static void use(struct pool_volume *volume, uint32_t op, uint64_t sector, uint64_t sectors)
{
    static struct blk_segment segment;
    segment = (struct blk_segment){.length = (uint32_t)(sectors * POOL_SECTOR)};
    request = (struct pool_request){.volume = volume,
                                    .op = op,
                                    .sector = sector,
                                    .sectors = sectors,
                                    .segment = &segment,
                                    .segments = 1};
    pool_submit(sim.pool, &request);
    sim_run(&sim);
}

static void use_all(void)
{
    for (uint32_t i = 0; i < POOL_VOLUMES; i++) {
        struct pool_volume *v = pool_at(sim.pool, i);
        if (!v)
            continue;
        use(v, BLK_READ, 0, 300);
        use(v, BLK_WRITE, 5, 200);
        use(v, BLK_DISCARD, 65000, 900);
        use(v, BLK_WRITE, 65500, 60);
    }
}

static void make_base(void)
{
    sim_make(&sim, SECTORS);
    if (!sim_open(&sim, false))
        abort();
    order(POOL_CREATE, "a", "");
    use_all();
    order(POOL_SNAPSHOT, "a", "s");
    order(POOL_CLONE, "a", "b");
    use_all();
    pool_commit(sim.pool);
    sim_run(&sim);
    memcpy(base, sim.now, sizeof(base));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!sim.pool)
        make_base();
    memcpy(sim.now, base, sizeof(base));
    sim.cached = 0;
    /* Patches: 24 bits of place, 8 of length, bytes. */
    while (size > 4) {
        uint32_t at = data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16, length = data[3];
        at = (at * 8u) % META;
        data += 4;
        size -= 4;
        length = length < size ? length : (uint32_t)size;
        memcpy(sim.now + at, data, length);
        data += length;
        size -= length;
    }
    if (sim_open(&sim, true) && sim.bad_reports)
        abort();
    if (!sim_open(&sim, false))
        return 0;
    use_all();
    order(POOL_SNAPSHOT, "a", "t");
    order(POOL_CREATE, "c", "");
    order(POOL_DELETE, "b", "");
    use_all();
    bool frozen = pool_is_frozen(sim.pool);
    pool_commit(sim.pool);
    sim_run(&sim);
    while (pool_work(sim.pool))
        continue;
    sim.cached = 0;
    if (!frozen && !sim_open(&sim, false))
        abort();
    return 0;
}
