/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs whose health the test tells. */
#ifndef TESTS_UNIT_FAKE_PROGRAM_H
#define TESTS_UNIT_FAKE_PROGRAM_H

#include "manager/spawn.h"
#include "tests/unit/fake/log.h"

static enum program_health health = PROGRAM_RUNS;

enum program_health program_check(const struct program *of, struct thread_info *info)
{
    (void)of;
    memset(info, 0, sizeof(*info));
    return health;
}

void program_report_fault(const char *name, const struct thread_info *info)
{
    (void)info;
    log_line("%s: fault", name);
}

#endif
