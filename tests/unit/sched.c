/* SPDX-License-Identifier: BSD-2-Clause */
/* The scheduler's properties on simulated machines, small and large. */
#include "tests/sim/life.h"

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
                                 .latency = seed & 1 ? 0 : 20 * US};
        life(with, seed, 100000);
        CHECK(!sim_wrong);
    }
}

TEST(large_machine)
{
    struct sim_shape with = {
        .cpus = 1024, .contexts = 10000, .reserved = true, .caps = true, .fixed = true};
    life(with, 1, 300000);
    CHECK(!sim_wrong);
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
    for (uint32_t i = 0; i < 2; i++)
        sim_wake(&sim[i], i);
    sim_run(fake_tsc + 20 * MS);
    uint64_t steps = sim_steps;
    sim_run(fake_tsc + 10000 * MS);
    CHECK_EQ(sim_steps - steps, 0);
    sim_stop();
}
