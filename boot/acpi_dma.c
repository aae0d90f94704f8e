/* SPDX-License-Identifier: BSD-2-Clause */
/* DMAR and IVRS: DMA remapping units, which requester ids each stands before, and the memory that
 * firmware keeps for devices. */
#include "boot/acpi_tables.h"

#include "arch/x86_64/pci_config.h"

/* Both tables: blocks of type, length (16 bits at 2) behind a common header. */
#define BLOCKS_FIRST 48u

/* DMAR (Intel VT-d specification, "BIOS Considerations"). */
#define DMAR_DRHD      0u
#define DMAR_RMRR      1u
#define DRHD_LEN       16u
#define DRHD_ALL       1u /* all functions of the segment that no other unit names */
#define RMRR_LEN       24u
#define SCOPE_ENDPOINT 1u
#define SCOPE_BRIDGE   2u
#define SCOPE_PATH     6u
#define BRIDGE_BUSES   0x18u /* configuration space: primary, secondary, subordinate bus */

/* IVRS (AMD IOMMU specification, "I/O Virtualization ACPI Table"). */
#define IVHD_10              0x10u
#define IVHD_11              0x11u
#define IVHD_40              0x40u
#define IVHD_10_LEN          24u
#define IVHD_11_LEN          40u
#define IVMD_ALL             0x20u
#define IVMD_SELECT          0x21u
#define IVMD_RANGE           0x22u
#define IVMD_LEN             32u
#define ENTRY_ALL            1u
#define ENTRY_SELECT         2u
#define ENTRY_START          3u
#define ENTRY_END            4u
#define ENTRY_ALIAS          66u
#define ENTRY_ALIASES        67u
#define ENTRY_EXTENDED       70u
#define ENTRY_EXTENDED_START 71u
#define ENTRY_SPECIAL        72u /* I/O APIC, HPET */
#define SPECIAL_IOAPIC       1u
#define ENTRY_NAMED          240u /* ACPI name, of any length */

#define AMDVI_SIZE 0x4000u /* of the registers */

#define FUNCTIONS 0x10000u /* of a segment */

struct block {
    uint32_t offset, type, length;
};

static uint64_t in_block(const struct acpi_table *t, const struct block *b, uint32_t offset,
                         uint32_t size)
{
    return acpi_read(t, b->offset + offset, size);
}

/* Steps through the blocks; false at the end or at damage, which is logged. */
static bool next_block(const struct acpi_table *t, struct block *b, const char *name)
{
    b->offset += b->length;
    if (!acpi_has(t, b->offset, 4))
        return false;
    b->type = (uint32_t)in_block(t, b, 0, 1);
    b->length = (uint32_t)in_block(t, b, 2, 2);
    if (b->length >= 4 && acpi_has(t, b->offset, b->length))
        return true;
    boot_note("acpi: %s damaged at offset %u: block of length %u\n", name, b->offset, b->length);
    return false;
}

/* Every unit, scope and range takes four bytes of the table or more. */
static bool make_arrays(const struct acpi_table *t)
{
    if (acpi->dma.iommu_count) {
        boot_note("acpi: a second table of IOMMUs ignored\n");
        return false;
    }
    acpi->dma.iommu = acpi_array(MAX(t->length / DRHD_LEN, 1) * sizeof(*acpi->dma.iommu));
    acpi->dma.scope = acpi_array(MAX(t->length / 4, 1) * sizeof(*acpi->dma.scope));
    acpi->dma.range = acpi_array(MAX(t->length / 4, 1) * sizeof(*acpi->dma.range));
    if (acpi->dma.iommu && acpi->dma.scope && acpi->dma.range)
        return true;
    boot_note("acpi: no memory for the entries of a table of %u bytes\n", t->length);
    return false;
}

static void add_scope(uint32_t unit, uint32_t first, uint32_t last)
{
    acpi->dma.scope[acpi->dma.scope_count++] = (struct acpi_dma_scope){first, last, unit};
}

