/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory map that a boot protocol tells the guest. */
#ifndef VMM_E820_H
#define VMM_E820_H

#include <stdint.h>
#include "vmm/guest_mem.h"

#define E820_RAM      1u
#define E820_RESERVED 2u
#define E820_MAX      8u

struct e820_entry {
    uint64_t base, size;
    uint32_t type;
} __attribute__((packed));

#define E820_LOW_END 0x9fc00u /* conventional memory; a PC has its EBDA above */

/* Entries in ascending order; how many. */
uint32_t e820_build(const struct guest_mem *mem, struct e820_entry entry[E820_MAX]);

#endif
