/* SPDX-License-Identifier: BSD-2-Clause */
/* The scheduler's properties on simulated machines, small and large. */
#include "tests/sim/life.h"

#define CHECK_BETWEEN(value, low, high)                                     \
    do {                                                                    \
        uint64_t is = (value);                                              \
        if (is < (low) || is > (high))                                      \
            printf("%s: %llu us\n", #value, (unsigned long long)(is / US)); \
        CHECK(is >= (low) && is <= (high));                                 \
    } while (0)

/* Small machines are where every case meets every other. */
TEST(small_machines)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct sim_shape with = {.cpus = 1 + (uint32_t)(seed % 8),
                                 .contexts = 1 + (uint32_t)(seed * 7 % 30),
                                 .reserved = seed & 1,
                                 .caps = seed & 2,
                                 .fixed = seed & 4,
                                 .offline = seed % 5 == 0,
                                 .groups = seed % 3 == 0,
                                 .topology = seed % 7 < 3,
                                 .races = seed % 4 == 0,
                                 .latency = seed & 1 ? 0 : 20 * US};
        life(with, seed, 15000);
        CHECK(!sim_wrong);
    }
}

TEST(middling_machines)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct sim_shape with = {.cpus = 16 + (uint32_t)seed * 8,
                                 .contexts = 200 + 100 * (uint32_t)seed,
                                 .reserved = seed & 1,
                                 .caps = true,
                                 .fixed = seed & 2,
                                 .offline = seed & 4,
                                 .groups = seed & 2,
                                 .latency = seed & 1 ? 0 : 20 * US};
        life(with, seed, 100000);
        CHECK(!sim_wrong);
    }
}

/* What the manager does for core scheduling is enough at run time, whatever happens. */
TEST(core_scheduling)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct sim_shape with = {.cpus = 2 + 2 * (uint32_t)(seed % 5),
                                 .contexts = 4 + 4 * (uint32_t)(seed % 4),
                                 .reserved = seed & 1,
                                 .caps = seed & 2,
                                 .offline = seed & 4,
                                 .topology = true,
                                 .cores = true};
        life(with, seed, 15000);
        CHECK(!sim_wrong);
    }
    /* Without it, two guests do meet on a core: what is checked can fail. */
    struct sim_shape with = {.cpus = 4, .contexts = 16, .topology = true};
    sim_start(with);
    for (uint32_t i = 0; i < with.contexts; i++)
        sim_wake(&sim[i], 0);
    for (uint32_t i = 0; i < 20 && !sim_wrong; i++) {
        sim_run(fake_tsc + 20 * MS);
        check_cores();
    }
    CHECK(sim_wrong);
    sim_wrong = NULL;
    sim_stop();
}

/* An interrupt to all vCPUs of a guest: they run at once, each on an idle CPU of its own, the
 * nearest first. That is all that waking a gang as a gang could do. */
TEST(a_broadcast_wakes_onto_idle_cpus)
{
    struct sim_shape with = {.cpus = 32, .contexts = 8, .topology = true};
    sim_start(with);
    for (uint32_t i = 0; i < with.contexts; i++) {
        struct sc_config config = {.class = SC_SHARED, .weight = 1024, .affinity = {{UINT32_MAX}}};
        uint32_t promised;
        CHECK(sc_configure(&sim[i].sc, &config, &promised));
        sim_accept(&sim[i], &config);
    }
    uint32_t used = 0;
    for (uint32_t i = 0; i < with.contexts; i++)
        sim_wake(&sim[i], 16);
    sim_run(fake_tsc);
    for (uint32_t i = 0; i < with.contexts; i++) {
        CHECK(sim[i].on && !(used & 1u << (sim[i].on - 1)));
        used |= 1u << (sim[i].on - 1);
    }
    CHECK_EQ(__builtin_popcount(used), 8);
    sim_stop();
}

/* Two CPUs that look for work in lockstep: the one that has a context is left it until it picks. */
TEST(idle_cpus_do_not_take_turns)
{
    sim_start((struct sim_shape){.cpus = 2, .contexts = 1});
    struct sc_config config = {.class = SC_SHARED, .weight = 1024, .affinity = {{3}}};
    uint32_t promised;
    CHECK(sc_configure(&sim[0].sc, &config, &promised));
    sim_accept(&sim[0], &config);
    sim_pick(0, false);
    sim_pick(1, false);
    sim_wake(&sim[0], 0);
    CHECK(sim[0].sc.queued);
    uint32_t home = sim[0].sc.cpu;
    sim_pick(1 - home, false);
    CHECK_EQ(sim[0].sc.cpu, home);
    sim_pick(home, false);
    CHECK_EQ(sim[0].on, home + 1);
    sim_stop();
}

