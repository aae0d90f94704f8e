/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "tests/unit/fake_syscalls.h"
#include "drivers/ahci/channel.c"
#include "drivers/ahci/command.c"
#include "drivers/ahci/disk.c"
#include "drivers/ahci/hba.c"
#include "drivers/ahci/port.c"
#include "drivers/ahci/probe.c"
#include "drivers/ahci/recovery.c"
#include "drivers/ahci/request.c"
#include "drivers/ahci/schedule.c"
#include "drivers/ahci/status.c"
#include "tests/unit/ahci_client.h"

#define INSTANTS 800u /* some 120 requests; AHCI_ROUNDS=10 goes on */

#define CHECK_WORLD()                                              \
    do {                                                           \
        if (sim.violation || wrong)                                \
            printf("%s\n", sim.violation ? sim.violation : wrong); \
        CHECK(!sim.violation && !wrong);                           \
    } while (0)

/* AHCI_ROUNDS=50 looks longer. */
static uint32_t rounds(void)
{
    const char *text = getenv("AHCI_ROUNDS");
    return text ? (uint32_t)atoi(text) : 1;
}

/* Two clients on a 512-byte disk, one on a 4Kn disk. */
static void usual_world(uint64_t seed)
{
    world_init(seed);
    sim_attach(0, 512, true);
    sim_attach(2, 4096, true);
    client_setup(0, 0, 0, SIM_BLOCKS / 2);
    client_setup(1, 0, SIM_BLOCKS / 2, SIM_BLOCKS / 2);
    client_setup(2, 2, 8, SIM_BLOCKS * 8 - 8);
}

static uint64_t ended_with(enum blk_status status)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < CLIENTS; i++)
        n += client[i].ended[status];
    return n;
}

/* One request, to its end. */
static uint32_t ask(struct client *c, uint32_t op, uint64_t first, uint64_t sectors)
{
    struct pending p = {.op = op, .sector = first, .sectors = sectors, .version = ++next_version};
    uint64_t before[BLK_GONE + 1];
    memcpy(before, c->ended, sizeof(before));
    if (op != BLK_FLUSH && !claim(c, &p))
        return BLK_INVALID;
    send(c, 0, &p);
    for (uint32_t i = 0; i < 200000 && c->slot[0].busy; i++) {
        world_step();
        take_ended(c);
    }
    for (uint32_t i = 0; i <= BLK_GONE; i++) {
        if (c->ended[i] != before[i])
            return i;
    }
    complain("a request never ends");
    return BLK_INVALID;
}

TEST(finds_all_kinds_of_disks)
{
    world_init(1);
    sim_attach(0, 512, true);
    sim_attach(1, 4096, true);
    sim_attach(2, 2048, false);
    sim.port[2].disk.packet = true;
    sim.port[2].disk.unit_attentions = 2;
    driver_start();
    CHECK_WORLD();
    const struct ahci_disk *disk = status_page.disk;
    CHECK_EQ(disk[0].kind, AHCI_DISK_ATA);
    CHECK_EQ(disk[0].state, AHCI_DISK_READY);
    CHECK_EQ(disk[0].depth, 32);
    CHECK_EQ(disk[0].geometry.sectors, SIM_BLOCKS);
    CHECK_EQ(disk[0].geometry.physical_size, 4096);
    CHECK(!strcmp(disk[0].geometry.serial, "DISK0"));
    CHECK_EQ(disk[1].geometry.block_size, 4096);
    CHECK_EQ(disk[1].geometry.sectors, SIM_BLOCKS * 8);
    CHECK_EQ(disk[2].kind, AHCI_DISK_ATAPI);
    CHECK_EQ(disk[2].geometry.block_size, 2048);
    CHECK_EQ(disk[2].geometry.flags & BLK_GEOMETRY_READ_ONLY, BLK_GEOMETRY_READ_ONLY);
    CHECK_EQ(disk[3].state, AHCI_DISK_ABSENT);
    CHECK(!(status_page.sequence & 1));
    driver_end();
}

