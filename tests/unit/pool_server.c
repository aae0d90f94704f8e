/* SPDX-License-Identifier: BSD-2-Clause */
/* The manager's side of a pool's process: it is started, asked, ended, started again, and its
 * partition grows under it. */
#include "tests/unit/fake/driver_life.h"

#include "manager/host/numa.c"
#include "manager/host/physmem.c"
#include "manager/storage/channel.c"
#include "manager/life.c"
#include "manager/storage/pool.h"
static struct ahci controller;
static struct ahci_status disk_status;
static int jobs_told;
uint32_t ahci_count(void)
{
    return 1;
}
struct ahci *ahci_at(uint32_t index)
{
    return index ? NULL : &controller;
}
int64_t ahci_let_reach(const struct ahci *a, const struct mem_block *blocks, uint32_t n)
{
    (void)a, (void)blocks, (void)n;
    return 0;
}
void ahci_job(struct ahci *a)
{
    jobs_told += a == &controller;
}
#define serve_next ahci_serve_next
#define serve_done ahci_serve_done
#include "manager/storage/ahci_calls.c"
#undef serve_next
#undef serve_done
#undef READ_ATTEMPTS
#include "manager/storage/pool_calls.c"
/* Guests' disks are tests/unit/vm_disks.c's. */
void pool_close_lower(struct pool_server *p, struct pool_client *client)
{
    (void)p, (void)client;
}
void pool_clients_orphaned(struct pool_server *p)
{
    (void)p;
}
#define answer grow_answer
#include "manager/storage/pool_grow.c"
#undef answer
#define count pool_count_of
#include "manager/storage/pool.c"

static const char *grow_why;
static uint64_t asked_sectors;
const char *volume_grow(const struct volume *volume, uint64_t sectors)
{
    asked_sectors = volume->first_sector == 2048 ? sectors : ~0ull;
    return grow_why;
}

#define MIB 2048u /* sectors */
static struct utcb utcb;
static struct pool_status *status; /* as its process writes it */
static struct pool_server *tank;

static void begin(void)
{
    static const struct pool_setup with = {5, 6, enough};
    struct volume v = {.ahci = &controller, .port = 1, .first_sector = 2048, .sectors = 64 * MIB};
    pool_count_of = 0;
    memset(ranges, 0, sizeof(ranges));
    range_count = block_count = pool_used = 0;
    extents = pool_free = NULL;
    physmem_add(6, 16ull << 20, 64ull << 20, 0);
    memset(sent_bits, 0, sizeof(sent_bits));
    now_tsc = 5000000000ull;
    logged[0] = 0;
    spawned = ended = jobs_told = 0;
    has_driver = true;
    driver_name = "pool";
    health = PROGRAM_RUNS;
    grow_why = spawn_why = NULL;
    controller = (struct ahci){.notif = 20, .ports_known = true, .status = &disk_status};
    disk_status.disk[1] = (struct ahci_disk){
        .kind = AHCI_DISK_ATA,
        .state = AHCI_DISK_READY,
        .geometry = {.sectors = 1000 * MIB, .block_size = 512, .serial = "S", .model = "M"}};
    v.disk = disk_status.disk[1];
    pool_init(&with);
    pool_found("tank", &v);
    tank = pool_at(0);
    free(status);
    status = calloc(1, sizeof(*status));
    if (tank)
        tank->status = status;
}

static uint64_t pool_says(uint64_t event, uint64_t a, uint64_t b)
{
    utcb.mr[0] = event;
    utcb.mr[1] = a;
    utcb.mr[2] = b;
    utcb.mr[3] = 0;
    pool_serve(tank, &utcb, 4);
    return utcb.mr[1];
}

static void opens(uint64_t blocks)
{
    status->head.state = POOL_OPEN;
    status->head.blocks = blocks;
    pool_says(POOL_EVENT_STATE, POOL_OPEN, 0);
}

static uint64_t driver_says(uint64_t event, uint64_t a, uint64_t b)
{
    utcb.mr[0] = event;
    utcb.mr[1] = a;
    utcb.mr[2] = b;
    utcb.mr[3] = 0;
    ahci_serve(&controller, &utcb, 4);
    return utcb.mr[1];
}

static void driver_works(void)
{
    uint64_t job;
    while ((job = driver_says(AHCI_EVENT_NEXT, 0, 0)) != AHCI_JOB_NONE)
        driver_says(AHCI_EVENT_DONE, job, utcb.mr[2]);
}

