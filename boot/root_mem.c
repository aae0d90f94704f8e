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

/* Address space that is no memory, without the interrupt controllers that the kernel drives. */
static void add_mmio(struct root_info *info, uint64_t base, uint64_t end)
{
    uint64_t keep = UINT64_MAX;
    uint64_t lapic = align_down(acpi->lapic_base, PAGE_SIZE);
    if (lapic >= base && lapic < end)
        keep = lapic;
    for (uint32_t i = 0; i < acpi->ioapic_count; i++) {
        uint64_t page = align_down(acpi->ioapic[i].address, PAGE_SIZE);
        if (page >= base && page < end)
            keep = MIN(keep, page);
    }
    if (keep == UINT64_MAX) {
        add(info, base, end, ROOT_MEM_MMIO);
        return;
    }
    add(info, base, keep, ROOT_MEM_MMIO);
    if (keep + PAGE_SIZE < end)
        add_mmio(info, keep + PAGE_SIZE, end);
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
}