TEST(optical_drives_are_read)
{
    world_init(2);
    sim_attach(1, 2048, false);
    struct sim_disk *d = &sim.port[1].disk;
    d->packet = true;
    d->trim = false;
    for (uint64_t i = 0; i < SIM_BLOCKS * 4; i++) {
        fill_sector(d->view + i * 512, 1, i, 1);
        sector[1][i].version = sector[1][i].attempted = 1;
    }
    client_setup(0, 1, 0, SIM_BLOCKS * 4);
    client[0].reads_only = 1;
    driver_start();
    run(3000);
    CHECK_WORLD();
    CHECK(client[0].ended[BLK_OK] > 200);
    CHECK_EQ(ended_with(BLK_IO_ERROR), 0);
    client[0].reads_only = 0;
    CHECK_EQ(ask(&client[0], BLK_WRITE, 0, 4), BLK_READ_ONLY);
    CHECK_EQ(ask(&client[0], BLK_READ, 1, 4), BLK_RANGE);
    d->unit_attentions = 1; /* another medium was put in */
    CHECK_EQ(ask(&client[0], BLK_READ, 8, 4), BLK_OK);
    driver_end();
}

static void run_kind(uint64_t seed, bool ncq, bool lba48, bool fua, bool cache)
{
    usual_world(seed);
    for (uint32_t i = 0; i < SIM_PORTS; i += 2) {
        struct sim_disk *d = &sim.port[i].disk;
        d->ncq = ncq;
        d->lba48 = lba48;
        d->trim = lba48;
        d->fua = fua;
        d->cache_on = cache;
    }
    driver_start();
    run(1000 * rounds());
    for (uint32_t i = 0; i < SIM_PORTS; i += 2) {
        sim_power_cut(&sim.port[i].disk);
        check_medium(i);
    }
    driver_end();
}

TEST(every_byte_is_right)
{
    for (uint32_t kind = 0; kind < 16; kind++) {
        run_kind(100 + kind, kind & 1, kind & 2 || kind & 1, kind & 4, kind & 8);
        CHECK_WORLD();
        CHECK(ended_with(BLK_OK) > 250);
        CHECK_EQ(ended_with(BLK_IO_ERROR) + ended_with(BLK_RANGE) + ended_with(BLK_INVALID), 0);
        if (kind & 8 && kind & 4 && kind & 1)
            CHECK(sim.port[0].fuas > 0);
        if (!(kind & 4))
            CHECK_EQ(sim.port[0].fuas, 0);
    }
}

TEST(a_queue_is_filled)
{
    usual_world(5);
    driver_start();
    client[0].biggest = 1;
    client[0].reads_only = 1;
    uint32_t most = 0;
    for (uint32_t i = 0; i < 400; i++)
        submit_random(&client[0]);
    hba_doorbells(hba, AHCI_BIT_CHANNEL(0));
    most = (uint32_t)__builtin_popcount(sim.port[0].active);
    CHECK(most > 28);
    rung = 0;
    run(0);
    CHECK_WORLD();
    driver_end();
}

TEST(errors_are_recovered_from)
{
    for (uint32_t kind = 0; kind < 24; kind++) {
        usual_world(200 + kind);
        struct sim_port *p = &sim.port[0];
        p->disk.log10h = kind & 1;
        p->disk.ncq = sim.port[2].disk.ncq = kind % 3 != 2;
        p->p_abort = kind & 2 ? 20 : 0;
        p->p_link = kind & 4 ? 10 : 0;
        p->p_hang = kind & 8 ? 5 : 0;
        sim.p_lost = kind >= 16 ? 100 : 0;
        driver_start();
        run(700 * rounds());
        CHECK_WORLD();
        CHECK(client[2].ended[BLK_OK] > 50);
        CHECK_EQ(client[2].ended[BLK_IO_ERROR], 0); /* its disk has done nothing wrong */
        CHECK(ended_with(BLK_IO_ERROR) < ended_with(BLK_OK) / 20);
        if (kind & 2)
            CHECK(status_page.disk_stat[0][AHCI_STAT_RECOVERIES] > 0);
        driver_end();
    }
}

