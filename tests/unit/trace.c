/* SPDX-License-Identifier: BSD-2-Clause */
/* The ring of scheduling events: order, overwriting, reading in parts. */
#include "test.h"
#include "tests/unit/fake/memory.h"
#include "sched/trace.c"

static struct trace_reply reply;

static void setup(void)
{
    fake_machine_init();
    for (uint32_t i = 0; i < cpu_count; i++) {
        if (rings[i].entry)
            kmem_free_pages(rings[i].entry, 3);
        rings[i] = (struct trace_ring){0};
    }
    trace_on = 0;
}

TEST(nothing_is_written_while_off)
{
    setup();
    trace(TRACE_RUN, 1, 0);
    trace_read(0, 0, &reply);
    CHECK(reply.count == 0 && reply.next == 0);
    CHECK(trace_switch(true));
    trace(TRACE_RUN, 1, 0);
    CHECK(trace_switch(false));
    trace(TRACE_RUN, 2, 0);
    trace_read(0, 0, &reply); /* what was written stays */
    CHECK(reply.count == 1 && reply.next == 1 && reply.entry[0].sc == 1);
}

TEST(events_come_in_order_and_in_parts)
{
    setup();
    CHECK(trace_switch(true));
    for (uint32_t i = 0; i < 600; i++) {
        fake_tsc = 1000 + i;
        trace(i % 2 ? TRACE_READY : TRACE_RUN, i, i % 4);
    }
    uint64_t position = 0;
    uint32_t seen = 0, calls = 0;
    do {
        trace_read(0, position, &reply);
        CHECK_EQ(reply.next, position + reply.count);
        for (uint64_t i = 0; i < reply.count; i++, seen++) {
            CHECK_EQ(reply.entry[i].sc, seen);
            CHECK_EQ(reply.entry[i].tsc, 1000 + seen);
            CHECK_EQ(reply.entry[i].event, seen % 2 ? TRACE_READY : TRACE_RUN);
            CHECK_EQ(reply.entry[i].cpu, seen % 4);
        }
        position = reply.next;
        calls++;
    } while (reply.count);
    CHECK_EQ(seen, 600);
    CHECK_EQ(calls, 4); /* 239 at most each, and the last one that brings nothing */
}

TEST(the_newest_are_kept)
{
    setup();
    CHECK(trace_switch(true));
    for (uint32_t i = 0; i < 3 * TRACE_ENTRIES + 7; i++)
        trace(TRACE_RUN, i, 0);
    trace_read(0, 5, &reply);
    CHECK_EQ(reply.entry[0].sc, 2 * TRACE_ENTRIES + 8);
    CHECK_EQ(reply.next, 2 * TRACE_ENTRIES + 8 + reply.count);
    trace_read(0, 3 * TRACE_ENTRIES + 7, &reply);
    CHECK_EQ(reply.count, 0);
    trace_read(0, UINT64_MAX, &reply); /* from the future: nothing */
    CHECK(reply.count == 0 && reply.next == 3 * TRACE_ENTRIES + 7);
}

TEST(no_such_cpu)
{
    setup();
    trace_read(TRACE_CPUS, 3, &reply);
    CHECK(reply.count == 0 && reply.next == 3);
    trace_read(UINT32_MAX, 0, &reply);
    CHECK_EQ(reply.count, 0);
}