/* Memory that others will get is not kept open for a device, whatever the table says. */
static bool is_ram(uint64_t base, uint64_t end)
{
    const struct bootinfo *info = container_of(acpi, struct bootinfo, acpi);
    for (uint32_t i = 0; i < info->mem_count; i++) {
        const struct bootinfo_mem *m = &info->mem[i];
        if (m->base < end && base < m->base + m->size && m->type != BOOTINFO_MEM_RESERVED &&
            m->type != BOOTINFO_MEM_ACPI_NVS && m->type != BOOTINFO_MEM_MMIO)
            return true;
    }
    return false;
}

static void add_range(uint64_t base, uint64_t size, uint32_t first, uint32_t last)
{
    if (!size || !aligned(base | size, PAGE_SIZE) || base + size < base || first > last ||
        is_ram(base, base + size)) {
        boot_note("acpi: DMA range %lx, size %lx, of %x to %x ignored\n", base, size, first, last);
        return;
    }
    acpi->dma.range[acpi->dma.range_count++] = (struct acpi_dma_range){base, size, first, last};
}

/* Index of the unit with these registers: IVRS may describe one several times. */
static uint32_t add_unit(const struct acpi_iommu *unit)
{
    for (uint32_t i = 0; i < acpi->dma.iommu_count; i++)
        if (acpi->dma.iommu[i].base == unit->base)
            return i;
    acpi->dma.iommu[acpi->dma.iommu_count] = *unit;
    return acpi->dma.iommu_count++;
}

/* Follows the path of a device scope entry over bridges; false: there is no such path. */
static bool follow(const struct acpi_table *t, const struct block *scope, uint32_t segment,
                   uint32_t *function)
{
    uint32_t bus = (uint32_t)in_block(t, scope, 5, 1);
    for (uint32_t at = SCOPE_PATH; at + 2 <= scope->length; at += 2) {
        *function = bus << 8 | ((uint32_t)in_block(t, scope, at, 1) & 31) << 3 |
                    ((uint32_t)in_block(t, scope, at + 1, 1) & 7);
        if (at + 4 > scope->length)
            return true;
        if (segment)
            break;
        bus = pci_config_read(*function, BRIDGE_BUSES) >> 8 & 0xff;
    }
    return false;
}

static void add_scope_or_range(const struct acpi_table *t, const struct block *b,
                               const uint32_t *unit, uint32_t first, uint32_t last)
{
    uint64_t base = in_block(t, b, 8, 8);
    if (unit)
        add_scope(*unit, first, last);
    else
        add_range(base, in_block(t, b, 16, 8) + 1 - base, first, last);
}

/* The device scope entries from `at` to the end of a block. unit: whose; else a range for each. */
static void read_scopes(const struct acpi_table *t, const struct block *b, uint32_t at,
                        uint32_t segment, const uint32_t *unit)
{
    struct block s = {.offset = b->offset + at};
    for (uint32_t end = b->offset + b->length; s.offset + SCOPE_PATH <= end; s.offset += s.length) {
        s.type = (uint32_t)in_block(t, &s, 0, 1);
        s.length = (uint32_t)in_block(t, &s, 1, 1);
        uint32_t function, base = segment << 16;
        if (s.length < SCOPE_PATH + 2 || s.length > end - s.offset) {
            boot_note("acpi: DMAR damaged at offset %u: scope of length %u\n", s.offset, s.length);
            return;
        }
        if (s.type != SCOPE_ENDPOINT && s.type != SCOPE_BRIDGE)
            continue;
        if (!follow(t, &s, segment, &function)) {
            boot_note("acpi: DMAR names a device behind bridges that are not there\n");
            continue;
        }
        uint32_t buses = s.type == SCOPE_BRIDGE && !segment
                             ? pci_config_read(function, BRIDGE_BUSES)
                             : UINT32_MAX;
        add_scope_or_range(t, b, unit, base | function, base | function);
        if (buses != UINT32_MAX && (buses & 0xff00)) /* and all that is behind the bridge */
            add_scope_or_range(t, b, unit, buses & 0xff00, (buses >> 8 & 0xff00) | 0xff);
    }
}

