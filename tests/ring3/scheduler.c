/* SPDX-License-Identifier: BSD-2-Clause */
/* Classes of scheduling contexts: weights, caps, reservations, affinity. The exact figures are unit
 * tests (tests/unit/sched.c): here an emulator on a busy machine keeps the time. */
#include "tests/ring3/ktest.h"

#include <string.h>

#define SPINNERS 4u

static _Atomic bool stop;

static uint32_t cpu_number(uint32_t i)
{
    return i % ((const struct kinfo *)KINFO_VA)->cpu_count;
}

static void spin(void *arg)
{
    (void)arg;
    while (!stop)
        ;
    sys_thread_exit();
}

static void sleep_ms(uint64_t ms)
{
    static uint32_t never;
    uint64_t bits;
    if (!never) {
        never = slot_alloc();
        CHECK_OK(sys_notif_create(never));
    }
    sys_notif_wait(never, time_tsc() + time_ns_to_tsc(ms * 1000000), &bits);
}

static struct sc_params shared(uint32_t weight, uint64_t cpus)
{
    return (struct sc_params){.class = SC_SHARED, .weight = weight, .affinity = {cpus}};
}

static int64_t set(uint32_t sc, struct sc_params params, uint64_t *promised)
{
    memcpy(utcb_self()->mr, &params, sizeof(params));
    return sys_sc_params(sc, promised);
}

static struct sc_info info_of(uint32_t sc)
{
    CHECK_OK(sys_sc_info(sc));
    return *(const struct sc_info *)utcb_self()->mr;
}

static void start(struct user_thread *threads, uint32_t count, const struct sc_params *params)
{
    uint64_t promised;
    stop = false;
    for (uint32_t i = 0; i < count; i++) {
        CHECK_OK(thread_spawn(&threads[i], spin, NULL, cpu_number(1), 1));
        CHECK_OK(set(threads[i].sc_slot, params[i], &promised));
    }
}

static void finish(struct user_thread *threads, uint32_t count)
{
    stop = true;
    for (uint32_t i = 0; i < count; i++) {
        do {
            sleep_ms(1);
            CHECK_OK(sys_thread_info(threads[i].slot));
        } while (((const struct thread_info *)utcb_self()->mr)->state != THREAD_FAULTED);
        CHECK_OK(sys_cap_delete(SLOT_SELF_PD, threads[i].slot));
        CHECK_OK(sys_cap_delete(SLOT_SELF_PD, threads[i].sc_slot));
    }
}

/* What each of them used in so many milliseconds. */
static uint64_t measure(const struct user_thread *threads, uint32_t count, uint64_t ms,
                        uint64_t *used)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        used[i] = info_of(threads[i].sc_slot).used_tsc;
    sleep_ms(ms);
    for (uint32_t i = 0; i < count; i++) {
        used[i] = info_of(threads[i].sc_slot).used_tsc - used[i];
        sum += used[i];
    }
    return sum;
}

static bool near(uint64_t value, uint64_t want)
{
    return value > want * 8 / 10 && value < want * 12 / 10;
}

/* The same until each has its part of the sum, at most so many times as long: what the host of an
 * emulator takes out of a turn is charged to whoever had it, and made good only later. */
#define PATIENCE 8u
static uint64_t measure_parts(const struct user_thread *threads, uint32_t count,
                              const uint32_t *parts, uint64_t *used)
{
    uint64_t sum = 0, more[SPINNERS], total = 0;
    memset(used, 0, count * sizeof(used[0]));
    for (uint32_t i = 0; i < count; i++)
        total += parts[i];
    for (uint32_t round = 0, good = 0; round < PATIENCE && good < count; round++) {
        sum += measure(threads, count, 1500, more);
        good = 0;
        for (uint32_t i = 0; i < count; i++)
            used[i] += more[i];
        for (uint32_t i = 0; i < count; i++)
            good += near(used[i], sum * parts[i] / total);
    }
    return sum;
}

