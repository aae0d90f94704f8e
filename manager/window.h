/* SPDX-License-Identifier: BSD-2-Clause */
/* The manager sees memory that it hands out only here, and only while it fills it. */
#ifndef MANAGER_WINDOW_H
#define MANAGER_WINDOW_H

#include <stdint.h>
#include "manager/host/physmem.h"

/* Where the manager maps what it keeps. */
#define MANAGER_PACKAGE_VA 0x0000300000000000ull /* the boot package, read-only */
#define MANAGER_WINDOW_VA  0x0000400000000000ull /* one block at a time */
#define MANAGER_STATS_VA   0x0000500000000000ull /* a VMM's statistics, while they are read */
#define MANAGER_CONFIG_VA  0x0000510000000000ull /* PCI configuration space, at most 256 MiB */
#define MANAGER_SWITCH_VA  0x0000530000000000ull /* what the switch says of itself */
#define MANAGER_DISKS_VA   0x0000520000000000ull /* what disk drivers share with the manager */
#define MANAGER_IP_VA      0x0000560000000000ull /* what the host's IP stack says of itself */
#define MANAGER_NICS_VA    0x0000540000000000ull /* what NICs' drivers share with the manager */
#define MANAGER_CAPTURE_VA 0x0000570000000000ull /* frames that the console asked for */
#define MANAGER_MSIX_VA    0x0000550000000000ull /* tables of message-signalled interrupts */

/* Maps a whole block, writable; one at a time. NULL if the kernel refuses. */
void *window_open(const struct mem_block *block);
void window_close(const struct mem_block *block);
/* Status of the mapping. */
int64_t window_zero(const struct mem_block *block);

#endif