TEST(a_process_that_hangs_is_started_again)
{
    begin();
    CHECK(spawned == 1 && tank);
    driver_works();
    opens(1000);
    for (int i = 0; i < 5; i++) {
        sent_bits[tank->notif] = 0;
        CHECK_EQ(pool_tick(now_tsc), now_tsc + ANSWER_NS);
        CHECK(sent_bits[tank->notif] & POOL_BIT_JOB);
        CHECK_EQ(pool_says(POOL_EVENT_NEXT, 1, 0), POOL_JOB_NONE);
        CHECK_EQ(pool_tick(now_tsc), now_tsc + ASK_NS);
        now_tsc += ASK_NS;
    }
    CHECK(!ended && spawned == 1);
    pool_tick(now_tsc);
    now_tsc += ANSWER_NS;
    pool_tick(now_tsc);
    CHECK(ended == 1 && spawned == 2);
    CHECK(strstr(logged, "pool:tank: does not answer; it is started again"));
    CHECK_EQ(((struct pool_config *)last_config)->restarts, 1);
}

static uint64_t give_growth(uint64_t sectors, const char **why)
{
    const struct pool_order order = {.verb = POOL_GROW, .sectors = sectors};
    uint64_t job = 0;
    *why = pool_give_order(tank, &order, &job);
    return job;
}

TEST(a_pool_grows)
{
    const char *why;
    begin();
    give_growth(0, &why);
    CHECK(strstr(why, "not active"));
    driver_works();
    CHECK_EQ(tank->channel->state, CHANNEL_ATTACHED);
    opens(1000);
    give_growth(100 * MIB - 1, &why);
    CHECK(!why && asked_sectors == 100 * MIB - 1);
    give_growth(0, &why);
    CHECK(strstr(why, "another order"));
    CHECK_EQ(pool_says(POOL_EVENT_NEXT, 1, 0), POOL_JOB_NONE); /* no business of the process */
    pool_tick(now_tsc);
    pool_partition_grown(&tank->volume, 100 * MIB, NULL);
    pool_tick(now_tsc);
    CHECK(!ended && !channel_has_size(tank->channel));
    driver_works();
    CHECK_EQ(tank->channel->attach.sectors, 100 * MIB);
    now_tsc += 2000000000ull;
    pool_tick(now_tsc);
    CHECK(ended == 1 && spawned == 2 && tank->order_state == ORDER_GROWS);
    CHECK_EQ(((struct pool_config *)last_config)->sectors, 100 * MIB);
    opens(1600);
    CHECK(tank->order_state == ORDER_DONE && !tank->order_text[0]);
    pool_says(POOL_EVENT_NEXT, 1, 0);
    now_tsc += 1000000000ull;
    pool_tick(now_tsc);
    CHECK(ended == 1); /* once is enough */
}

TEST(a_pool_that_does_not_grow)
{
    const char *why;
    begin();
    driver_works();
    opens(1000);
    grow_why = "another partition is being made larger";
    give_growth(0, &why);
    CHECK(why == grow_why && tank->growth == GROWTH_NONE);
    grow_why = NULL;
    give_growth(0, &why);
    pool_partition_grown(&tank->volume, 0, "no room");
    CHECK(tank->order_state == ORDER_DONE && !strcmp(tank->order_text, "no room"));
    pool_tick(now_tsc);
    CHECK(!ended && tank->volume.sectors == 64 * MIB);
    give_growth(0, &why);
    CHECK(!why);
    pool_partition_grown(&tank->volume, 65 * MIB, NULL);
    driver_works();
    pool_tick(now_tsc);
    opens(1000);
    CHECK(tank->order_state == ORDER_DONE && strstr(tank->order_text, "it is as it was"));
}

TEST(the_process_and_the_driver_die_while_it_grows)
{
    const char *why;
    begin();
    driver_works();
    opens(1000);
    give_growth(0, &why);
    now_tsc += 2000000000ull;
    health = PROGRAM_FAULTED; /* while the partition table is written */
    pool_tick(now_tsc);
    health = PROGRAM_RUNS;
    CHECK(ended == 1 && spawned == 2 && tank->order_state == ORDER_GROWS);
    opens(1000);
    pool_partition_grown(&tank->volume, 100 * MIB, NULL);
    channel_driver_died(tank->channel); /* the driver's next one is told of the new size only */
    pool_tick(now_tsc);
    CHECK(ended == 2);
    pool_tick(now_tsc += 10000000000ull);
    CHECK_EQ(spawned, 3);
    opens(1600);
    CHECK(tank->order_state == ORDER_DONE && !tank->order_text[0]);
}