void acpi_dmar(const struct acpi_table *t)
{
    struct block b = {.offset = BLOCKS_FIRST};
    if (!make_arrays(t))
        return;
    acpi->dma.kind = DMA_VTD;
    while (next_block(t, &b, "DMAR")) {
        if (b.type == DMAR_RMRR && b.length >= RMRR_LEN)
            read_scopes(t, &b, RMRR_LEN, (uint32_t)in_block(t, &b, 6, 2), NULL);
        if (b.type != DMAR_DRHD || b.length < DRHD_LEN)
            continue;
        struct acpi_iommu unit = {.base = in_block(t, &b, 8, 8),
                                  .size = PAGE_SIZE << (in_block(t, &b, 5, 1) & 15),
                                  .segment = (uint32_t)in_block(t, &b, 6, 2),
                                  .rest = (in_block(t, &b, 4, 1) & DRHD_ALL) != 0};
        uint32_t index = add_unit(&unit);
        read_scopes(t, &b, DRHD_LEN, unit.segment, &index);
    }
}

static uint32_t entry_length(const struct acpi_table *t, uint32_t at)
{
    uint32_t type = (uint32_t)acpi_read(t, at, 1);
    return type == ENTRY_NAMED ? 22 + (uint32_t)acpi_read(t, at + 21, 1) : 4u << (type >> 6);
}

static void read_ivhd(const struct acpi_table *t, const struct block *b, uint32_t at)
{
    struct acpi_iommu unit = {.base = in_block(t, b, 8, 8),
                              .size = AMDVI_SIZE,
                              .segment = (uint32_t)in_block(t, b, 16, 2),
                              .function = (uint32_t)in_block(t, b, 4, 2),
                              .capability = (uint32_t)in_block(t, b, 6, 2)};
    uint32_t index = add_unit(&unit), base = unit.segment << 16, start = UINT32_MAX;
    for (uint32_t length; at < b->length; at += length) {
        length = entry_length(t, b->offset + at);
        if (length > b->length - at) {
            boot_note("acpi: IVRS damaged at offset %u: entry of length %u\n", b->offset + at,
                      length);
            return;
        }
        uint32_t id = base | (uint32_t)in_block(t, b, at + 1, 2);
        switch (in_block(t, b, at, 1)) {
        case ENTRY_ALL:
            add_scope(index, base, base | (FUNCTIONS - 1));
            break;
        case ENTRY_SPECIAL:
            id = base | (uint32_t)in_block(t, b, at + 5, 2);
            acpi->dma.ioapic |= in_block(t, b, at + 7, 1) == SPECIAL_IOAPIC;
            add_scope(index, id, id);
            break;
        case ENTRY_ALIAS: /* what the device says, and under whose id the unit sees it */
            add_scope(index, base | (uint32_t)in_block(t, b, at + 5, 2),
                      base | (uint32_t)in_block(t, b, at + 5, 2));
            /* fallthrough */
        case ENTRY_SELECT:
        case ENTRY_EXTENDED:
            add_scope(index, id, id);
            break;
        case ENTRY_START:
        case ENTRY_ALIASES:
        case ENTRY_EXTENDED_START:
            start = id;
            break;
        case ENTRY_END:
            if (start <= id)
                add_scope(index, start, id);
            start = UINT32_MAX;
            break;
        }
    }
}

static void read_ivmd(const struct acpi_table *t, const struct block *b)
{
    uint32_t first = (uint32_t)in_block(t, b, 4, 2), last = first;
    if (b->type == IVMD_RANGE)
        last = (uint32_t)in_block(t, b, 6, 2);
    if (b->type == IVMD_ALL)
        first = 0, last = FUNCTIONS - 1;
    add_range(in_block(t, b, 16, 8), in_block(t, b, 24, 8), first, last);
}

void acpi_ivrs(const struct acpi_table *t)
{
    struct block b = {.offset = BLOCKS_FIRST};
    if (!make_arrays(t))
        return;
    acpi->dma.kind = DMA_AMDVI;
    while (next_block(t, &b, "IVRS")) {
        if (b.type == IVHD_10 && b.length >= IVHD_10_LEN)
            read_ivhd(t, &b, IVHD_10_LEN);
        if ((b.type == IVHD_11 || b.type == IVHD_40) && b.length >= IVHD_11_LEN)
            read_ivhd(t, &b, IVHD_11_LEN);
        if (b.type >= IVMD_ALL && b.type <= IVMD_RANGE && b.length >= IVMD_LEN)
            read_ivmd(t, &b);
    }
}
