/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/heap.h"
#include "user/program.h"
#include <errno.h>
#include <stdint.h>

#define HEAP_PAGE 4096u

static struct mutex heap_mutex;
static uintptr_t heap_low;  /* (h) end of what malloc() has taken */
static uintptr_t heap_base; /* constant after heap_init() */
static uintptr_t heap_high; /* (h) start of what heap_take_pages() has given away */
/* (h) heap_mutex */

void heap_init(void *base, size_t size)
{
    heap_base = heap_low = (uintptr_t)base;
    heap_high = (uintptr_t)base + size;
}

void *heap_take_pages(size_t size)
{
    void *pages = NULL;
    mutex_lock(&heap_mutex);
    if (size && size % HEAP_PAGE == 0 && size <= heap_high - heap_low) {
        heap_high -= size;
        pages = (void *)heap_high;
    }
    mutex_unlock(&heap_mutex);
    return pages;
}

size_t heap_untouched(void)
{
    mutex_lock(&heap_mutex);
    size_t bytes = heap_high - heap_low;
    mutex_unlock(&heap_mutex);
    return bytes;
}

/* picolibc's malloc() grows through this, under its own lock. */
void *sbrk(ptrdiff_t increment);
void *sbrk(ptrdiff_t increment)
{
    void *old = (void *)-1;
    mutex_lock(&heap_mutex);
    ptrdiff_t room = (ptrdiff_t)(heap_high - heap_low);
    ptrdiff_t used = (ptrdiff_t)(heap_low - heap_base);
    if (increment <= room && increment >= -used) {
        old = (void *)heap_low;
        heap_low += (uintptr_t)increment;
    } else {
        errno = ENOMEM;
    }
    mutex_unlock(&heap_mutex);
    return old;
}
