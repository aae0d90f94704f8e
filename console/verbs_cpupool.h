/* SPDX-License-Identifier: BSD-2-Clause */
/* cpupool-list and what changes CPU pools: virsh has no such verbs, so they are named as in xl. */
#ifndef CONSOLE_VERBS_CPUPOOL_H
#define CONSOLE_VERBS_CPUPOOL_H

#include "console/verbs.h"

void run_cpupool_list(const struct command *c, struct text *text);
void run_cpupool_create(const struct command *c, struct text *text);
void run_cpupool_destroy(const struct command *c, struct text *text);
void run_cpupool_cpu_add(const struct command *c, struct text *text);
void run_cpupool_cpu_remove(const struct command *c, struct text *text);
void run_cpupool_migrate(const struct command *c, struct text *text);

#endif
