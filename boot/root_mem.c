/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot/root_mem.h"

#include "boot/program.h"
#include "lib/string.h"

/* Start-up code of CPUs, BIOS data, VGA: never handed out as RAM. */
#define LOW_MEMORY 0x100000ull

static const struct acpi_info *acpi;
static uint64_t dropped;

static uint32_t domain_of(uint64_t base)
{
    for (uint32_t i = 0; i < acpi->mem_domain_count; i++) {
        const struct acpi_mem_domain *d = &acpi->mem_domain[i];
        if (base >= d->base && base - d->base < d->size)
            return d->domain;
    }
    return 0;
}

/* One more than the highest of a CPU or a piece of memory. */
static uint32_t count_nodes(void)
{
    uint32_t highest = 0;
    for (uint32_t i = 0; i < acpi->cpu_count; i++)
        highest = MAX(highest, acpi->cpu[i].domain);
    for (uint32_t i = 0; i < acpi->mem_domain_count; i++)
        highest = MAX(highest, acpi->mem_domain[i].domain);
    return highest + 1;
}

/* Without these the root task cannot start at all. */
static bool needed(uint32_t kind)
{
    return kind == ROOT_MEM_PACKAGE || kind == ROOT_MEM_SELF;
}

/* Index of the smallest range that may be left out. */
static uint32_t smallest(const struct root_info *info)
{
    uint32_t at = ROOT_MEM_MAX;
    for (uint32_t i = 0; i < ROOT_MEM_MAX; i++)
        if (!needed(info->mem[i].kind) &&
            (at == ROOT_MEM_MAX || info->mem[i].size < info->mem[at].size))
            at = i;
    return at;
}

static void add(struct root_info *info, uint64_t base, uint64_t end, uint32_t kind)
{
    if (base >= end)
        return;
    uint32_t at = info->mem_count;
    if (at < ROOT_MEM_MAX) {
        info->mem_count++;
    } else {
        at = smallest(info);
        if (at == ROOT_MEM_MAX || (!needed(kind) && info->mem[at].size >= end - base)) {
            dropped += end - base;
            return;
        }
        dropped += info->mem[at].size;
    }
    info->mem[at] = (struct root_mem){base, end - base, kind, domain_of(base)};
}

/* The lowest of what the kernel drives itself (interrupt controllers, IOMMUs) in [base, end), in
 * whole pages; *size: of it. end: nothing. */
static uint64_t kept(uint64_t base, uint64_t end, uint64_t *size)
{
    uint64_t found = end;
    for (uint32_t i = 0; i <= acpi->ioapic_count + acpi->dma.iommu_count; i++) {
        uint64_t at = acpi->lapic_base, bytes = PAGE_SIZE;
        if (i < acpi->ioapic_count) {
            at = acpi->ioapic[i].address;
        } else if (i > acpi->ioapic_count) {
            const struct acpi_iommu *unit = &acpi->dma.iommu[i - acpi->ioapic_count - 1];
            at = unit->base;
            bytes = unit->size;
        }
        at = align_down(at, PAGE_SIZE);
        uint64_t from = MAX(at, base); /* the map may have an edge in the middle of it */
        if (from < found && bytes > from - at) {
            found = from;
            *size = bytes - (from - at);
        }
    }
    return found;
}

/* Address space that is no memory. */
static void add_mmio(struct root_info *info, uint64_t base, uint64_t end)
{
    while (base < end) {
        uint64_t size = 0, keep = kept(base, end, &size);
        add(info, base, keep, ROOT_MEM_MMIO);
        base = keep + size;
    }
}

static void add_entry(struct root_info *info, const struct bootinfo_mem *m)
{
    uint64_t end = m->base + m->size;
    switch (m->type) {
    case BOOTINFO_MEM_RAM:
    case BOOTINFO_MEM_BOOT:
        add(info, MAX(m->base, LOW_MEMORY), end, ROOT_MEM_RAM);
        break;
    case BOOTINFO_MEM_ROOT:
        add(info, m->base, end, ROOT_MEM_SELF);
        break;
    case BOOTINFO_MEM_PACKAGE:
        add(info, m->base, end, ROOT_MEM_PACKAGE);
        break;
    case BOOTINFO_MEM_ACPI_RECLAIM:
        add(info, m->base, end, ROOT_MEM_RECLAIM);
        break;
    case BOOTINFO_MEM_MMIO:
        add_mmio(info, m->base, end);
        break;
    case BOOTINFO_MEM_KERNEL:
    case BOOTINFO_MEM_BAD:
        break;
    default:
        /* Reserved: firmware tables, but also ECAM windows. The manager tells them apart by MCFG.
         */
        if (acpi->mcfg_base >= m->base && acpi->mcfg_base < end)
            add_mmio(info, m->base, end);
        else
            add(info, m->base, end, ROOT_MEM_FIRMWARE);
    }
}

void root_mem_describe(const struct bootinfo *boot, struct root_info *info)
{
    uint64_t next = 0;
    acpi = &boot->acpi;
    for (uint32_t i = 0; i < boot->mem_count; i++) {
        add_mmio(info, next, boot->mem[i].base);
        add_entry(info, &boot->mem[i]);
        next = boot->mem[i].base + boot->mem[i].size;
    }
    add_mmio(info, next, 1ull << MIN(boot->features.phys_bits, 52u));
    if (dropped)
        boot_note("memory: map too fragmented, %llu KiB are left unused\n",
                  (unsigned long long)dropped / 1024);
    info->numa_nodes = count_nodes();
    info->package_size = boot->package_size;
    info->acpi_root = acpi->root;
    info->mcfg_base = acpi->mcfg_base;
    info->mcfg_bus_start = acpi->mcfg_bus_start;
    info->mcfg_bus_end = acpi->mcfg_bus_end;
    info->kmem_size = boot->pool_size;
    info->boot_tsc = boot->boot_tsc;
    memcpy(info->boot_method, boot->boot_method, sizeof(info->boot_method));
    memcpy(info->cmdline, boot->cmdline, sizeof(info->cmdline));
    info->fb = boot->fb;
    memcpy(info->distance, acpi->distance, sizeof(info->distance));
}
