/* SPDX-License-Identifier: BSD-2-Clause */
/* The verbs that show networks and their ports. */
#ifndef CONSOLE_VERBS_NETWORK_H
#define CONSOLE_VERBS_NETWORK_H

#include "console/verbs.h"

void run_net_list(const struct command *command, struct text *text);
void run_net_info(const struct command *command, struct text *text);

#endif
