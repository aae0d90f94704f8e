/* SPDX-License-Identifier: BSD-2-Clause */
/* Volume pools: what is refused, what runs out, what costs nothing. */
#include "tests/unit/pool_sim.h"
#include "drivers/pool/config.h"
#include "tests/unit/test.h"

static struct sim sim;
static struct pool_request request;
static enum blk_status last_status;
static uint32_t requests_ended;

static void sim_ended(void *context, struct pool_request *ended, enum blk_status status)
{
    (void)context, (void)ended;
    last_status = status;
    requests_ended++;
}

static const char *order_of(enum pool_verb verb, const char *name, const char *to, uint64_t sectors)
{
    struct pool_order o = {.verb = verb, .names = 1, .sectors = sectors};
    snprintf(o.name[0], sizeof(o.name[0]), "%s", name);
    snprintf(o.to, sizeof(o.to), "%s", to);
    pool_order(sim.pool, &o);
    sim_run(&sim);
    return sim.order_why;
}

static enum blk_status run(const char *volume, uint32_t op, uint64_t sector, uint64_t sectors)
{
    static struct blk_segment segment;
    segment = (struct blk_segment){.length = (uint32_t)(sectors * POOL_SECTOR)};
    request = (struct pool_request){.volume = pool_find(sim.pool, volume),
                                    .op = op,
                                    .sector = sector,
                                    .sectors = sectors,
                                    .segment = &segment,
                                    .segments = op <= BLK_WRITE};
    uint32_t before = requests_ended;
    last_status = BLK_GONE;
    pool_submit(sim.pool, &request);
    sim_run(&sim);
    return requests_ended == before + 1 ? last_status : BLK_GONE;
}

static bool begin(uint64_t sectors)
{
    sim_make(&sim, sectors);
    return sim_open(&sim, false);
}

static struct pool_super *super(uint32_t copy)
{
    return (struct pool_super *)(void *)(sim.now + POOL_SUPER_SECTOR(copy) * POOL_SECTOR);
}

static uint64_t free_blocks(void)
{
    struct pool_numbers n;
    while (pool_work(sim.pool))
        continue;
    pool_numbers(sim.pool, &n);
    return n.free_blocks;
}

TEST(crc32c)
{
    CHECK_EQ(crc32c("123456789", 9), 0xe3069283);
    CHECK_EQ(crc32c("", 0), 0);
}

TEST(foreign_and_newer)
{
    CHECK(begin(SIM_SECTORS));
    /* The newest says what it is, whatever stands beside it. */
    super(1)->version = 2;
    super_seal(super(1));
    CHECK(!sim_open(&sim, false) && strstr(pool_reason(sim.pool), "version 2 of the format"));
    super(1)->version = 1;
    super(1)->incompatible = 4;
    super_seal(super(1));
    CHECK(!sim_open(&sim, false) && strstr(pool_reason(sim.pool), "features 0x4"));
    super(1)->crc++;
    CHECK(!sim_open(&sim, false) && strstr(pool_reason(sim.pool), "1 has a wrong checksum"));
    memset(super(1), 0, sizeof(struct pool_super));
    CHECK(!sim_open(&sim, false) && strstr(pool_reason(sim.pool), "there is no pool on it"));
    memset(super(0), 0x55, sizeof(struct pool_super));
    CHECK(!sim_open(&sim, false) && strstr(pool_reason(sim.pool), "0 holds something else"));
    /* None of that was written to. */
    CHECK(super(0)->magic == 0x5555555555555555 && !sim.cached);
    sim_free(&sim);
}

