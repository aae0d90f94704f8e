/* SPDX-License-Identifier: BSD-2-Clause */
/* domdirtyrate-calc: how much memory a domain writes. */
#ifndef CONSOLE_VERBS_DIRTY_H
#define CONSOLE_VERBS_DIRTY_H

#include "console/verbs.h"

void run_domdirtyrate_calc(const struct command *c, struct text *text);

#endif
