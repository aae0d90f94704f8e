/* SPDX-License-Identifier: BSD-2-Clause */
/* The verbs that show and change how guests share the host's CPUs. */
#ifndef CONSOLE_VERBS_TUNE_H
#define CONSOLE_VERBS_TUNE_H

#include "console/verbs.h"

void run_schedinfo(const struct command *command, struct text *text);
void run_vcpupin(const struct command *command, struct text *text);
void run_emulatorpin(const struct command *command, struct text *text);
/* The i-th word that schedinfo --set understands, up to its "="; NULL: no more. */
const char *schedinfo_candidate(uint32_t i);

#endif