TEST(a_bad_sector_fails_its_request_alone)
{
    for (uint32_t log = 0; log < 2; log++) {
        usual_world(7 + log);
        sim.port[0].disk.log10h = log;
        client[0].reads_only = client[1].reads_only = client[2].reads_only = 1;
        sim.port[0].disk.bad[30] = true;
        client[0].biggest = client[1].biggest = 2;
        driver_start();
        run(2000);
        CHECK_WORLD();
        CHECK(client[0].ended[BLK_OK] > 200);
        CHECK(client[0].ended[BLK_IO_ERROR] > 0);
        CHECK(client[0].ended[BLK_IO_ERROR] < client[0].ended[BLK_OK]);
        CHECK_EQ(client[1].ended[BLK_IO_ERROR], 0);
        CHECK_EQ(ask(&client[0], BLK_READ, 30, 1), BLK_IO_ERROR);
        CHECK_EQ(ask(&client[0], BLK_READ, 31, 1), BLK_OK);
        CHECK_EQ(status_page.disk[0].state, AHCI_DISK_READY);
        driver_end();
    }
}

TEST(a_request_that_is_never_answered_ends)
{
    usual_world(9);
    client[0].biggest = client[1].biggest = 1;
    driver_start();
    sim.port[0].poison = 100 + 1;
    for (uint32_t i = 0; i < 3000 && client[0].ended[BLK_IO_ERROR] == 0; i++) {
        clients_step(true);
        world_step();
    }
    sim.port[0].poison = 0;
    run(500);
    CHECK_WORLD();
    CHECK(ended_with(BLK_IO_ERROR) <= 1);
    sim.port[0].poison = 100 + 1;
    CHECK_EQ(ask(&client[0], BLK_READ, 100, 1), BLK_IO_ERROR);
    CHECK(status_page.disk_stat[0][AHCI_STAT_TIMEOUTS] >= 3);
    CHECK_EQ(ask(&client[0], BLK_READ, 101, 1), BLK_OK);
    driver_end();
}

TEST(a_dead_disk_is_given_up)
{
    usual_world(10);
    driver_start();
    sim.port[0].p_hang = 1000;
    run(200);
    CHECK_WORLD();
    CHECK_EQ(status_page.disk[0].state, AHCI_DISK_FAILED);
    CHECK_EQ(ask(&client[0], BLK_READ, 0, 1), BLK_IO_ERROR);
    CHECK(client[2].ended[BLK_OK] > 20);
    driver_end();
}

TEST(a_failed_flush_is_not_tried_again)
{
    usual_world(11);
    driver_start();
    CHECK_EQ(ask(&client[0], BLK_WRITE, 0, 8), BLK_OK);
    sim.port[0].disk.flush_fails = true;
    uint32_t flushes = sim.port[0].flushes;
    CHECK_EQ(ask(&client[0], BLK_FLUSH, 0, 0), BLK_IO_ERROR);
    CHECK_EQ(sim.port[0].flushes, flushes + 1);
    CHECK_EQ(ask(&client[0], BLK_FLUSH, 0, 0), BLK_OK);
    CHECK_WORLD();
    driver_end();
}

TEST(one_flush_serves_all)
{
    usual_world(12);
    driver_start();
    uint32_t flushes = sim.port[0].flushes;
    for (uint32_t i = 0; i < 20; i++) {
        struct pending p = {.op = BLK_FLUSH};
        send(&client[i & 1], i, &p);
    }
    run(0);
    CHECK_EQ(client[0].ended[BLK_OK] + client[1].ended[BLK_OK], 20);
    CHECK(sim.port[0].flushes - flushes <= 3);
    CHECK_WORLD();
    driver_end();
}

/* The process dies within any step, also while it starts; the controller goes on. */
static void live_and_die(uint32_t kills, uint32_t steps)
{
    for (volatile uint32_t life = 0; life <= kills && !wrong && !sim.violation; life++) {
        if (setjmp(sim.death) == 0) {
            sim.die_in = life < kills ? 1 + sim_random(steps) : 0;
            driver_start();
            if (life == kills) {
                run(100);
                return;
            }
            for (;;) {
                clients_step(true);
                world_step();
            }
        }
        driver_end();
        for (uint32_t i = sim_random(20); i; i--)
            sim_step();
        clients_step(false);
    }
}