TEST(torn_superblock_and_nodes)
{
    CHECK(begin(SIM_SECTORS));
    CHECK(!order_of(POOL_CREATE, "a", "", 70000) && run("a", BLK_WRITE, 66000, 8) == BLK_OK);
    CHECK(run("a", BLK_FLUSH, 0, 0) == BLK_OK);
    struct pool_numbers n;
    pool_numbers(sim.pool, &n);
    super((uint32_t)~n.generation & 1)->crc++;
    CHECK(sim_open(&sim, true) && sim.notes == 1 && strstr(sim.last_report, "wrong checksum; "));
    uint32_t slot = sim.pool->volume[0]->root->slot;
    sim.now[slot_sector(sim.pool, slot) * POOL_SECTOR + 9] ^= 1;
    CHECK(!sim_open(&sim, true) && strstr(pool_reason(sim.pool), "has a wrong checksum"));
    sim.now[slot_sector(sim.pool, slot) * POOL_SECTOR + 9] ^= 1;
    sim.now[POOL_ZERO_SECTOR * POOL_SECTOR + 77] = 1;
    CHECK(!sim_open(&sim, true) && strstr(pool_reason(sim.pool), "area of zeroes"));
    sim.sectors -= 256;
    CHECK(!sim_open(&sim, false) &&
          strstr(pool_reason(sim.pool), "the partition has 24320 sectors"));
    sim_free(&sim);
}

TEST(orders_that_are_refused)
{
    CHECK(begin(SIM_SECTORS));
    CHECK(!order_of(POOL_CREATE, "a", "", 1000));
    CHECK_EQ(pool_record(pool_find(sim.pool, "a"))->sectors, 1000);
    CHECK(strstr(order_of(POOL_CREATE, "a", "", 1000), "exists already"));
    CHECK(strstr(order_of(POOL_CREATE, "a@b", "", 1000), "name has 1 to 63"));
    CHECK(strstr(order_of(POOL_CREATE, "", "", 1000), "name has 1 to 63"));
    CHECK(strstr(order_of(POOL_CREATE, "b", "", 0), "4 KiB to 8 TiB"));
    CHECK(strstr(order_of(POOL_CREATE, "b", "", POOL_VOLUME_SECTORS + 1), "4 KiB to 8 TiB"));
    CHECK(strstr(order_of(POOL_DELETE, "b", "", 0), "there is no storage volume"));
    CHECK(strstr(order_of(POOL_CLONE, "a@s", "b", 0), "there is no storage volume"));
    CHECK(strstr(order_of(POOL_REVERT, "a", "s", 0), "there is no snapshot"));
    CHECK(!order_of(POOL_SNAPSHOT, "a", "s", 0));
    CHECK(strstr(order_of(POOL_SNAPSHOT, "a", "s", 0), "exists already"));
    CHECK(strstr(order_of(POOL_SNAPSHOT, "a@s", "t", 0), "there is no storage volume"));
    CHECK(strstr(order_of(POOL_DELETE, "a", "", 0), "has 1 snapshots"));
    CHECK(strstr(order_of(POOL_RESIZE, "a", "", 8), "say --shrink"));
    pool_use(pool_find(sim.pool, "a"), true);
    CHECK(strstr(order_of(POOL_REVERT, "a", "s", 0), "is in use"));
    CHECK(!order_of(POOL_RESIZE, "a", "", 2000));
    pool_use(pool_find(sim.pool, "a"), false);
    CHECK(run("a@s", BLK_WRITE, 0, 8) == BLK_READ_ONLY && run("a@s", BLK_READ, 992, 8) == BLK_OK);
    CHECK(run("a@s", BLK_READ, 996, 8) == BLK_RANGE && run("a", BLK_READ, ~0ull, 8) == BLK_RANGE);
    CHECK(run("a", 9, 0, 8) == BLK_INVALID && run("a", BLK_READ, 0, 0) == BLK_INVALID);
    sim_free(&sim);
}

TEST(order_is_carried_out_once)
{
    CHECK(begin(SIM_SECTORS));
    struct pool_order o = {.verb = POOL_CREATE, .names = 1, .sectors = 8, .job = 7};
    strcpy(o.name[0], "a");
    pool_order(sim.pool, &o);
    sim_run(&sim);
    CHECK(!sim.order_why && sim_open(&sim, false));
    pool_order(sim.pool, &o); /* the process died before it could say so */
    CHECK(sim.answers == 2 && !sim.order_why);
    o.job = 8;
    pool_order(sim.pool, &o);
    sim_run(&sim);
    CHECK(strstr(sim.order_why, "exists already"));
    sim_free(&sim);
}

