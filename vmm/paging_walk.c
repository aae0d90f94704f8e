/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/paging_walk.h"

#include "vmm/x86.h"

#define PTE_P  (1ull << 0)
#define PTE_RW (1ull << 1)
#define PTE_US (1ull << 2)
#define PTE_A  (1ull << 5)
#define PTE_D  (1ull << 6)
#define PTE_PS (1ull << 7)
#define PTE_NX (1ull << 63)

#define PTE_ADDR 0x000ffffffffff000ull

struct walk {
    const struct guest_mem *mem;
    const struct paging *paging;
    uint64_t linear;
    uint32_t access;
    uint32_t entry_bytes; /* 4 or 8 */
    uint32_t levels;
    uint64_t allowed; /* PTE_RW, PTE_US, ANDed over the levels */
    uint64_t nx;      /* PTE_NX, ORed over the levels */
};

static uint32_t walk_error(const struct walk *walk, uint32_t bits)
{
    const struct paging *paging = walk->paging;
    uint32_t error = bits;
    if (walk->access & WALK_WRITE)
        error |= PF_WRITE;
    if (walk->access & WALK_USER)
        error |= PF_USER;
    if ((walk->access & WALK_FETCH) && ((paging->efer & EFER_NXE) || (paging->cr4 & CR4_SMEP)))
        error |= PF_FETCH;
    return error;
}

static uint64_t entry_load(const struct walk *walk, uint64_t gpa)
{
    /* A table outside RAM reads as not present. */
    if (walk->entry_bytes == 8) {
        uint64_t *entry = guest_mem_ptr(walk->mem, gpa, 8);
        return entry ? __atomic_load_n(entry, __ATOMIC_RELAXED) : 0;
    }
    uint32_t *entry = guest_mem_ptr(walk->mem, gpa, 4);
    return entry ? __atomic_load_n(entry, __ATOMIC_RELAXED) : 0;
}

static void entry_mark(const struct walk *walk, uint64_t gpa, uint64_t entry, uint64_t bits)
{
    if ((entry & bits) == bits || (walk->access & WALK_PEEK))
        return;
    uint8_t *low = guest_mem_writable(walk->mem, gpa, 1);
    if (low) /* A and D are in the lowest byte; other bits are the guest's other CPUs' to change */
        __atomic_fetch_or(low, (uint8_t)bits, __ATOMIC_RELAXED);
}

/* Bits that must be 0 in an entry of this level (0: the page table). */
static uint64_t entry_reserved(const struct walk *walk, uint32_t level, uint64_t entry)
{
    const struct paging *paging = walk->paging;
    bool large = level > 0 && (entry & PTE_PS);
    if (walk->entry_bytes == 4)
        return large && level == 1 ? 1ull << 21 : 0;
    uint64_t reserved = PTE_ADDR & ~((1ull << paging->phys_bits) - 1);
    if (!(paging->efer & EFER_NXE))
        reserved |= PTE_NX;
    if (!(paging->efer & EFER_LMA))
        reserved |= level == 2 ? 0xfff00000000001e6ull : 0x7ff0000000000000ull;
    if (walk->levels > 3 && level >= 3)
        reserved |= PTE_PS;
    if (large && (level == 1 || level == 2))
        reserved |= ((1ull << (12 + 9 * level)) - 1) & ~0x1fffull;
    return reserved;
}

static bool permitted(const struct walk *walk)
{
    const struct paging *paging = walk->paging;
    uint32_t access = walk->access;
    if (access & WALK_PEEK)
        return true;
    if ((access & WALK_FETCH) && walk->nx)
        return false;
    bool user_page = walk->allowed & PTE_US;
    if (access & WALK_USER)
        return user_page && (!(access & WALK_WRITE) || (walk->allowed & PTE_RW));
    if (user_page && (access & WALK_FETCH) && (paging->cr4 & CR4_SMEP))
        return false;
    bool smap = (paging->cr4 & CR4_SMAP) && user_page && !(access & WALK_FETCH);
    if (smap && ((access & WALK_IMPLICIT) || !(paging->rflags & RFLAGS_AC)))
        return false;
    return !(access & WALK_WRITE) || (walk->allowed & PTE_RW) || !(paging->cr0 & CR0_WP);
}

static uint64_t large_base(const struct walk *walk, uint32_t level, uint64_t entry)
{
    if (walk->entry_bytes == 4) /* PSE-36: bits 20:13 are address bits 39:32 */
        return (entry & 0xffc00000ull) | ((entry & 0x001fe000ull) << 19);
    return entry & PTE_ADDR & ~((1ull << (12 + 9 * level)) - 1);
}

static void walk_start(struct walk *walk, uint64_t *table)
{
    const struct paging *paging = walk->paging;
    walk->allowed = PTE_RW | PTE_US;
    walk->entry_bytes = paging->cr4 & CR4_PAE ? 8 : 4;
    walk->levels = 2;
    *table = paging->cr3 & 0xfffff000ull;
    if (paging->efer & EFER_LMA) {
        walk->levels = paging->cr4 & CR4_LA57 ? 5 : 4;
        *table = paging->cr3 & PTE_ADDR;
    } else if (paging->cr4 & CR4_PAE) {
        walk->levels = 3;
        *table = paging->cr3 & 0xffffffe0ull;
    }
}