/* Of two idle CPUs the nearer one is taken; all others are busy. */
TEST(far_nodes_come_last)
{
    static const uint32_t pairs[][2] = {{1, 2}, {3, 5}, {5, 9}, {6, 33}, {33, 17}, {9, 25}};
    for (uint32_t n = 0; n < ARRAY_LEN(pairs); n++) {
        sim_start((struct sim_shape){.cpus = 40, .contexts = 41, .topology = true});
        for (uint32_t i = 0; i <= 40; i++) {
            struct sc_config config = {
                .class = SC_SHARED, .weight = 1024, .affinity = {{1ull << i % 40}}};
            uint32_t promised;
            CHECK(sc_configure(&sim[i].sc, &config, &promised));
            config.affinity.word[0] = UINT64_MAX >> 24;
            if (i == 40)
                CHECK(sc_configure(&sim[i].sc, &config, &promised));
            sim_accept(&sim[i], &config);
            if (i < 40 && i != pairs[n][0] && i != pairs[n][1])
                sim_wake(&sim[i], i);
            sim_settle();
        }
        CHECK_EQ(sim[40].sc.cpu, 0);
        sim_wake(&sim[40], 0);
        sim_run(fake_tsc);
        CHECK_EQ(sim[40].on, pairs[n][0] + 1);
        sim_stop();
    }
}

/* The fluid machine itself is the measure: contexts that never sleep on one CPU. */
TEST(shares_by_weight_within_a_slice)
{
    static const uint32_t weights[] = {2, 256, 1024, 1024, 2048, 4096, 8192, 262144};
    const uint32_t count = ARRAY_LEN(weights);
    uint64_t sum = 0;
    sim_start((struct sim_shape){.cpus = 1, .contexts = count});
    for (uint32_t i = 0; i < count; i++) {
        struct sc_config config = {
            .class = SC_SHARED, .weight = weights[i], .affinity = {{[0] = 1}}};
        uint32_t promised;
        CHECK(sc_configure(&sim[i].sc, &config, &promised));
        sim_accept(&sim[i], &config);
        sim_wake(&sim[i], 0);
        sum += weights[i];
    }
    for (uint64_t start = fake_tsc, i = 0; i < 200000; i++) {
        sim_run(fake_tsc + 100 * US);
        sim_book(0);
        for (uint32_t k = 0; k < count; k++) {
            int64_t fair = (int64_t)((fake_tsc - start) * weights[k] / sum);
            int64_t lag = fair - (int64_t)sim[k].ran;
            if (lag > (int64_t)(SLICE_US * US) || lag < -(int64_t)(SLICE_US * US))
                sim_fail("a context is off its share by more than a slice");
        }
    }
    CHECK(!sim_wrong);
    sim_stop();
}

/* Eight guests of two vCPUs, weights 1:2:4:8, on two CPUs; three equals on two CPUs. */
TEST(shares_over_cpus)
{
    for (uint32_t round = 0; round < 2; round++) {
        uint32_t count = round ? 3 : 8;
        uint64_t sum = 0, got = 0;
        sim_start((struct sim_shape){.cpus = 2, .contexts = count});
        for (uint32_t i = 0; i < count; i++) {
            struct sc_config config = {
                .class = SC_SHARED, .weight = round ? 1024 : 256u << i / 2, .affinity = {{3}}};
            uint32_t promised;
            CHECK(sc_configure(&sim[i].sc, &config, &promised));
            sim_accept(&sim[i], &config);
            sim_wake(&sim[i], i % 2);
            sim_settle();
            sum += config.weight;
        }
        sim_run(fake_tsc + 4000 * MS);
        sim_book(0), sim_book(1);
        for (uint32_t i = 0; i < count; i++)
            got += sim[i].ran;
        for (uint32_t i = 0; i < count; i++) {
            uint64_t fair = got * sim[i].config.weight / sum;
            CHECK(sim[i].ran > fair * 98 / 100 && sim[i].ran < fair * 102 / 100);
        }
        CHECK(!sim_wrong && got > 7990 * MS);
        sim_stop();
    }
}

/* Guest i's vCPU and, behind all vCPUs, its emulator's thread, for whose time it pays; on two CPUs.
 */
