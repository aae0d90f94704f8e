/* SPDX-License-Identifier: BSD-2-Clause */
/* A log that the test reads. */
#ifndef TESTS_UNIT_FAKE_LOG_H
#define TESTS_UNIT_FAKE_LOG_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "user/program.h"

static char logged[65536];

/* As the log has it: a line ends where it ends. */
void log_line(const char *format, ...)
{
    va_list args;
    size_t used = strlen(logged);
    va_start(args, format);
    vsnprintf(logged + used, sizeof(logged) - used, format, args);
    va_end(args);
    strncat(logged, "\n", sizeof(logged) - strlen(logged) - 1);
}

#endif
