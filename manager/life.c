/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/life.h"

#include "abi/thread.h"
#include "user/program.h"

#define RETRY_FIRST_NS 10000000ull
#define RETRY_LAST_NS  10000000000ull
#define STEADY_NS      1000000000ull

static uint64_t from_now(uint64_t ns)
{
    return time_tsc() + time_ns_to_tsc(ns);
}

void life_began(struct life *life, const char *name, const char *why, uint64_t answer_ns)
{
    life->started_ns = time_ns();
    life->answer_by = !why && answer_ns ? from_now(answer_ns) : 0;
    if (!why)
        return;
    log_line("%s: not started: %s", name, why);
    life->retry_at = from_now(RETRY_LAST_NS);
}

void life_expect(struct life *life, uint64_t answer_ns)
{
    if (!life->answer_by)
        life->answer_by = from_now(answer_ns);
}

bool life_asks(struct life *life, uint64_t now, uint64_t every_ns, uint64_t answer_ns)
{
    if (!life->program.alive || life->answer_by || now < life->ask_at)
        return false;
    life->ask_at = from_now(every_ns);
    life_expect(life, answer_ns);
    return true;
}

enum life_state life_check(const struct life *life, uint64_t now)
{
    struct thread_info info;
    if (!life->program.alive)
        return LIFE_GOES_ON;
    if (program_check(&life->program, &info) != PROGRAM_RUNS)
        return LIFE_ENDED;
    return life->answer_by && now >= life->answer_by ? LIFE_HANGS : LIFE_GOES_ON;
}

void life_tell(const struct life *life, const char *name, enum life_state state)
{
    struct thread_info info;
    if (program_check(&life->program, &info) == PROGRAM_FAULTED)
        program_report_fault(name, &info);
    const char *what = state == LIFE_HANGS ? "does not answer" : "ended";
    log_line("%s: %s; it is started again", name, what);
}

void life_end(struct life *life)
{
    program_end(&life->program);
    bool steady = time_ns() - life->started_ns > STEADY_NS;
    life->retry_at = from_now(steady ? 0 : life->retry_ns);
    life->retry_ns = steady || !life->retry_ns ? RETRY_FIRST_NS : life->retry_ns * 2;
    if (life->retry_ns > RETRY_LAST_NS)
        life->retry_ns = RETRY_LAST_NS;
    life->answer_by = 0;
    life->restarts++;
}

bool life_is_due(const struct life *life, uint64_t now)
{
    return !life->program.alive && now >= life->retry_at;
}

uint64_t life_next(const struct life *life)
{
    if (!life->program.alive)
        return life->retry_at;
    return life->answer_by ? life->answer_by : life->ask_at;
}
