/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONSOLE_VERBS_CAPTURE_H
#define CONSOLE_VERBS_CAPTURE_H

#include "console/verbs.h"

void run_net_capture(const struct command *c, struct text *text);

#endif