TEST(the_driver_dies_and_nothing_is_lost)
{
    for (uint32_t seed = 0; seed < 6; seed++) {
        usual_world(300 + seed);
        if (seed % 3 == 1)
            sim.port[0].disk.ncq = false;
        if (seed % 4 == 3)
            sim.port[0].p_abort = sim.port[0].p_link = 5;
        sim.port[0].disk.fua = seed & 1;
        live_and_die(30 * rounds(), seed & 1 ? 400 : 2000);
        CHECK_WORLD();
        CHECK(ended_with(BLK_OK) > 100);
        CHECK(ended_with(BLK_GONE) == 0);
        driver_end();
    }
}

TEST(power_cuts_keep_what_was_flushed)
{
    for (volatile uint32_t seed = 0; seed < 10 * rounds(); seed++) {
        usual_world(400 + seed);
        sim.port[0].disk.fua = seed & 1;
        if (seed % 4 == 3)
            sim.port[0].disk.ncq = false;
        live_and_die(4, 2000);
        if (setjmp(sim.death) == 0) {
            sim.die_in = 1 + sim_random(5000);
            for (;;) {
                clients_step(true);
                world_step();
            }
        }
        for (uint32_t i = 0; i < SIM_PORTS; i += 2) {
            sim_power_cut(&sim.port[i].disk);
            check_medium(i);
        }
        CHECK_WORLD();
        driver_end();
    }
}

/* The same work, cut at each register access and signal of it in turn: by a driver that dies and is
 * replaced, or by the power. */
static void cut_at(uint32_t instant, bool power)
{
    usual_world(500);
    sim.port[0].disk.fua = instant & 1;
    if (setjmp(sim.death) == 0) {
        sim.die_in = instant;
        driver_start();
        for (;;) {
            clients_step(true);
            world_step();
        }
    }
    driver_end();
    if (power) {
        for (uint32_t i = 0; i < SIM_PORTS; i += 2) {
            sim_power_cut(&sim.port[i].disk);
            check_medium(i);
        }
        return;
    }
    driver_start();
    run(20);
    driver_end();
}

TEST(cut_at_every_instant)
{
    for (volatile uint32_t instant = 1; instant <= INSTANTS * rounds(); instant++) {
        cut_at(instant, false);
        CHECK_WORLD();
        cut_at(instant, true);
        CHECK_WORLD();
    }
}

TEST(a_disk_is_pulled_and_plugged)
{
    usual_world(13);
    driver_start();
    run(300);
    CHECK_EQ(ask(&client[0], BLK_WRITE, 0, 8), BLK_OK);
    sim_plug(0, false);
    sim_power_cut(&sim.port[0].disk);
    for (uint32_t i = 0; i < 3000; i++) {
        clients_step(true);
        world_step();
    }
    CHECK(client[0].ended[BLK_GONE] > 0);
    CHECK_EQ(client[2].ended[BLK_GONE], 0);
    CHECK_EQ(client[0].shared->present, 0);
    CHECK_EQ(status_page.disk[0].state, AHCI_DISK_ABSENT);
    for (uint32_t i = 0; i < SECTORS_MAX; i++) /* what was only cached is gone */
        sector[0][i].version = sector[0][i].durable;
    wrong = NULL;
    sim_plug(0, true);
    for (uint32_t i = 0; i < 2000 && !client[0].shared->present; i++)
        world_step();
    CHECK_EQ(client[0].shared->present, 1);
    /* Its cache was not: who flushes now is told. */
    CHECK_EQ(ask(&client[0], BLK_FLUSH, 0, 0), BLK_IO_ERROR);
    CHECK_EQ(ask(&client[0], BLK_FLUSH, 0, 0), BLK_OK);
    CHECK_EQ(ask(&client[0], BLK_READ, 0, 8), BLK_OK);
    CHECK(!sim.violation);
    driver_end();
}

