/* SPDX-License-Identifier: BSD-2-Clause */
/* Base address registers: what they hold, and how much of it a device decodes, which it tells when
 * all ones are written (PCI Local Bus Specification, "Base Addresses"). */
#include "drivers/pci/pci.h"

#include <stddef.h>

#define BAR_FIRST        0x10u
#define BAR_IO           0x1u
#define BAR_IO_MASK      0xfffffffcu
#define BAR_IO_MAX       0x10000u
#define BAR_TYPE_MASK    0x6u
#define BAR_TYPE_32      0x0u
#define BAR_TYPE_64      0x4u
#define BAR_PREFETCHABLE 0x8u
#define BAR_MEMORY_MASK  0xfffffff0u

static bool is_power_of_two(uint64_t n)
{
    return n && !(n & (n - 1));
}

/* The register's word after all ones were written; it holds what it held before afterwards. */
static uint32_t probe_word(const struct pci_access *access, pci_id_t id, uint32_t offset,
                           uint32_t old)
{
    access->write(access, id, offset, UINT32_MAX);
    uint32_t mask = access->read(access, id, offset);
    access->write(access, id, offset, old);
    return mask;
}

static const char *size_io(struct pci_bar *bar, uint32_t old, uint32_t mask)
{
    /* The upper half may be wired to 0: x86 has 64 KiB of ports. */
    uint32_t bits = (mask & BAR_IO_MASK) | 0xffff0000u;
    if (!(mask & BAR_IO))
        return "an I/O BAR turns into a memory BAR";
    if (!(mask & 0xffffu & BAR_IO_MASK))
        return "an I/O BAR decodes no address bits";
    bar->kind = PCI_BAR_IO;
    bar->base = old & BAR_IO_MASK;
    bar->size = (uint64_t)(uint32_t)~bits + 1;
    if (!is_power_of_two(bar->size))
        return "the size of an I/O BAR is no power of two";
    if (bar->base & (bar->size - 1))
        return "an I/O BAR is not aligned to its size";
    if (bar->base + bar->size > BAR_IO_MAX)
        return "an I/O BAR lies beyond port 0xffff";
    return NULL;
}

static const char *size_memory(struct pci_bar *bar, uint64_t old, uint64_t mask)
{
    bar->kind = PCI_BAR_MEMORY;
    bar->base = old & ~(uint64_t)(~BAR_MEMORY_MASK);
    bar->size = ~(mask & ~(uint64_t)(~BAR_MEMORY_MASK)) + 1;
    bar->prefetchable = old & BAR_PREFETCHABLE;
    if (!is_power_of_two(bar->size))
        return "the size of a memory BAR is no power of two";
    if (bar->base & (bar->size - 1))
        return "a memory BAR is not aligned to its size";
    if (bar->base + bar->size < bar->base)
        return "a memory BAR wraps around";
    return NULL;
}

/* Sizes the BAR at *index and steps over it. */
static const char *size_one(const struct pci_access *access, struct pci_device *device,
                            uint32_t bars, uint32_t *index)
{
    struct pci_bar *bar = &device->bar[*index];
    uint32_t offset = BAR_FIRST + *index * 4;
    uint32_t old = access->read(access, device->id, offset);
    uint32_t mask = probe_word(access, device->id, offset, old);
    ++*index;
    if (!mask)
        return NULL;
    if (old & BAR_IO)
        return size_io(bar, old, mask);
    uint32_t type = old & BAR_TYPE_MASK;
    if (type == BAR_TYPE_64) {
        if (*index == bars)
            return "a 64-bit BAR has no second half";
        uint32_t high = access->read(access, device->id, offset + 4);
        uint32_t high_mask = probe_word(access, device->id, offset + 4, high);
        ++*index;
        bar->is_64 = true;
        if (!(mask & BAR_MEMORY_MASK) && !high_mask)
            return "a memory BAR decodes no address bits";
        return size_memory(bar, (uint64_t)high << 32 | old, (uint64_t)high_mask << 32 | mask);
    }
    if (type != BAR_TYPE_32)
        return "a memory BAR has a reserved type";
    if (!(mask & BAR_MEMORY_MASK))
        return "a memory BAR decodes no address bits";
    return size_memory(bar, old, 0xffffffff00000000ull | mask);
}

const char *pci_size_bars(const struct pci_access *access, struct pci_device *device)
{
    uint32_t bars = device->header_type ? 2 : PCI_BARS;
    for (uint32_t i = 0; i < bars;) {
        const char *why = size_one(access, device, bars, &i);
        if (why)
            return why;
    }
    return NULL;
}