static void add_guest(uint32_t i, uint32_t guests, uint32_t weight)
{
    for (uint32_t n = i; n < 2 * guests; n += guests) {
        struct sc_config config = {
            .class = SC_SHARED, .weight = n == i ? weight : weight / 4, .affinity = {{3}}};
        uint32_t promised;
        sim[n].sc.payer = &sim[i].sc;
        sim[n].sc.pays = n == i;
        CHECK(sc_configure(&sim[n].sc, &config, &promised));
        sim_accept(&sim[n], &config);
        sim[n].sleeps = n != i;
    }
}

/* Eight guests by shares 1:2:4:8, each with an emulator's thread that wakes now and then and whose
 * time its guest pays, on two CPUs that their own host takes away in the middle of turns. */
static void late_turns(uint64_t latency, uint64_t off_by)
{
    uint64_t sum = 0, got = 0;
    sim_start((struct sim_shape){.cpus = 2, .contexts = 16, .latency = latency});
    for (uint32_t i = 0; i < 8; i++)
        add_guest(i, 8, 512u << i / 2);
    for (uint32_t i = 0; i < 8; i++) {
        sim_wake(&sim[i], i % 2);
        sum += sim[i].config.weight;
    }
    for (uint64_t n = 0; n < 20000; n++) {
        struct sim_context *helper = &sim[8 + sim_random(8)];
        sim_run(fake_tsc + sim_up_to(10 * MS));
        sim_wake(helper, (uint32_t)sim_random(2));
        helper->burst_left = MIN(helper->burst_left, 300 * US);
    }
    sim_book(0), sim_book(1);
    for (uint32_t i = 0; i < 8; i++)
        got += sim[i].ran;
    for (uint32_t i = 0; i < 8; i++) {
        uint64_t part = sim[i].ran * 1000 * sum / (got * sim[i].config.weight);
        if (part < 1000 - off_by || part > 1000 + off_by)
            printf("turns %llu ms late, guest %u: %llu per mille of its part\n",
                   (unsigned long long)(latency / MS), i, (unsigned long long)part);
        CHECK(part >= 1000 - off_by && part <= 1000 + off_by);
    }
    sim_stop();
}

TEST(shares_on_a_host_that_is_not_there)
{
    late_turns(0, 45);
    late_turns(20 * MS, 60);
    late_turns(200 * MS, 100);
}

/* Four guests that fork, on two CPUs whose clocks differ by what a lock takes: they exit all the
 * time, some of them wait a moment for their emulators' threads, and they have equal weights. */
static void start_four(uint64_t skew)
{
    sim_start((struct sim_shape){.cpus = 2, .contexts = 8, .skew = skew, .races = skew != 0});
    for (uint32_t i = 0; i < 4; i++)
        add_guest(i, 4, 1024);
}

/* One guest's exit to its emulator, or a turn that somebody's interrupt cuts. */
static void fork_a_while(void)
{
    uint32_t i = (uint32_t)sim_random(4), kind = (uint32_t)sim_random(8);
    sim_run(fake_tsc + sim_up_to(300 * US));
    if (!sim[i].on)
        return;
    uint32_t cpu = sim[i].on - 1;
    if (kind == 0) {
        sim_sleep(&sim[i], cpu);
        sim_pick(cpu, false);
        sim_run(fake_tsc + sim_up_to(20 * US));
        sim_wake(&sim[i], (uint32_t)sim_random(2));
    } else if (kind == 1) {
        sim_wake(&sim[4 + i], cpu);
        sim[4 + i].burst_left = MIN(sim[4 + i].burst_left, 20 * US);
    } else {
        sim_pick(cpu, false);
    }
}

/* How much more the first of them gets than the last with all that is done for them, at most, in
 * 20 s. */
static uint64_t spread(uint32_t count)
{
    uint64_t worst = 0, begin[4];
    sim_book(0), sim_book(1);
    for (uint32_t i = 0; i < count; i++)
        begin[i] = sim[i].ran + sim[4 + i].ran;
    for (uint64_t start = fake_tsc; fake_tsc - start < 20000 * MS;) {
        uint64_t low = NEVER, high = 0;
        fork_a_while();
        sim_book(0), sim_book(1);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t got = sim[i].ran + sim[4 + i].ran - begin[i];
            low = MIN(low, got);
            high = MAX(high, got);
        }
        worst = MAX(worst, high - low);
    }
    return worst;
}

TEST(equals_on_two_cpus_whose_clocks_differ)
{
    for (uint32_t skew = 0; skew < 3; skew++) {
        start_four(skew * US);
        for (uint32_t i = 0; i < 4; i++)
            sim_wake(&sim[i], i % 2);
        CHECK(spread(4) < 100 * MS);
        CHECK(!sim_wrong);
        sim_stop();
    }
}