void test_weights(void)
{
    struct user_thread t[SPINNERS];
    struct sc_params params[SPINNERS];
    uint64_t used[SPINNERS], cpu = 1ull << cpu_number(1);
    for (uint32_t i = 0; i < SPINNERS; i++)
        params[i] = shared(512u << i, cpu);
    start(t, SPINNERS, params);
    uint64_t sum = measure_parts(t, SPINNERS, (const uint32_t[]){1, 2, 4, 8}, used);
    log_line("weights 1:2:4:8 got %lu:%lu:%lu:%lu of 15 hundredths", used[0] * 1500 / sum,
             used[1] * 1500 / sum, used[2] * 1500 / sum, used[3] * 1500 / sum);
    for (uint32_t i = 0; i < SPINNERS; i++)
        CHECK(near(used[i], (sum << i) / 15));
    finish(t, SPINNERS);
}

/* Three equals on two CPUs: each gets two thirds of one, because they wander. */
void test_wandering(void)
{
    struct user_thread t[3];
    uint64_t used[3], moves = 0, both = 1ull << cpu_number(0) | 1ull << cpu_number(1);
    start(t, 3, (struct sc_params[]){shared(1024, both), shared(1024, both), shared(1024, both)});
    uint64_t sum = measure_parts(t, 3, (const uint32_t[]){1, 1, 1}, used);
    for (uint32_t i = 0; i < 3; i++) {
        moves += info_of(t[i].sc_slot).migrations;
        CHECK(near(used[i], sum / 3));
    }
    CHECK(cpu_number(1) == 0 || moves > 2);
    log_line("wandering: %lu%% %lu%% %lu%%, %lu migrations", used[0] * 100 / sum,
             used[1] * 100 / sum, used[2] * 100 / sum, moves);
    finish(t, 3);
}

void test_cap(void)
{
    struct user_thread t[1];
    uint64_t used, start_tsc = time_tsc();
    struct sc_params capped = shared(1024, ~0ull);
    capped.budget_us = 20000;
    capped.period_us = 100000;
    start(t, 1, &capped);
    measure(t, 1, 1500, &used);
    uint64_t period = time_ns_to_tsc(100000000), elapsed = time_tsc() - start_tsc;
    CHECK(used < (elapsed / period + 2) * period / 5);
    CHECK(used > period);
    struct sc_info info = info_of(t[0].sc_slot);
    CHECK(info.throttled_tsc > 4 * period && info.wait_tsc < elapsed);
    finish(t, 1);
}

/* A reservation gets its budgets beside spinners with all the weight, and no more. */
void test_reservation(void)
{
    struct user_thread t[3];
    uint64_t used[3], cpu = 1ull << cpu_number(1);
    struct sc_params reserved = {
        .class = SC_RESERVED, .budget_us = 10000, .period_us = 50000, .affinity = {cpu}};
    start(t, 3, (struct sc_params[]){reserved, shared(262144, cpu), shared(262144, cpu)});
    uint64_t sum = measure(t, 3, 1500, used);
    log_line("reservation of 20%%: %lu%%, %lu missed", used[0] * 100 / sum,
             info_of(t[0].sc_slot).deadline_misses);
    /* What the host takes away while it runs is lost to it. */
    CHECK(used[0] > sum / 10 && used[0] < sum / 4);
    CHECK(used[1] && used[2]);
    finish(t, 3);
}

