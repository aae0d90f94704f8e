/* SPDX-License-Identifier: BSD-2-Clause */
/* The verbs that show and change domains' network interfaces. */
#ifndef CONSOLE_VERBS_DOMIF_H
#define CONSOLE_VERBS_DOMIF_H

#include "console/verbs.h"

void run_domiflist(const struct command *command, struct text *text);
void run_domifstat(const struct command *command, struct text *text);
void run_domif_getlink(const struct command *command, struct text *text);
void run_domif_setlink(const struct command *command, struct text *text);

#endif
