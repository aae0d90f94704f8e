/* SPDX-License-Identifier: BSD-2-Clause */
/* mem_map() flags. */
#ifndef ABI_MAP_H
#define ABI_MAP_H

#define MAP_READ     0x1u
#define MAP_WRITE    0x2u
#define MAP_EXEC     0x4u
#define MAP_UNCACHED 0x8u
#define MAP_WC       0x10u

#endif
