/* SPDX-License-Identifier: BSD-2-Clause */
/* What the manager reads at any time. */
#ifndef DRIVERS_POOL_REPORT_H
#define DRIVERS_POOL_REPORT_H

#include "drivers/pool/pool.h"

/* pool: NULL while there is none. */
void report_write(struct pool_status *status, struct pool *pool, enum pool_state state);

#endif