TEST(another_disk_is_not_the_same)
{
    usual_world(14);
    driver_start();
    uint32_t generation = status_page.disk[0].generation;
    sim_plug(0, false);
    for (uint32_t i = 0; i < 3000; i++)
        world_step();
    memcpy(sim.port[0].disk.serial, "OTHER", 5);
    sim_plug(0, true);
    for (uint32_t i = 0; i < 3000; i++)
        world_step();
    CHECK_EQ(status_page.disk[0].state, AHCI_DISK_READY);
    CHECK_EQ(status_page.disk[0].generation, generation + 1);
    CHECK_EQ(ask(&client[0], BLK_READ, 0, 8), BLK_GONE);
    CHECK_EQ(client[0].shared->present, 0);
    /* Not even between two looks at the link. */
    memcpy(sim.port[2].disk.serial, "OTHER", 5);
    sim_plug(2, true);
    for (uint32_t i = 0; i < 3000; i++)
        world_step();
    CHECK_EQ(ask(&client[2], BLK_READ, 0, 8), BLK_GONE);
    driver_end();
}

static uint32_t ask_bad(struct client *c, const struct blk_slot *bad)
{
    uint64_t before = c->ended[BLK_OK];
    c->slot[0] = (struct pending){.busy = true, .bad = true};
    c->shared->slot[0] = *bad;
    ring_bell(c, 0);
    for (uint32_t i = 0; i < 100000 && c->slot[0].busy; i++) {
        world_step();
        take_ended(c);
    }
    return c->slot[0].busy || c->ended[BLK_OK] != before ? BLK_OK : c->shared->slot[0].status;
}

TEST(malformed_requests_are_refused)
{
    usual_world(15);
    driver_start();
    const struct blk_slot good = {
        .op = BLK_READ, .sectors = 2, .segments = 1, .segment = {{.offset = 0, .length = 1024}}};
    struct blk_slot bad;
#define TRY(change, expected)                          \
    do {                                               \
        bad = good;                                    \
        change;                                        \
        CHECK_EQ(ask_bad(&client[0], &bad), expected); \
    } while (0)
    TRY((void)0, BLK_OK);
    TRY(bad.op = 5, BLK_INVALID);
    TRY(bad.flags = 2, BLK_INVALID);
    TRY(bad.sectors = 0, BLK_INVALID);
    TRY(bad.sectors = 1, BLK_INVALID);
    TRY(bad.segments = 0, BLK_INVALID);
    TRY(bad.segments = 65, BLK_INVALID);
    TRY(bad.segments = ~0u, BLK_INVALID);
    TRY(bad.segment[0].memory = 1, BLK_INVALID);
    TRY(bad.segment[0].memory = 4, BLK_INVALID);
    TRY(bad.segment[0].offset = 1, BLK_INVALID);
    TRY(bad.segment[0].length = 1023, BLK_INVALID);
    TRY(bad.segment[0].offset = CLIENT_MEM - 512, BLK_INVALID);
    TRY(bad.segment[0].offset = ~1ull, BLK_INVALID);
    TRY(bad.sector = SIM_BLOCKS / 2 - 1, BLK_RANGE);
    TRY(bad.sector = ~0ull, BLK_RANGE);
    TRY(bad.sectors = ~0ull, BLK_RANGE);
    TRY((bad.op = BLK_DISCARD, bad.sector = SIM_BLOCKS / 2), BLK_RANGE);
#undef TRY
    CHECK_EQ(ask(&client[2], BLK_READ, 4, 8), BLK_RANGE);
    CHECK_EQ(ask(&client[2], BLK_READ, 0, 4), BLK_RANGE);
    CHECK_EQ(status_page.channel_stat[2][AHCI_CHANNEL_REFUSED], 2);
    CHECK_WORLD();
    driver_end();
}

