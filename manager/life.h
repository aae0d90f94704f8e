/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a program that may die at any instant and is started again: at once if it had lived
 * for a while, else after a pause that doubles, up to ten seconds. */
#ifndef MANAGER_LIFE_H
#define MANAGER_LIFE_H

#include <stdbool.h>
#include <stdint.h>
#include "manager/spawn.h"

struct life {
    struct program program;
    uint64_t started_ns, retry_at, retry_ns;
    uint64_t answer_by; /* TSC until which it must have called; 0: nothing is expected */
    uint64_t ask_at;    /* TSC from which on life_asks(); 0: at once, if somebody asks that */
    uint32_t restarts;
};

/* An attempt to start it is over; why: NULL, or why it failed, which is logged by `name`. After so
 * many nanoseconds it must have called; 0: some time. */
void life_began(struct life *life, const char *name, const char *why, uint64_t answer_ns);
/* Something was asked of it, and it must call within so many nanoseconds. */
void life_expect(struct life *life, uint64_t answer_ns);
/* It is to be asked whether it still answers, as every so many nanoseconds: then it is expected to.
 */
bool life_asks(struct life *life, uint64_t now, uint64_t every_ns, uint64_t answer_ns);
enum life_state { LIFE_GOES_ON, LIFE_ENDED, LIFE_HANGS };
/* Of one that is alive, at the TSC `now`: whether it has ended or hangs. */
enum life_state life_check(const struct life *life, uint64_t now);
/* Logs that it ended or hangs and is started again; a fault with the registers. */
void life_tell(const struct life *life, const char *name, enum life_state state);
/* Takes it out of the world. */
void life_end(struct life *life);
/* It is dead, and the pause is over. */
bool life_is_due(const struct life *life, uint64_t now);
/* TSC at which to look again; 0: when its notification comes. */
uint64_t life_next(const struct life *life);

#endif