/* While nobody waits, two CPUs' virtual times go apart: that is nobody's claim. */
TEST(equals_after_one_was_alone)
{
    for (uint32_t n = 0; n < 4; n++) {
        start_four(0);
        sim_wake(&sim[0], 0);
        if (n & 1)
            sim_wake(&sim[1], 1);
        sim_run(fake_tsc + 100 * MS);
        if (n & 1)
            sim_sleep(&sim[1], 1), sim_settle();
        sim_run(fake_tsc + 10000 * MS);
        for (uint32_t i = 1; i < 4; i++)
            sim_wake(&sim[i], n & 2 ? 0 : 1), sim_settle();
        CHECK(spread(4) < 100 * MS);
        CHECK(!sim_wrong);
        sim_stop();
    }
}

/* Sleeping just before a slice ends, waking at once, a million times: no more than its share. */
TEST(sleepers_do_not_steal)
{
    sim_start((struct sim_shape){.cpus = 1, .contexts = 2});
    for (uint32_t i = 0; i < 2; i++) {
        struct sc_config config = {.class = SC_SHARED, .weight = 1024, .affinity = {{1}}};
        uint32_t promised;
        CHECK(sc_configure(&sim[i].sc, &config, &promised));
        sim_accept(&sim[i], &config);
        sim_wake(&sim[i], 0);
    }
    uint64_t start = fake_tsc, dozes = 0;
    while (fake_tsc - start < 4000 * MS) {
        sim_run(fake_tsc + sim_up_to(700 * US));
        if (sim[0].on) {
            sim_sleep(&sim[0], 0);
            sim_pick(0, false);
            sim_run(fake_tsc + 1 * US);
            sim_wake(&sim[0], 0);
            dozes++;
        }
    }
    sim_book(0);
    CHECK(dozes > 1000 && sim[0].ran < 2040 * MS);
    CHECK(!sim_wrong);
    sim_stop();
}

/* An interactive context beside hogs: awake for 0.2 ms of each 10 ms, and served in time. */
TEST(a_light_sleeper_is_served_at_once)
{
    sim_start((struct sim_shape){.cpus = 1, .contexts = 5});
    for (uint32_t i = 0; i < 5; i++)
        sim_wake(&sim[i], 0);
    uint64_t worst = 0;
    for (uint32_t i = 0; i < 500; i++) {
        sim_sleep(&sim[0], 0);
        sim_run(fake_tsc + 10 * MS);
        sim_wake(&sim[0], 0);
        uint64_t woke = fake_tsc;
        for (uint64_t ran = sim[0].ran; sim[0].ran - ran < 200 * US;) {
            sim_run(fake_tsc + 10 * US);
            sim_book(0);
        }
        worst = MAX(worst, fake_tsc - woke);
    }
    CHECK(worst <= (SLICE_US + 300) * US);
    CHECK(!sim_wrong);
    sim_stop();
}

/* What runs alone has no timer, whatever it is. */
TEST(tickless_when_alone)
{
    sim_start((struct sim_shape){.cpus = 2, .contexts = 2});
    for (uint32_t i = 0; i < 2; i++) {
        struct sc_config config = {.class = SC_SHARED, .weight = 1024, .affinity = {{3}}};
        uint32_t promised;
        CHECK(sc_configure(&sim[i].sc, &config, &promised));
        sim_accept(&sim[i], &config);
        sim_wake(&sim[i], 0);
    }
    sim_run(fake_tsc + 20 * MS);
    uint64_t steps = sim_steps;
    sim_run(fake_tsc + 10000 * MS);
    CHECK_EQ(sim_steps - steps, 0);
    sim_stop();
}

/* What `x` and `helper` get together beside an equal that never rests; helper runs on its own
 * weight and all that it runs is x's debt. idle_after: x sleeps after so much, and is woken at
 * once. */
