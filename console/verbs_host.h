/* SPDX-License-Identifier: BSD-2-Clause */
/* The verbs for the host's own network. */
#ifndef CONSOLE_VERBS_HOST_H
#define CONSOLE_VERBS_HOST_H

#include "console/verbs.h"

void run_ping(const struct command *command, struct text *text);
void run_host_addresses(const struct command *command, struct text *text);

#endif