TEST(full_pool)
{
    CHECK(begin(SIM_SECTORS));
    uint64_t all = free_blocks();
    CHECK(!order_of(POOL_CREATE, "a", "", 1 << 20) && !order_of(POOL_CREATE, "b", "", 1 << 20));
    uint64_t at = 0;
    while (run("a", BLK_WRITE, at, 128) == BLK_OK)
        at += 128;
    CHECK(last_status == BLK_NO_SPACE && at == all * 128 && !free_blocks());
    CHECK(run("b", BLK_WRITE, 0, 8) == BLK_NO_SPACE && run("b", BLK_READ, 0, 8) == BLK_OK);
    CHECK(run("a", BLK_WRITE, 0, 128) == BLK_OK && run("a", BLK_FLUSH, 0, 0) == BLK_OK);
    /* A snapshot needs nothing; the next overwrite does. */
    CHECK(!order_of(POOL_SNAPSHOT, "a", "s", 0) && run("a", BLK_WRITE, 0, 128) == BLK_NO_SPACE);
    CHECK(!order_of(POOL_DELETE, "a@s", "", 0) && run("a", BLK_WRITE, 0, 128) == BLK_OK);
    /* What a discard gives back is there for a writer that would else have been refused. */
    CHECK(run("a", BLK_DISCARD, 0, 256) == BLK_OK && run("b", BLK_WRITE, 0, 128) == BLK_OK);
    CHECK(!order_of(POOL_DELETE, "a", "", 0) && free_blocks() == all - 1);
    CHECK(sim_open(&sim, true) && sim_open(&sim, false) && free_blocks() == all - 1);
    sim_free(&sim);
}

TEST(metadata_runs_out)
{
    CHECK(begin(SIM_SECTORS));
    char name[16];
    uint32_t n = 0;
    const char *why = NULL;
    for (; n < 400 && !why; n++) {
        snprintf(name, sizeof(name), "v%u", n);
        why = order_of(POOL_CREATE, name, "", 4096);
        if (!why && run(name, BLK_WRITE, 0, 8) != BLK_OK)
            break;
    }
    CHECK(n > 50 && last_status == BLK_NO_SPACE && !pool_is_frozen(sim.pool));
    CHECK(run("v0", BLK_WRITE, 8, 8) == BLK_OK && run("v0", BLK_FLUSH, 0, 0) == BLK_OK);
    CHECK(!order_of(POOL_DELETE, "v1", "", 0) && run(name, BLK_WRITE, 0, 8) == BLK_OK);
    CHECK(run("v0", BLK_FLUSH, 0, 0) == BLK_OK && sim_open(&sim, true));
    sim_free(&sim);
}

TEST(shrink_and_grow)
{
    CHECK(begin(SIM_SECTORS) && !order_of(POOL_CREATE, "a", "", 200000));
    uint64_t all = free_blocks();
    for (uint64_t at = 0; at < 200000; at += 50000)
        CHECK(run("a", BLK_WRITE, at, 64) == BLK_OK);
    struct pool_order o = {.verb = POOL_RESIZE, .names = 1, .flags = POOL_ORDER_SHRINK};
    strcpy(o.name[0], "a");
    o.sectors = 50008;
    pool_order(sim.pool, &o);
    sim_run(&sim);
    CHECK(!sim.order_why && free_blocks() == all - 2);
    CHECK(run("a", BLK_READ, 50000, 16) == BLK_RANGE && !order_of(POOL_RESIZE, "a", "", 200000));
    memset(sim.memory, 0xee, 64 * POOL_SECTOR);
    CHECK(run("a", BLK_READ, 50008, 8) == BLK_OK && !sim.memory[0] && !sim.memory[4095]);
    CHECK(run("a", BLK_FLUSH, 0, 0) == BLK_OK && sim_open(&sim, true));
    sim_free(&sim);
    /* The partition has become larger. */
    CHECK(begin(SIM_SECTORS) && !order_of(POOL_CREATE, "a", "", 1000));
    all = free_blocks();
    uint8_t *larger = calloc(SIM_SECTORS * 6, POOL_SECTOR);
    memcpy(larger, sim.now, SIM_SECTORS * POOL_SECTOR);
    free(sim.now);
    sim.now = larger;
    sim.medium = realloc(sim.medium, (size_t)SIM_SECTORS * 6 * POOL_SECTOR);
    sim.sectors = SIM_SECTORS * 6;
    CHECK(sim_open(&sim, false) && free_blocks() > all * 5);
    CHECK(sim_open(&sim, true) && sim.pool->super.region_count == 2);
    sim_free(&sim);
}

