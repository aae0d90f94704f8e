/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include "boot/bootinfo.h"
#include "boot/layout.h"

#define LARGE     0x200000ull
#define LOW_END   0x100000000ull /* boot/entry.S maps so much one to one */
#define PTE_FLAGS 0x83ull        /* present, writable, 2 MiB */

extern uint64_t boot_pd_window[512];

/* Pages in use, from the bottom. */
static uint32_t window_used;

static void *window_address(uint32_t page, uint64_t pa)
{
    return (void *)(EARLY_WINDOW_VMA + page * LARGE + (pa & (LARGE - 1)));
}

/* The same memory is often asked for in pieces: a run of pages that is mapped already serves again.
 */
static void *window_find(uint64_t pa, uint64_t pages)
{
    uint64_t first = pa & ~(LARGE - 1), run = 0;
    for (uint32_t i = 0; i < window_used; i++) {
        if (boot_pd_window[i] == ((first + run * LARGE) | PTE_FLAGS))
            run++;
        else
            run = boot_pd_window[i] == (first | PTE_FLAGS);
        if (run == pages)
            return window_address(i + 1 - (uint32_t)pages, pa);
    }
    return NULL;
}

void *early_map(uint64_t pa, uint64_t size)
{
    if (size == 0 || pa + size < pa || pa + size > 1ull << 52)
        return NULL;
    if (pa + size <= LOW_END)
        return (void *)pa;
    uint64_t pages = ((pa & (LARGE - 1)) + size + LARGE - 1) / LARGE;
    void *found = window_find(pa, pages);
    if (found)
        return found;
    if (pages > 512 - window_used)
        return NULL;
    uint32_t page = window_used;
    for (uint64_t i = 0; i < pages; i++)
        boot_pd_window[window_used++] = ((pa & ~(LARGE - 1)) + i * LARGE) | PTE_FLAGS;
    return window_address(page, pa);
}
