/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's memory as the VMM sees it: RAM below the PCI hole, RAM above 4 GiB, firmware. */
#ifndef VMM_GUEST_MEM_H
#define VMM_GUEST_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VMM_GUEST_BASE     0x0000100000000000ull /* guest-physical 0 in the VMM's address space */
#define GUEST_LOW_LIMIT    0xc0000000ull         /* RAM below: up to the PCI MMIO hole */
#define GUEST_LOW_FIRMWARE 0xb0000000ull         /* up to SeaBIOS' configuration window */
#define GUEST_HIGH_BASE    0x100000000ull        /* RAM that did not fit goes on here */
#define GUEST_MEM_REGIONS  3u

/* Where RAM below 4 GiB ends, if there is so much. */
static inline uint64_t guest_low_limit(bool by_firmware)
{
    return by_firmware ? GUEST_LOW_FIRMWARE : GUEST_LOW_LIMIT;
}

struct guest_region {
    uint64_t gpa, size; /* bytes */
    uint8_t *host;
    bool writable;
};

struct guest_mem {
    struct guest_region region[GUEST_MEM_REGIONS];
    uint32_t count;
    uint64_t low_size, high_size; /* bytes of RAM on each side of the hole */
};

/* Adds a region; false when the table is full or the region is empty. */
bool guest_mem_add(struct guest_mem *mem, uint64_t gpa, uint64_t size, void *host, bool writable);

/* Where [gpa, gpa + len) is in the VMM, or NULL if any byte of it is not guest memory. The length
 * is never 0. Regions do not touch, so a range lies in one of them or is refused. */
static inline const struct guest_region *guest_mem_find(const struct guest_mem *mem, uint64_t gpa,
                                                        uint64_t len)
{
    /* Nearly everything is in the first region; an empty one has size 0. */
    uint64_t offset = gpa - mem->region[0].gpa;
    if (__builtin_expect(offset < mem->region[0].size && len <= mem->region[0].size - offset, 1))
        return &mem->region[0];
    for (uint32_t i = 1; i < mem->count; i++) {
        const struct guest_region *region = &mem->region[i];
        offset = gpa - region->gpa;
        if (offset < region->size && len <= region->size - offset)
            return region;
    }
    return NULL;
}

static inline void *guest_mem_ptr(const struct guest_mem *mem, uint64_t gpa, uint64_t len)
{
    const struct guest_region *region = guest_mem_find(mem, gpa, len);
    return region ? region->host + (gpa - region->gpa) : NULL;
}

/* The same for writing: NULL for firmware, too. */
static inline void *guest_mem_writable(const struct guest_mem *mem, uint64_t gpa, uint64_t len)
{
    const struct guest_region *region = guest_mem_find(mem, gpa, len);
    return region && region->writable ? region->host + (gpa - region->gpa) : NULL;
}

/* Copies into guest RAM; false, and nothing written, if the range is not RAM. */
bool guest_mem_write(const struct guest_mem *mem, uint64_t gpa, const void *data, uint64_t len);
bool guest_mem_read(const struct guest_mem *mem, uint64_t gpa, void *data, uint64_t len);
bool guest_mem_zero(const struct guest_mem *mem, uint64_t gpa, uint64_t len);

#endif
