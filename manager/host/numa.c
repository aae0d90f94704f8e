/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/host/numa.h"

#include <stddef.h>

/* ACPI specification, "System Locality Information Table". */
#define LOCAL       10u
#define REMOTE      20u
#define UNREACHABLE 255u

static const struct root_info *root;

void numa_init(const struct root_info *info)
{
    root = info;
}

uint32_t numa_distance(uint32_t from, uint32_t to)
{
    uint32_t distance = 0;
    if (from == NUMA_NO_NODE || from == to)
        return LOCAL;
    if (root && from < ROOT_NODES && to < ROOT_NODES)
        distance = root->distance[from][to];
    /* Firmware that calls another node local says nothing. */
    return distance > LOCAL && distance < UNREACHABLE ? distance : REMOTE;
}
