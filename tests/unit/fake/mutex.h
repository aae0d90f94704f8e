/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of one thread: whoever would sleep on a mutex has locked it twice. */
#ifndef FAKE_MUTEX_H
#define FAKE_MUTEX_H

#include <stdlib.h>
#include "user/program.h"

void mutex_sleep(struct mutex *mutex)
{
    (void)mutex;
    abort();
}

void mutex_wake(struct mutex *mutex)
{
    (void)mutex;
    abort();
}

#endif