TEST(channels_share_alike)
{
    usual_world(16);
    for (uint32_t i = 0; i < 2; i++)
        client[i].reads_only = 1;
    client[0].biggest = 32;
    client[1].biggest = 1; /* many small ones */
    client[2].depth = 0;
    driver_start();
    for (uint32_t i = 0; i < 8000; i++) {
        for (uint32_t j = 0; j < 8; j++)
            submit_random(&client[j & 1]);
        world_step();
        clients_step(false);
    }
    uint64_t cost[2];
    for (uint32_t i = 0; i < 2; i++)
        cost[i] = status_page.channel_stat[i][AHCI_CHANNEL_READ_BYTES] +
                  status_page.channel_stat[i][AHCI_CHANNEL_COMMANDS] * OVERHEAD;
    CHECK(cost[0] < cost[1] * 105 / 100);
    CHECK(cost[1] < cost[0] * 105 / 100);
    run(0);
    CHECK_WORLD();
    driver_end();
}

/* Guests that never stop asking, with requests of 512 bytes to 8 KiB. */
TEST(sixteen_share_alike)
{
    uint64_t least = UINT64_MAX, most = 0;
    world_init(18);
    sim_attach(0, 512, true);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        client_setup(i, 0, i * (SIM_BLOCKS / CLIENTS), SIM_BLOCKS / CLIENTS);
        client[i].reads_only = 1;
        client[i].biggest = 1 + i;
    }
    driver_start();
    for (uint32_t i = 0; i < 12000; i++) {
        for (uint32_t j = 0; j < CLIENTS; j++)
            submit_random(&client[j]);
        world_step();
        clients_step(false);
    }
    for (uint32_t i = 0; i < CLIENTS; i++) {
        uint64_t cost = status_page.channel_stat[i][AHCI_CHANNEL_READ_BYTES] +
                        status_page.channel_stat[i][AHCI_CHANNEL_COMMANDS] * OVERHEAD;
        least = cost < least ? cost : least;
        most = cost > most ? cost : most;
    }
    CHECK(least > 100 * OVERHEAD);
    CHECK(most <= least * 105 / 100);
    run(0);
    CHECK_WORLD();
    driver_end();
}

TEST(a_channel_is_detached_under_load)
{
    usual_world(17);
    driver_start();
    for (uint32_t i = 0; i < 500; i++) {
        clients_step(true);
        world_step();
    }
    while (!channel_detach(hba, 0))
        world_step();
    uint32_t notif;
    CHECK(channel_free(hba, 0, &notif) == client[0].shared);
    CHECK_EQ(notif, 1);
    CHECK_EQ(client[0].shared->present, 0);
    sim.region[1].host = NULL; /* no DMA there any more */
    take_ended(&client[0]);
    CHECK(!client_busy(&client[0]) || client[0].shared->submitted);
    client[0].depth = 0;
    run(500);
    CHECK_WORLD();
    driver_end();
}

