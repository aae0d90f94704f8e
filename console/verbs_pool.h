/* SPDX-License-Identifier: BSD-2-Clause */
/* The verbs for volume pools. */
#ifndef CONSOLE_VERBS_POOL_H
#define CONSOLE_VERBS_POOL_H

#include "console/verbs.h"

void run_pool_list(const struct command *command, struct text *text);
void run_pool_grow(const struct command *command, struct text *text);
void run_vol_list(const struct command *command, struct text *text);
void run_vol_create(const struct command *command, struct text *text);
void run_vol_clone(const struct command *command, struct text *text);
void run_vol_delete(const struct command *command, struct text *text);
void run_vol_resize(const struct command *command, struct text *text);
void run_snapshot_create(const struct command *command, struct text *text);
void run_snapshot_revert(const struct command *command, struct text *text);
void run_snapshot_list(const struct command *command, struct text *text);
void run_snapshot_delete(const struct command *command, struct text *text);

#endif