static uint64_t with_helper(uint32_t weight, uint64_t doze, uint64_t cap)
{
    struct sc_config configs[] = {
        {.class = SC_SHARED, .weight = 1024, .budget = cap * 100, .period = cap ? 10000 * US : 0},
        {.class = SC_SHARED, .weight = weight},
        {.class = SC_SHARED, .weight = 1024}};
    sim_start((struct sim_shape){.cpus = 1, .contexts = 3});
    sim[0].sc.payer = sim[1].sc.payer = &sim[0].sc;
    sim[0].sc.pays = true;
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t promised;
        configs[i].affinity.word[0] = 1;
        if (!sc_configure(&sim[i].sc, &configs[i], &promised))
            sim_fail("refused");
        sim_accept(&sim[i], &configs[i]);
        sim_wake(&sim[i], 0);
    }
    while (sim[2].ran < 2000 * MS && !sim_wrong) {
        sim_run(fake_tsc + (doze ? sim_up_to(doze) : 1 * MS));
        sim_book(0);
        if (doze && sim[0].on) {
            sim_sleep(&sim[0], 0);
            sim_pick(0, false);
            sim_run(fake_tsc + 1 * US);
            sim_wake(&sim[0], 0);
        }
    }
    uint64_t got = sim[0].ran + sim[1].ran;
    if (sim_wrong)
        printf("%s\n", sim_wrong);
    sim_stop();
    return sim_wrong ? 0 : got;
}

/* A guest that keeps its VMM busy gets what it would get without: a half. */
TEST(helpers_are_paid_for)
{
    CHECK_BETWEEN(with_helper(256, 0, 0), 1980 * MS, 2020 * MS);
    CHECK_BETWEEN(with_helper(512, 0, 0), 1950 * MS, 2050 * MS);
    CHECK_BETWEEN(with_helper(256, 500 * US, 0), 500 * MS, 2040 * MS);
}

/* A cap of a tenth of a CPU is one for both: 1 in 9 of what the other gets. */
TEST(a_cap_covers_helpers)
{
    uint64_t got = with_helper(64, 0, 10 * US);
    CHECK(got < 2000 * MS / 8);
}

/* A driver above all shares works for a guest, as much as it likes, and says so. */
TEST(a_driver_bills_whom_it_works_for)
{
    struct sc_config driver = sc_fixed(0, 30, 0, 0);
    sim_start((struct sim_shape){.cpus = 1, .contexts = 3});
    sim[0].sc.payer = &sim[0].sc;
    sim[0].sc.pays = true;
    for (uint32_t i = 0; i < 3; i++) {
        struct sc_config config = {.class = SC_SHARED, .weight = 1024, .affinity = {{1}}};
        uint32_t promised;
        CHECK(sc_configure(&sim[i].sc, i == 1 ? &driver : &config, &promised));
        sim_accept(&sim[i], i == 1 ? &driver : &config);
        if (i != 1)
            sim_wake(&sim[i], 0);
    }
    for (uint64_t start = fake_tsc; fake_tsc - start < 4000 * MS;) {
        sim_run(fake_tsc + 1 * MS);
        if (sim_cpus[0].runs != &sim[0])
            continue; /* it asks for work only when it runs */
        sim_wake(&sim[1], 0);
        sim_run(fake_tsc + 600 * US);
        sched_bill(&sim[1].sc, &sim[0].sc);
        sim_sleep(&sim[1], 0);
        sim_pick(0, false);
    }
    sim_book(0);
    CHECK(sim[1].ran > 400 * MS);
    CHECK_BETWEEN(sim[0].ran + sim[1].ran, 1950 * MS, 2030 * MS);
    CHECK(!sim_wrong);
    sim_stop();
}

/* Two of a guest that give their turns to each other, or to whom it may concern, as fast as they
 * can: together no more than the two thirds that they would have without. */
TEST(yielding_gains_nothing)
{
    for (uint32_t directed = 0; directed < 2; directed++) {
        sim_start((struct sim_shape){.cpus = 1, .contexts = 3});
        for (uint32_t i = 0; i < 3; i++) {
            struct sc_config config = {.class = SC_SHARED, .weight = 1024, .affinity = {{1}}};
            uint32_t promised;
            CHECK(sc_configure(&sim[i].sc, &config, &promised));
            sim_accept(&sim[i], &config);
            sim_wake(&sim[i], 0);
        }
        uint64_t yields = 0;
        for (uint64_t start = fake_tsc; fake_tsc - start < 3000 * MS;) {
            sim_run(fake_tsc + sim_up_to(300 * US));
            uint32_t on = sim[0].on ? 0 : 1;
            if (!sim[on].on)
                continue;
            yields += !directed || sched_yield_to(&sim[1 - on].sc);
            sim_pick(0, true);
        }
        sim_book(0);
        CHECK(yields > 1000);
        CHECK(sim[0].ran + sim[1].ran < 2060 * MS);
        CHECK(!directed || sim[0].ran + sim[1].ran > 1900 * MS);
        CHECK(!sim_wrong);
        sim_stop();
    }
}