static inline void keep(struct walk_trail *trail, uint32_t level, const uint64_t *at,
                        uint64_t entry)
{
    for (uint32_t i = level; i < 4; i++) {
        trail->at[i] = at;
        trail->entry[i] = entry;
    }
}

/* The usual case, in a tenth of the instructions: four levels, every entry present and accessed, no
 * fault of any kind. Whatever else it meets, it leaves to the full walk (false). */
static inline __attribute__((always_inline)) bool walk_long_mode(const struct guest_mem *mem,
                                                                 const struct paging *paging,
                                                                 uint64_t linear, uint32_t access,
                                                                 uint64_t *gpa,
                                                                 struct walk_trail *trail)
{
    uint64_t table = paging->cr3 & PTE_ADDR, all = ~0ull, any = 0, entry;
    uint64_t need =
        PTE_P | PTE_A | (access & WALK_WRITE ? PTE_RW : 0) | (access & WALK_USER ? PTE_US : 0);
    uint32_t shift = 48, level = 0;
    do {
        shift -= 9;
        const uint64_t *at = guest_mem_ptr(mem, table + ((linear >> shift & 511) << 3), 8);
        if (!at)
            return false;
        entry = __atomic_load_n(at, __ATOMIC_RELAXED);
        if (trail)
            keep(trail, level++, at, entry);
        all &= entry;
        any |= entry;
        table = entry & PTE_ADDR;
        if ((entry & need) != need)
            return false;
    } while (shift > 12 && !(entry & PTE_PS));
    uint64_t offset = (1ull << shift) - 1;
    uint64_t never = (PTE_ADDR & ~((1ull << paging->phys_bits) - 1)) | PTE_NX;
    if (!(access & WALK_FETCH) && (paging->efer & EFER_NXE))
        never &= ~PTE_NX;
    bool checked = !(access & WALK_USER) && (all & PTE_US) && (paging->cr4 & (CR4_SMAP | CR4_SMEP));
    bool clean = (access & WALK_WRITE) && !(entry & PTE_D);
    if ((any & never) || checked || clean || shift == 39 || (table & offset & ~0x1fffull))
        return false;
    *gpa = (table & ~offset) | (linear & offset);
    return true;
}

static bool four_levels(const struct paging *paging)
{
    return (paging->efer & EFER_LMA) && !(paging->cr4 & CR4_LA57);
}

bool paging_trail(const struct guest_mem *mem, const struct paging *paging, uint64_t linear,
                  uint32_t access, uint64_t *gpa, struct walk_trail *trail)
{
    trail->cr0 = paging->cr0;
    trail->cr3 = paging->cr3;
    trail->cr4 = paging->cr4;
    trail->efer = paging->efer;
    return four_levels(paging) && walk_long_mode(mem, paging, linear, access, gpa, trail);
}

bool paging_walk(const struct guest_mem *mem, const struct paging *paging, uint64_t linear,
                 uint32_t access, uint64_t *gpa, uint32_t *error)
{
    if (!(paging->cr0 & CR0_PG)) {
        *gpa = linear;
        return true;
    }
    if (four_levels(paging) && !(access & WALK_PEEK) &&
        walk_long_mode(mem, paging, linear, access, gpa, NULL))
        return true;
    struct walk walk = {.mem = mem, .paging = paging, .linear = linear, .access = access};
    uint64_t table;
    walk_start(&walk, &table);
    uint32_t index_bits = walk.entry_bytes == 8 ? 9 : 10;
    for (uint32_t level = walk.levels - 1;; level--) {
        uint32_t shift = 12 + index_bits * level;
        uint64_t index = (linear >> shift) & ((1ull << index_bits) - 1);
        uint64_t at = table + index * walk.entry_bytes;
        uint64_t entry = entry_load(&walk, at);
        if (!(entry & PTE_P)) {
            *error = walk_error(&walk, 0);
            return false;
        }
        bool pae_pointer = walk.levels == 3 && level == 2; /* has no permission or A bits */
        bool can_be_large = walk.entry_bytes == 8 || (paging->cr4 & CR4_PSE);
        bool leaf = level == 0 || (!pae_pointer && can_be_large && (entry & PTE_PS));
        if ((leaf || walk.entry_bytes == 8) && (entry & entry_reserved(&walk, level, entry))) {
            *error = walk_error(&walk, PF_PRESENT | PF_RSVD);
            return false;
        }
        if (!pae_pointer)
            walk.allowed &= entry;
        walk.nx |= entry & PTE_NX;
        if (leaf) {
            if (!permitted(&walk)) {
                *error = walk_error(&walk, PF_PRESENT);
                return false;
            }
            entry_mark(&walk, at, entry, PTE_A | (access & WALK_WRITE ? PTE_D : 0));
            uint64_t base = level ? large_base(&walk, level, entry) : entry & PTE_ADDR;
            *gpa = base + (linear & ((1ull << shift) - 1));
            return true;
        }
        if (!pae_pointer)
            entry_mark(&walk, at, entry, PTE_A);
        table = entry & PTE_ADDR;
    }
}