void test_admission(void)
{
    struct user_thread t[2];
    uint64_t promised = 0, cpu = 1ull << cpu_number(1);
    struct sc_params half = {
        .class = SC_RESERVED, .budget_us = 5000, .period_us = 10000, .affinity = {cpu}};
    start(t, 2, (struct sc_params[]){half, shared(1024, cpu)});
    CHECK(set(t[1].sc_slot, half, &promised) == ERR_ADMISSION);
    CHECK(promised == 500000);
    half.budget_us = 4500;
    CHECK_OK(set(t[1].sc_slot, half, &promised));
    CHECK_OK(set(t[1].sc_slot, shared(1024, cpu), &promised));
    static const struct sc_params wrong[] = {
        {.class = SC_SHARED, .weight = 1024},
        {.class = SC_SHARED, .weight = 1, .affinity = {1}},
        {.class = SC_SHARED, .weight = SC_WEIGHT_MAX + 1, .affinity = {1}},
        {.class = SC_SHARED, .weight = 1024, .priority = 1, .affinity = {1}},
        {.class = SC_SHARED, .weight = 1024, .flags = 1, .affinity = {1}},
        {.class = SC_SHARED, .weight = 1024, .budget_us = 99, .period_us = 1000, .affinity = {1}},
        {.class = SC_SHARED, .weight = 1024, .budget_us = 2000, .period_us = 1000, .affinity = {1}},
        {.class = SC_SHARED, .weight = 1024, .period_us = 1000, .affinity = {1}},
        {.class = SC_RESERVED, .affinity = {1}},
        {.class = SC_RESERVED, .budget_us = 1, .period_us = ~0ull, .affinity = {1}},
        {.class = SC_RESERVED, .weight = 2, .budget_us = 1000, .period_us = 2000, .affinity = {1}},
        {.class = SC_FIXED, .priority = 64, .affinity = {1}},
        {.class = SC_FIXED + 1, .affinity = {1}},
        {.class = SC_SHARED, .weight = 1024, .affinity = {0, 0, 0, 1ull << 63}},
    };
    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        CHECK(set(t[1].sc_slot, wrong[i], &promised) == ERR_ARG);
    finish(t, 2);
}

void test_affinity(void)
{
    struct user_thread t[1];
    uint64_t promised;
    struct sc_params params = shared(1024, 1ull << cpu_number(1));
    start(t, 1, &params);
    for (uint32_t i = 0; i < 50; i++) {
        uint32_t cpu = cpu_number(i);
        uint64_t before = info_of(t[0].sc_slot).used_tsc;
        CHECK_OK(set(t[0].sc_slot, shared(1024, 1ull << cpu), &promised));
        struct sc_info info = info_of(t[0].sc_slot);
        for (uint32_t k = 0; k < 500 && (info.cpu != cpu || info.used_tsc == before); k++) {
            sleep_ms(1);
            info = info_of(t[0].sc_slot);
        }
        CHECK(info.cpu == cpu && info.used_tsc != before && info.affinity[0] == 1ull << cpu);
    }
    CHECK(cpu_number(1) == 0 || info_of(t[0].sc_slot).migrations >= 49);
    finish(t, 1);
}

/* What a helper runs is its payer's debt; it is set once, before the context is bound. */
void test_payers(void)
{
    struct user_thread t[3];
    uint64_t used[3], promised, cpu = 1ull << cpu_number(1);
    uint32_t sc[3];
    stop = false;
    for (uint32_t i = 0; i < 3; i++) {
        sc[i] = slot_alloc();
        CHECK_OK(sys_sc_create(sc[i], SLOT_MACHINE, cpu_number(1), 1, 0, 0));
        CHECK_OK(set(sc[i], shared(i == 1 ? 256 : 1024, cpu), &promised));
    }
    CHECK_OK(sys_sc_payer(sc[0], sc[0], 1));
    CHECK_OK(sys_sc_payer(sc[1], sc[0], 0));
    CHECK(sys_sc_payer(sc[1], sc[0], 0) == ERR_EXISTS);
    CHECK(sys_sc_create(slot_alloc(), SLOT_SELF_PD, 0, 1, 0, 0) != OK);
    for (uint32_t i = 0; i < 3; i++)
        CHECK_OK(thread_spawn_on(&t[i], spin, NULL, sc[i]));
    CHECK(sys_sc_payer(sc[2], sc[2], 1) == ERR_STATE);
    uint64_t sum = 0, more[3];
    memset(used, 0, sizeof(used));
    for (uint32_t round = 0; round < PATIENCE && !(round && near(used[0] + used[1], sum / 2));
         round++) {
        sum += measure(t, 3, 1500, more);
        for (uint32_t i = 0; i < 3; i++)
            used[i] += more[i];
    }
    log_line("payer, helper, other: %lu%% %lu%% %lu%%", used[0] * 100 / sum, used[1] * 100 / sum,
             used[2] * 100 / sum);
    CHECK(near(used[0] + used[1], sum / 2) && used[1] > sum / 20);
    finish(t, 3);
}
