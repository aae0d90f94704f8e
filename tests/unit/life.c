/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake/program.h"
#include "fake/time.h"
#include "test.h"

void program_end(struct program *of)
{
    of->alive = false;
}

#include "manager/life.c"

static struct life it;

static void start(uint64_t answer_ns)
{
    it.program.alive = true;
    health = PROGRAM_RUNS;
    logged[0] = 0;
    life_began(&it, "it", NULL, answer_ns);
}

static uint64_t pause_after_death(void)
{
    health = PROGRAM_FAULTED;
    if (life_check(&it, now_tsc) != LIFE_ENDED)
        return UINT64_MAX;
    life_end(&it);
    return life_next(&it) - now_tsc;
}

TEST(one_that_lived_is_started_again_at_once)
{
    it = (struct life){0};
    start(0);
    now_tsc += STEADY_NS + 1;
    CHECK_EQ(life_check(&it, now_tsc), LIFE_GOES_ON);
    CHECK_EQ(pause_after_death(), 0);
    CHECK(life_is_due(&it, now_tsc));
    CHECK_EQ(it.restarts, 1);
}

TEST(the_pause_doubles_up_to_ten_seconds_and_a_steady_life_ends_that)
{
    it = (struct life){0};
    start(0);
    CHECK_EQ(pause_after_death(), 0); /* once may be chance */
    uint64_t wanted = RETRY_FIRST_NS;
    for (int i = 0; i < 14; i++) {
        start(0);
        CHECK_EQ(pause_after_death(), wanted);
        CHECK(!life_is_due(&it, now_tsc));
        CHECK(!life_is_due(&it, now_tsc + wanted - 1));
        CHECK(life_is_due(&it, now_tsc + wanted));
        wanted = wanted * 2 > RETRY_LAST_NS ? RETRY_LAST_NS : wanted * 2;
    }
    CHECK_EQ(wanted, RETRY_LAST_NS);
    start(0);
    now_tsc += STEADY_NS + 1;
    CHECK_EQ(pause_after_death(), 0);
    start(0);
    CHECK_EQ(pause_after_death(), RETRY_FIRST_NS);
}

TEST(one_that_cannot_be_started_is_tried_later)
{
    it = (struct life){0};
    logged[0] = 0;
    life_began(&it, "it", "no memory", 0);
    CHECK(strstr(logged, "it: not started: no memory"));
    CHECK_EQ(life_check(&it, now_tsc), LIFE_GOES_ON);
    CHECK_EQ(life_next(&it), now_tsc + RETRY_LAST_NS);
}

TEST(one_that_does_not_answer_hangs)
{
    it = (struct life){0};
    start(500);
    CHECK_EQ(life_next(&it), now_tsc + 500);
    CHECK_EQ(life_check(&it, now_tsc + 499), LIFE_GOES_ON);
    CHECK_EQ(life_check(&it, now_tsc + 500), LIFE_HANGS);
    life_tell(&it, "it", LIFE_HANGS);
    CHECK(strstr(logged, "it: does not answer; it is started again") && !strstr(logged, "fault"));
    life_end(&it);
    CHECK_EQ(it.answer_by, 0);
    start(0);
    CHECK_EQ(life_next(&it), 0);
    life_expect(&it, 100);
    life_expect(&it, 900); /* the first question stands */
    CHECK_EQ(life_next(&it), now_tsc + 100);
}

TEST(a_fault_is_told_with_its_registers)
{
    it = (struct life){0};
    start(0);
    health = PROGRAM_FAULTED;
    life_tell(&it, "it", life_check(&it, now_tsc));
    CHECK(strstr(logged, "it: fault\nit: ended; it is started again\n"));
}

TEST(it_is_asked_now_and_then)
{
    it = (struct life){0};
    start(100);
    CHECK(!life_asks(&it, now_tsc, 1000, 200)); /* an answer is awaited already */
    it.answer_by = 0;
    CHECK(life_asks(&it, now_tsc, 1000, 200));
    CHECK(it.answer_by && life_next(&it) == it.answer_by);
    it.answer_by = 0;
    CHECK(!life_asks(&it, now_tsc, 1000, 200) && life_next(&it) == it.ask_at);
    now_tsc = it.ask_at;
    CHECK(life_asks(&it, now_tsc, 1000, 200));
    now_tsc = it.answer_by;
    CHECK_EQ(life_check(&it, now_tsc), LIFE_HANGS);
    life_end(&it);
    CHECK(!life_asks(&it, now_tsc + 5000, 1000, 200)); /* who is dead */
}
