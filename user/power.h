/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's power-off and reset by its ACPI tables, for the root task. */
#ifndef USER_POWER_H
#define USER_POWER_H

#include "abi/kinfo.h"

/* Reads the tables; before the root task uses ROOT_MEM_RECLAIM memory for something else. What is
 * missing is logged when it is wanted. */
void power_init(const struct root_info *info);
/* Returns when the machine cannot, or will not, do it. */
void power_off(void);
/* By the tables' register if there is one, then as the kernel can. */
void power_reset(uint32_t machine);

#endif
