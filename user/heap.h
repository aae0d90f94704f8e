/* SPDX-License-Identifier: BSD-2-Clause */
/* The arena below malloc(). crt0 sets it up from SLOT_HEAP; the root task calls heap_init() itself.
 */
#ifndef USER_HEAP_H
#define USER_HEAP_H

#include <stddef.h>

/* Hands [base, base + size) to malloc(). Once, before the first allocation; page aligned. */
void heap_init(void *base, size_t size);
/* size bytes (a multiple of 4096) from the top of the arena, for good; NULL if there is no room.
 * Page aligned, not zeroed. */
void *heap_take_pages(size_t size);
/* Bytes that neither malloc() nor heap_take_pages() have touched yet. */
size_t heap_untouched(void);

#endif
