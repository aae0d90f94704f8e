/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's own memory: 2 MiB chunks of RAM taken at boot or donated later. A page that the
 * kernel owns is mapped at a fixed offset from its physical address; nothing else is mapped there,
 * so the translation is one addition and guest memory has no address in ring 0. */
#ifndef ARCH_KMEM_H
#define ARCH_KMEM_H

#include "lib/types.h"

/* A kernel-owned page lies at PHYS_WINDOW + its physical address; devices that the kernel itself
 * drives, and stacks with their guard pages, from MMIO_WINDOW on. */
#define PHYS_WINDOW 0xffff800000000000ull
#define MMIO_WINDOW 0xffffc00000000000ull

static inline void *hpa_to_kva(hpa_t pa)
{
    return (void *)(PHYS_WINDOW + pa.v);
}
static inline hpa_t kva_to_hpa(const void *kva)
{
    return hpa((uint64_t)kva - PHYS_WINDOW);
}

static inline uint32_t kmem_order(uint64_t bytes)
{
    return bytes <= PAGE_SIZE ? 0 : 64u - (uint32_t)__builtin_clzll(bytes - 1) - PAGE_SHIFT;
}

/* 2^order zeroed, naturally aligned pages; NULL when there are none. order <= 9. */
void *kmem_pages(uint32_t order);
void kmem_free_pages(void *pages, uint32_t order);
/* Adds a physically contiguous, 2 MiB aligned chunk to the pool; maps it. */
bool kmem_add(hpa_t base, uint64_t size);
uint64_t kmem_total(void);
uint64_t kmem_available(void);

/* Maps device registers for the kernel's own use, uncached, for good; before kpaging_init, until
 * then. NULL: no memory. */
volatile void *kmap_mmio(hpa_t pa, uint64_t size);
/* Maps one page of memory that the kernel does not own (a page handed over by a guest) at its place
 * in the window; false if out of memory. */
bool kmap_foreign(hpa_t pa);
void kunmap_foreign(hpa_t pa);
/* A stack of KSTACK_SIZE with a guard page below, its top word pointing to cpu; returns the initial
 * RSP, 0: no memory. */
uint64_t kstack_create(void *cpu);

#endif
