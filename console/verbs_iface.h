/* SPDX-License-Identifier: BSD-2-Clause */
/* The verb for the host's network interfaces. */
#ifndef CONSOLE_VERBS_IFACE_H
#define CONSOLE_VERBS_IFACE_H

#include "console/verbs.h"

void run_iface_list(const struct command *command, struct text *text);

#endif
