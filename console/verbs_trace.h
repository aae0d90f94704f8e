/* SPDX-License-Identifier: BSD-2-Clause */
/* The verb for the kernel's trace of scheduling events. */
#ifndef CONSOLE_VERBS_TRACE_H
#define CONSOLE_VERBS_TRACE_H

#include "console/verbs.h"

void run_trace(const struct command *command, struct text *text);
/* The i-th word behind the verb; NULL: no more. */
const char *trace_candidate(uint32_t i);

#endif
