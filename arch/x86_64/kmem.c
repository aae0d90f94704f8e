/* SPDX-License-Identifier: BSD-2-Clause */
/* Buddy allocator over 2 MiB chunks. The first page of a chunk holds the state of its pages, so a
 * chunk describes itself and any number of them can be added. */
#include "arch/x86_64/kmem.h"

#include "arch/x86_64/klog.h"
#include "arch/x86_64/spinlock.h"
#include "lib/list.h"
#include "lib/string.h"

#define CHUNK_SIZE  (2 * MIB)
#define CHUNK_PAGES 512u
#define MAX_ORDER   8u

/* Per page: order of the block that starts here, plus one of these. */
#define PAGE_FREE 0x40u
#define PAGE_USED 0x80u

static spinlock_t kmem_lock;
static struct list free_blocks[MAX_ORDER + 1];
static bool ready;
static uint64_t total_bytes, free_bytes;

static uint8_t *states(void *block)
{
    return (uint8_t *)align_down((uint64_t)block, CHUNK_SIZE);
}

static uint32_t page_index(void *block)
{
    return (uint32_t)(((uint64_t)block & (CHUNK_SIZE - 1)) >> PAGE_SHIFT);
}

static void put_free(void *block, uint32_t order)
{
    states(block)[page_index(block)] = (uint8_t)(PAGE_FREE | order);
    list_add(&free_blocks[order], block);
}

static void init_once(void)
{
    if (ready)
        return;
    for (uint32_t i = 0; i <= MAX_ORDER; i++)
        list_init(&free_blocks[i]);
    ready = true;
}

/* The chunk is mapped already; used by kmem_add and by kpaging_init for the first one. */
void kmem_add_mapped(void *chunk);
void kmem_add_mapped(void *chunk)
{
    spin_lock(&kmem_lock);
    init_once();
    memset(chunk, 0, PAGE_SIZE);
    states(chunk)[0] = PAGE_USED;
    /* Pages 1, 2-3, 4-7, ... 256-511 are blocks of rising order. */
    for (uint32_t order = 0; order <= MAX_ORDER; order++)
        put_free((char *)chunk + (PAGE_SIZE << order), order);
    total_bytes += CHUNK_SIZE;
    free_bytes += CHUNK_SIZE - PAGE_SIZE;
    spin_unlock(&kmem_lock);
}

static void *take(uint32_t order)
{
    uint32_t o = order;
    while (o <= MAX_ORDER && list_empty(&free_blocks[o]))
        o++;
    if (o > MAX_ORDER)
        return NULL;
    struct list *block = free_blocks[o].next;
    list_del(block);
    while (o > order) {
        o--;
        put_free((char *)block + (PAGE_SIZE << o), o);
    }
    states(block)[page_index(block)] = (uint8_t)(PAGE_USED | order);
    free_bytes -= PAGE_SIZE << order;
    return block;
}

void *kmem_pages(uint32_t order)
{
    spin_lock(&kmem_lock);
    void *block = order <= MAX_ORDER && ready ? take(order) : NULL;
    spin_unlock(&kmem_lock);
    if (block)
        memset(block, 0, PAGE_SIZE << order);
    return block;
}

void kmem_free_pages(void *pages, uint32_t order)
{
    spin_lock(&kmem_lock);
    uint8_t *state = states(pages);
    uint32_t index = page_index(pages);
    ASSERT(state[index] == (PAGE_USED | order));
    state[index] = 0;
    free_bytes += PAGE_SIZE << order;
    while (order < MAX_ORDER) {
        uint32_t buddy = index ^ (1u << order);
        if (state[buddy] != (PAGE_FREE | order))
            break;
        list_del((struct list *)((char *)state + buddy * PAGE_SIZE));
        state[buddy] = 0;
        index &= ~(1u << order);
        order++;
    }
    put_free((char *)state + index * PAGE_SIZE, order);
    spin_unlock(&kmem_lock);
}

uint64_t kmem_total(void)
{
    return total_bytes;
}

uint64_t kmem_available(void)
{
    return free_bytes;
}
