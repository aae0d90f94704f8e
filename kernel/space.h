/* SPDX-License-Identifier: BSD-2-Clause */
/* An address space: page tables plus the list of what is mapped. Used by domains (ring-3 addresses)
 * and guest spaces (guest-physical addresses). */
#ifndef KERNEL_SPACE_H
#define KERNEL_SPACE_H

#include "arch/x86_64/ptab.h"
#include "kernel/cap.h"

struct mapping {
    struct list by_cap;           /* in cap->mappings */
    struct mapping *left, *right; /* search tree of the space, by address (treap) */
    uint64_t heap_key;            /* treap priority */
    struct space *space;
    struct cap *cap; /* NULL: a page of the kernel's */
    uint64_t address, size;
    uint64_t offset; /* inside the memory object */
    uint32_t flags;  /* MAP_* */
};

enum space_kind { SPACE_PD, SPACE_GUEST, SPACE_DEVICE }; /* who must forget what was unmapped */

struct space {
    struct ptab ptab;
    struct mapping *root; /* under the object lock */
    uint32_t mappings;
    uint64_t limit; /* first address that cannot be mapped */
    enum space_kind kind;
    struct pd *payer;
};

struct mem { /* OBJ_MEM */
    struct obj obj;
    hpa_t base;
    uint64_t size;
    bool device;              /* MMIO: always mapped uncached or WC, never donated */
    struct mem *next_donated; /* what the kernel was given, for good */
};

/* root must be a zeroed kernel page; takes ownership. */
void space_init(struct space *space, const struct pt_format *format, uint64_t *root, uint64_t limit,
                enum space_kind kind, struct pd *payer);
/* Under the object lock. */
int64_t space_map(struct space *space, struct cap *mem_cap, uint64_t address, uint64_t offset,
                  uint64_t size, uint32_t flags);
int64_t space_unmap(struct space *space, uint64_t address, uint64_t size);
/* Maps what no memory object stands for, readable and writable: a kernel-owned page (UTCB, vCPU
 * page) for ring 3, memory that firmware reserved for a device. mem_unmap refuses to touch it. */
int64_t space_map_kernel(struct space *space, uint64_t address, hpa_t pa, uint64_t size);
void space_unmap_kernel(struct space *space, uint64_t address);
/* Removes all that was mapped through cap. */
void space_unmap_cap(struct cap *cap);
/* Everything that capabilities mapped, and kernel pages whose owners are gone. */
void space_unmap_all(struct space *space);
/* The same without a flush, for a guest space that no vCPU uses any more; then the tables and the
 * root. */
void space_destroy(struct space *space);
/* Host-physical address and MAP_* flags of one page; false: nothing there. Under the object lock.
 */
bool space_translate(struct space *space, uint64_t address, hpa_t *pa, uint32_t *flags);

/* Shoot-down: after it returns no CPU uses a translation of `space` that was removed before the
 * call. */
void space_flush(struct space *space);
/* Upward event, defined in virt/guest.c: the same for a guest space: every vCPU has left the guest
 * and will flush before it enters again; pages the kernel itself keeps of [address, address+size)
 * (PV EOI, steal time) are let go. */
void guest_flush(struct space *space, uint64_t address, uint64_t size);

#endif
