/* SPDX-License-Identifier: BSD-2-Clause */
/* How far the host's memory nodes are from each other. */
#ifndef MANAGER_HOST_NUMA_H
#define MANAGER_HOST_NUMA_H

#include <stdint.h>
#include "abi/kinfo.h"

#define NUMA_NO_NODE UINT32_MAX

void numa_init(const struct root_info *info);
/* As in SLIT: 10 is a node to itself, and without one all others are 20. Of NUMA_NO_NODE all are
 * equally far. */
uint32_t numa_distance(uint32_t from, uint32_t to);

#endif
