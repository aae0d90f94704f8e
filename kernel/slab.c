/* SPDX-License-Identifier: BSD-2-Clause */
/* Size classes of powers of two from 64 to 2048 bytes; a class is a list of free pieces of pages.
 * The first piece of each page counts the pieces in use, so that an empty page goes back to the
 * pool. */
#include "kernel/slab.h"

#include "arch/x86_64/klog.h"
#include "arch/x86_64/kmem.h"
#include "arch/x86_64/spinlock.h"
#include "lib/list.h"
#include "lib/string.h"

#define SMALLEST 64u
#define CLASSES  6u

struct slab_page {       /* in the page's first piece */
    struct list partial; /* pages of the class with a free piece */
    void *free;          /* first free piece, linked through their first word */
    uint32_t used, pieces;
};
_Static_assert(sizeof(struct slab_page) <= SMALLEST, "fits the smallest piece");

static spinlock_t slab_lock;
static struct list partial[CLASSES];

static uint32_t class_of(size_t size)
{
    uint32_t class = 0;
    while (((size_t)SMALLEST << class) < size)
        class ++;
    return class;
}

size_t slab_cost(size_t size)
{
    return (size_t)SMALLEST << class_of(size);
}

static struct slab_page *new_page(uint32_t class)
{
    struct slab_page *page = kmem_pages(0);
    if (!page)
        return NULL;
    size_t piece = (size_t)SMALLEST << class;
    for (size_t at = PAGE_SIZE - piece; at >= piece; at -= piece) {
        void *p = (char *)page + at;
        *(void **)p = page->free;
        page->free = p;
        page->pieces++;
    }
    list_add(&partial[class], &page->partial);
    return page;
}

void *slab_alloc(size_t size)
{
    uint32_t class = class_of(size);
    ASSERT(class < CLASSES);
    spin_lock(&slab_lock);
    if (!partial[class].next)
        list_init(&partial[class]);
    struct slab_page *page = list_empty(&partial[class])
                                 ? new_page(class)
                                 : list_first(&partial[class], struct slab_page, partial);
    void *p = NULL;
    if (page) {
        p = page->free;
        page->free = *(void **)p;
        page->used++;
        if (!page->free)
            list_del(&page->partial);
    }
    spin_unlock(&slab_lock);
    if (p)
        memset(p, 0, (size_t)SMALLEST << class);
    return p;
}

void slab_free(void *p, size_t size)
{
    uint32_t class = class_of(size);
    struct slab_page *page = (struct slab_page *)align_down((uint64_t)p, PAGE_SIZE);
    spin_lock(&slab_lock);
    bool was_full = !page->free;
    *(void **)p = page->free;
    page->free = p;
    page->used--;
    if (!page->used) {
        list_del(&page->partial);
        kmem_free_pages(page, 0);
    } else if (was_full) {
        list_add(&partial[class], &page->partial);
    }
    spin_unlock(&slab_lock);
}