TEST(io_errors)
{
    CHECK(begin(SIM_SECTORS) && !order_of(POOL_CREATE, "a", "", 2000));
    CHECK(run("a", BLK_WRITE, 0, 128) == BLK_OK && run("a", BLK_FLUSH, 0, 0) == BLK_OK);
    uint64_t before = free_blocks();
    sim.fail_at = sim.ended + 1;
    CHECK(run("a", BLK_WRITE, 128, 64) == BLK_IO_ERROR && free_blocks() == before);
    CHECK(run("a", BLK_WRITE, 128, 64) == BLK_OK);
    sim.fail_at = sim.ended + 1;
    CHECK(run("a", BLK_READ, 0, 8) == BLK_IO_ERROR && !pool_is_frozen(sim.pool));
    /* A commit that fails: nobody is told that anything is safe, and nothing more is written. */
    sim.fail_at = sim.ended + 2;
    CHECK(run("a", BLK_FLUSH, 0, 0) == BLK_IO_ERROR && pool_is_frozen(sim.pool));
    uint32_t cached = sim.cached;
    CHECK(run("a", BLK_WRITE, 0, 8) == BLK_IO_ERROR && run("a", BLK_FLUSH, 0, 0) == BLK_IO_ERROR);
    CHECK(run("a", BLK_READ, 0, 8) == BLK_OK && sim.cached == cached);
    CHECK(strstr(order_of(POOL_CREATE, "b", "", 8), "cannot be written"));
    CHECK(sim_open(&sim, true));
    sim_free(&sim);
}

TEST(snapshot_of_a_large_volume_is_constant_work)
{
    CHECK(begin(SIM_SECTORS));
    CHECK(!order_of(POOL_CREATE, "tiny", "", 8) && !order_of(POOL_CREATE, "huge", "", 1ull << 31));
    CHECK(run("tiny", BLK_WRITE, 0, 8) == BLK_OK && run("huge", BLK_WRITE, 0, 8) == BLK_OK);
    for (uint64_t at = 0; at < 64; at++) /* leaves all over a TiB */
        CHECK(run("huge", BLK_WRITE, at << 25, 8) == BLK_OK);
    CHECK(run("huge", BLK_FLUSH, 0, 0) == BLK_OK);
    uint64_t ios = sim.ended, nodes = sim.pool->nodes;
    CHECK(!order_of(POOL_SNAPSHOT, "tiny", "s", 0));
    uint64_t tiny = sim.ended - ios;
    ios = sim.ended;
    CHECK(!order_of(POOL_SNAPSHOT, "huge", "s", 0) && sim.ended - ios == tiny);
    ios = sim.ended;
    CHECK(!order_of(POOL_CLONE, "huge", "copy", 0) && sim.ended - ios == tiny);
    CHECK(sim.pool->nodes == nodes && tiny <= 4);
    CHECK_EQ(pool_volume_blocks(pool_find(sim.pool, "copy")), 64);
    sim_free(&sim);
}