TEST(attach_refuses_what_does_not_fit)
{
    usual_world(18);
    client[0].depth = client[1].depth = client[2].depth = 0;
    driver_start();
    struct ahci_attach a = client[0].attach;
#define REFUSED(index, change, why)                                                        \
    do {                                                                                   \
        a = client[0].attach;                                                              \
        change;                                                                            \
        CHECK_EQ(channel_attach(hba, index, &a, client[0].shared, 1), AHCI_REFUSED_##why); \
    } while (0)
    REFUSED(AHCI_CHANNELS, (void)0, CHANNEL);
    REFUSED(0, a.port = 1, PORT);
    REFUSED(0, a.port = 32, PORT);
    REFUSED(0, a.first_sector = SIM_BLOCKS + 1, RANGE);
    REFUSED(0, a.sectors = SIM_BLOCKS + 1, RANGE);
    REFUSED(0, (a.port = 2, a.first_sector = 1), RANGE);
    REFUSED(0, a.memory[1] = ((struct ahci_memory){~0ull - 4095, 8192}), MEMORY);
    REFUSED(0, (void)0, NOT);
    REFUSED(0, (void)0, CHANNEL);
#undef REFUSED
    CHECK_EQ(client[0].shared->geometry.sectors, SIM_BLOCKS / 2);
    CHECK_EQ(client[0].shared->generation, 1);
    driver_end();
}

TEST(a_volume_grows_while_it_is_used)
{
    usual_world(19);
    driver_start();
    run(200);
    uint64_t before = client[0].attach.sectors;
    uint32_t generation = client[0].shared->generation;
    CHECK_EQ(ask(&client[0], BLK_READ, before, 8), BLK_RANGE);
    CHECK_EQ(channel_resize(hba, 0, SIM_BLOCKS + 8), AHCI_REFUSED_RANGE);
    CHECK_EQ(channel_resize(hba, 0, 0), AHCI_REFUSED_RANGE);
    CHECK_EQ(channel_resize(hba, AHCI_CHANNELS, before), AHCI_REFUSED_CHANNEL);
    CHECK_EQ(client[0].shared->generation, generation);
    CHECK_EQ(channel_resize(hba, 0, before + 8), AHCI_REFUSED_NOT);
    CHECK_EQ(client[0].shared->geometry.sectors, before + 8);
    CHECK_EQ(client[0].shared->generation, generation + 1);
    CHECK_EQ(ask(&client[0], BLK_READ, before, 8), BLK_OK);
    run(200);
    CHECK_WORLD();
    driver_end();
}

TEST(disks_spin_up_one_by_one)
{
    world_init(19);
    sim.cap |= CAP_SSS;
    for (uint32_t i = 0; i < SIM_PORTS; i++)
        sim_attach(i, 512, true);
    hba = calloc(1, sizeof(*hba));
    *hba = (struct hba){
        .dma = dma_memory, .dma_base = DMA_BASE, .size = 0x1100, .status = &status_page};
    CHECK(!hba_reset(hba));
    hba_start(hba);
    for (uint32_t i = 0; i < 10000 && !hba_settled(hba); i++) {
        uint32_t spinning = 0;
        for (uint32_t j = 0; j < SIM_PORTS; j++)
            spinning += sim.port[j].linking;
        CHECK(spinning <= 1);
        world_step();
    }
    CHECK(hba_settled(hba));
    CHECK_WORLD();
    driver_end();
}

TEST(the_end_leaves_nothing_in_caches)
{
    usual_world(20);
    driver_start();
    for (uint32_t i = 0; i < 500; i++) {
        clients_step(true);
        world_step();
    }
    for (uint32_t i = 0; i < CLIENTS; i++)
        take_ended(&client[i]);
    hba_stop(hba);
    for (uint32_t i = 0; i < 10000 && !hba_stopped(hba); i++)
        world_step();
    CHECK(hba_stopped(hba));
    for (uint32_t i = 0; i < SECTORS_MAX; i++) {
        sector[0][i].durable = sector[0][i].version;
        sector[2][i].durable = sector[2][i].version;
    }
    sim_power_cut(&sim.port[0].disk);
    sim_power_cut(&sim.port[2].disk);
    check_medium(0);
    check_medium(2);
    CHECK_WORLD();
    driver_end();
}

TEST(who_is_served_is_billed)
{
    static struct hba h;
    static struct channel one = {.notif = 1}, other = {.notif = 2};
    memset(sim_bills, 0, sizeof(sim_bills));
    for (uint32_t i = 0; i < 40; i++) /* by turns: at each event */
        hba_bill(&h, i & 1 ? &one : &other);
    CHECK(sim_bills[1] == 20 && sim_bills[2] == 20);
    for (uint32_t i = 0; i < 15 + 160 + 5; i++) /* alone: for several at once */
        hba_bill(&h, &one);
    CHECK_EQ(sim_bills[1], 20 + 15 + 10);
    hba_bill(&h, &other); /* what is left is not forgotten */
    CHECK(sim_bills[1] == 46 && sim_bills[2] == 21);
    hba_unbill(&h, &one);
    CHECK(sim_bills[1] == 46 && h.payer == &other);
}

TEST(idle_costs_nothing)
{
    usual_world(21);
    driver_start();
    run(100);
    for (uint32_t i = 0; i < 10 && hba_wake(hba); i++)
        world_step();
    CHECK_EQ(hba_wake(hba), 0);
    CHECK_WORLD();
    driver_end();
}
