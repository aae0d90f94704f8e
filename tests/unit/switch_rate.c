/* SPDX-License-Identifier: BSD-2-Clause */
/* Token buckets, and what ports do with them: shaping, policing, storms. */
#include "test.h"
#include "switch_world.h"

#define SECOND 1000000000ull

static struct bucket bucket;

TEST(no_limit_costs_nothing)
{
    bucket_set(&bucket, 0, 0, 5);
    for (uint32_t i = 0; i < 1000; i++) {
        CHECK(bucket_has(&bucket, 5));
        bucket_take(&bucket, 1u << 30);
    }
}

TEST(tokens_come_back_at_the_rate)
{
    bucket_set(&bucket, 1000, 100, 0);
    uint64_t passed = 0;
    for (uint64_t now = 0; now <= 10 * SECOND; now += 100000) {
        while (bucket_has(&bucket, now)) {
            bucket_take(&bucket, 10);
            passed += 10;
        }
    }
    CHECK(passed >= 10090 && passed <= 10110);
}

TEST(a_long_pause_fills_it_once)
{
    bucket_set(&bucket, 4000000000000ull, 1000, 0);
    bucket_take(&bucket, 1000000);
    CHECK(!bucket_has(&bucket, 1));
    CHECK(bucket_has(&bucket, UINT64_MAX / 2));
    CHECK_EQ(bucket.tokens >> BUCKET_POINT, 1000);
}

TEST(it_tells_when)
{
    struct rate rate;
    struct switch_rate config = {.average = 1000000, .burst = 65536};
    rate_set(&rate, &config, 0);
    CHECK(rate_has(&rate, 0));
    rate_take(&rate, 65536 + 1000);
    CHECK(!rate_has(&rate, 0));
    uint64_t when = rate_when(&rate);
    CHECK(when >= 1000000 && when < 1010000);
    CHECK(!rate_has(&rate, when - 5000));
    CHECK(rate_has(&rate, when));
}

TEST(peak_bounds_the_burst)
{
    struct rate rate;
    struct switch_rate config = {.average = 1000000, .peak = 2000000, .burst = 10000000};
    rate_set(&rate, &config, 0);
    uint64_t passed = 0;
    for (uint64_t now = 0; now < SECOND; now += 1000000) {
        while (rate_has(&rate, now)) {
            rate_take(&rate, 1000);
            passed += 1000;
        }
    }
    CHECK(passed > 1900000 && passed < 2000000 + 2 * BURST_MIN);
}

TEST(a_sender_over_its_rate_waits_and_loses_nothing)
{
    world_reset();
    struct switch_port a = guest(0), b = guest(1);
    a.outbound = (struct switch_rate){.average = 100000, .burst = 1};
    CHECK(end_make(0, &a, 0, 0) && end_make(1, &b, 0, 400));
    for (uint32_t i = 0; i < 200; i++)
        CHECK(end_send_to(0, 1, 1000));
    world_run();
    uint32_t got = end_drain(1);
    CHECK(got >= 65 && got <= 67); /* the bucket's 64 KiB */
    CHECK(fabric_wake(&fabric) > world_ns);
    for (uint32_t i = 0; i < 100; i++)
        world_pass(10000000);
    got += end_drain(1);
    CHECK(got >= 164 && got <= 168);
    for (uint32_t i = 0; i < 100; i++)
        world_pass(10000000);
    CHECK_EQ(got + end_drain(1), 200);
    CHECK_EQ(fabric_wake(&fabric), 0);
}

TEST(a_receiver_over_its_rate_loses_frames)
{
    world_reset();
    struct switch_port a = guest(0), b = guest(1);
    b.inbound = (struct switch_rate){.average = 1000};
    CHECK(end_make(0, &a, 0, 0) && end_make(1, &b, 0, 400));
    for (uint32_t i = 0; i < 200; i++)
        CHECK(end_send_to(0, 1, 1000));
    world_run();
    CHECK_EQ(end_drain(1), 66);
    CHECK_EQ(status.port_stat[1][SWITCH_RX_DROPPED], 134);
    CHECK_EQ(end_sent(0, NULL), 200);
}

TEST(a_storm_is_cut_and_the_rest_is_not)
{
    world_reset();
    for (uint32_t i = 0; i < 3; i++) {
        struct switch_port c = guest(i);
        CHECK(end_make(i, &c, 0, 300));
    }
    struct switch_network n = {.mtu = 1500, .ageing_s = 300, .storm_limit = 100};
    CHECK_EQ(fabric_network(&fabric, 0, &n), SWITCH_REFUSED_NOT);
    for (uint32_t i = 0; i < 200; i++)
        CHECK(end_send_to(0, 0xff, 60));
    CHECK(end_send_to(0, 1, 60));
    CHECK(end_send_to(2, 0xff, 60));
    world_run();
    CHECK_EQ(end_drain(1), 33 + 2);
    CHECK_EQ(status.port_stat[0][SWITCH_TX_DROPPED], 200 - 33);
}
