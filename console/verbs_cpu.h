/* SPDX-License-Identifier: BSD-2-Clause */
/* nodecpumap, cpu-offline, cpu-online: the host's CPUs. */
#ifndef CONSOLE_VERBS_CPU_H
#define CONSOLE_VERBS_CPU_H

#include "console/verbs.h"

void run_nodecpumap(const struct command *c, struct text *text);
void run_cpu_offline(const struct command *c, struct text *text);
void run_cpu_online(const struct command *c, struct text *text);

#endif
