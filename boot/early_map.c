/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include "boot/program.h"
#include "boot/layout.h"

#define LARGE     0x200000ull
#define LOW_END   0x100000000ull /* boot/entry.S maps so much one to one */
#define PTE_FLAGS 0x83ull        /* present, writable, 2 MiB */

extern uint64_t boot_pd_window[512];

/* Pages in use, from the bottom. */
static uint32_t window_used;

void *early_map(uint64_t pa, uint64_t size)
{
    if (size == 0 || pa + size < pa || pa + size > 1ull << 52)
        return NULL;
    if (pa + size <= LOW_END)
        return (void *)pa;
    uint64_t pages = ((pa & (LARGE - 1)) + size + LARGE - 1) / LARGE;
    if (pages > 512 - window_used)
        return NULL;
    uint64_t va = EARLY_WINDOW_VMA + window_used * LARGE + (pa & (LARGE - 1));
    for (uint64_t i = 0; i < pages; i++)
        boot_pd_window[window_used++] = ((pa & ~(LARGE - 1)) + i * LARGE) | PTE_FLAGS;
    return (void *)va;
}