/* A copy is of one instant: writes in flight end first, others begin afterwards. */
TEST(snapshot_waits_for_writes_in_flight)
{
    static struct pool_request second;
    static const struct blk_segment segment = {.length = 8 * POOL_SECTOR};
    struct pool_order o = {.verb = POOL_SNAPSHOT, .names = 1};
    strcpy(o.name[0], "a");
    strcpy(o.to, "s");
    CHECK(begin(SIM_SECTORS) && !order_of(POOL_CREATE, "a", "", 8000));
    CHECK(run("a", BLK_WRITE, 0, 128) == BLK_OK && run("a", BLK_FLUSH, 0, 0) == BLK_OK);
    uint32_t answers = sim.answers, ended = requests_ended;
    request.op = BLK_WRITE;
    request.sectors = 8;
    request.segments = 1;
    request.segment = &segment;
    second = request;
    second.sector = 64;
    pool_submit(sim.pool, &request);
    pool_order(sim.pool, &o);
    pool_submit(sim.pool, &second);
    CHECK(sim.queued == 1 && sim.answers == answers);
    CHECK(sim_step(&sim) && requests_ended == ended + 1 && sim.answers == answers);
    sim_run(&sim);
    CHECK(requests_ended == ended + 2 && sim.answers == answers + 1 && !sim.order_why);
    /* The second went elsewhere. */
    CHECK(sim.pool->volume[0]->root != sim.pool->volume[1]->root);
    sim_free(&sim);
}

TEST(overwrite_is_one_io)
{
    CHECK(begin(SIM_SECTORS) && !order_of(POOL_CREATE, "a", "", 8000));
    CHECK(run("a", BLK_WRITE, 0, 2048) == BLK_OK && run("a", BLK_FLUSH, 0, 0) == BLK_OK);
    uint64_t ios = sim.ended, generation = sim.pool->super.generation;
    CHECK(run("a", BLK_WRITE, 8, 8) == BLK_OK && sim.ended == ios + 1);
    CHECK(run("a", BLK_WRITE, 3, 1) == BLK_OK && sim.ended == ios + 2);
    CHECK(run("a", BLK_READ, 0, 2048) == BLK_OK && sim.ended == ios + 3);
    CHECK(run("a", BLK_FLUSH, 0, 0) == BLK_OK && sim.ended == ios + 4);
    CHECK_EQ(sim.pool->super.generation, generation);
    sim_free(&sim);
}

/* Whole blocks of 4096 bytes stay whole on their way, metadata included: such disks will do. */
TEST(blocks_of_4096_bytes)
{
    static const uint32_t ops[] = {BLK_READ,  BLK_WRITE,   BLK_WRITE,
                                   BLK_FLUSH, BLK_DISCARD, BLK_WRITE_ZEROES};
    CHECK(begin(SIM_SECTORS) && !order_of(POOL_CREATE, "a", "", 8000));
    for (uint32_t i = 0; i < 3000; i++) {
        uint64_t sector = sim_dice(&sim) % 900 * 8, sectors = (1 + sim_dice(&sim) % 99) * 8;
        uint32_t op = ops[sim_dice(&sim) % 6];
        if (i == 1500)
            CHECK(!order_of(POOL_SNAPSHOT, "a", "s", 0));
        if (op == BLK_FLUSH)
            sector = sectors = 0;
        CHECK_EQ(run("a", op, sector, sectors), BLK_OK);
    }
    CHECK_EQ(sim.odd, 0);
    CHECK(run("a", BLK_WRITE, 3, 1) == BLK_OK && sim.odd);
    sim_free(&sim);
}

TEST(memory_of_the_process)
{
    for (uint64_t sectors = 1 << 15; sectors < 1ull << 40; sectors *= 2)
        CHECK(pool_memory(sectors) < pool_heap(sectors));
    CHECK_EQ(POOL_OWN_SIZE, POOL_OWN_BYTES);
    CHECK_EQ(POOL_LIST_VOLUMES, POOL_VOLUMES);
    CHECK_EQ(POOL_NAMES, POOL_NAME);
}
