/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/iommu_unit.h"

#include "abi/status.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/platform.h"
#include "arch/x86_64/spinlock.h"

#define FAULT_LINES 8u    /* printed in a second */
#define STORM       2000u /* interrupts in a second with which a device would take a CPU */
#define WAIT_US     1000000u

struct acpi_dma dma_tables;
struct iommu_info iommu = {.kind = DMA_OPEN, .bits = 48};
uint32_t iommu_domains = DOMAINS_MAX;
void *iommu_routes;

/* Without a unit the tables only record what is mapped. */
static const struct pt_format open_format = {
    .table = 3, .large = 0x80, .present = 3, .read = 1, .write = 2, .max_level = 2, .levels = 4};
static const struct iommu_ops *vendor = &vtd_ops;
static struct iommu_unit *units;
static uint32_t unit_count;
static uint64_t domains[DOMAINS_MAX / 64]; /* in use */
static struct ptab firmware;               /* all ranges of dma_tables.range */
static spinlock_t fault_lock;
static bool silent; /* after a storm */

void iommu_no_routes(void)
{
    if (iommu_routes)
        kmem_free_pages(iommu_routes, 0);
    iommu_routes = NULL;
}

void unit_wait(const struct iommu_unit *unit, uint32_t reg, uint32_t mask, uint32_t value)
{
    uint64_t end = rdtsc() + tsc_from_us(WAIT_US);
    while ((unit_read32(unit, reg) & mask) != value) {
        if (rdtsc() > end)
            panic("IOMMU at %lx: register %x is %x, not %x of %x", unit->acpi->base, reg,
                  unit_read32(unit, reg), value, mask);
        cpu_pause();
    }
}

bool unit_make_queue(struct iommu_unit *unit, uint32_t tail_register)
{
    unit->queue = kmem_pages(0);
    unit->done = kmem_pages(0);
    unit->tail = 0;
    unit->tail_register = tail_register;
    return unit->queue && unit->done;
}

/* Never full: every call ends with unit_complete() before half a ring is written. */
void unit_command(struct iommu_unit *unit, uint64_t low, uint64_t high)
{
    unit->queue[unit->tail / sizeof(*unit->queue)] = (struct iommu_command){low, high};
    unit->tail = (unit->tail + (uint32_t)sizeof(*unit->queue)) % COMMAND_RING_SIZE;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    unit_write64(unit, unit->tail_register, unit->tail);
}

void unit_complete(struct iommu_unit *unit, uint64_t low, uint64_t high)
{
    uint64_t end = rdtsc() + tsc_from_us(WAIT_US);
    *unit->done = 0;
    unit_command(unit, low, high);
    while ((uint32_t)*unit->done != 1) {
        if (rdtsc() > end)
            panic("IOMMU at %lx does not come to the end of its commands", unit->acpi->base);
        cpu_pause();
    }
}

void unit_fault(const struct iommu_unit *unit, uint32_t function, const char *what,
                uint64_t address, const char *why, uint32_t code)
{
    static uint64_t second_end, lines, left_out;
    if (rdtsc() > second_end) {
        if (left_out)
            kprintf("iommu: %lu more faults\n", left_out);
        lines = left_out = 0;
        second_end = rdtsc() + tsc_from_us(1000000);
    }
    if (lines++ < FAULT_LINES)
        kprintf("iommu: device %04x:%02x:%02x.%u: %s %lx stopped: %s (%x)\n", unit->acpi->segment,
                function >> 8 & 0xff, function >> 3 & 31, function & 7, what, address, why, code);
    else
        left_out++;
}

/* Turns the interrupts of all units on or off, and takes what has gathered. Under fault_lock. */
static void report(bool on)
{
    silent = !on;
    for (uint32_t i = 0; units && i < unit_count; i++) {
        vendor->report(&units[i], on);
        vendor->faults(&units[i]);
    }
}

void iommu_interrupt(void)
{
    static uint64_t second_end, count;
    spin_lock(&fault_lock);
    if (rdtsc() > second_end) {
        count = 0;
        second_end = rdtsc() + tsc_from_us(1000000);
    }
    if (++count == STORM)
        kprintf("iommu: %u faults in a second: not reported any more until devices change\n",
                STORM);
    report(count < STORM);
    spin_unlock(&fault_lock);
}

static void report_again(void)
{
    spin_lock(&fault_lock);
    if (silent)
        report(true);
    spin_unlock(&fault_lock);
}

struct iommu_unit *iommu_of(uint32_t requester)
{
    if (!units)
        return NULL;
    for (uint32_t i = 0; i < dma_tables.scope_count && unit_count; i++)
        if (requester >= dma_tables.scope[i].first && requester <= dma_tables.scope[i].last)
            return &units[dma_tables.scope[i].unit];
    for (uint32_t i = 0; i < unit_count; i++)
        if (units[i].acpi->rest && units[i].acpi->segment == requester >> 16)
            return &units[i];
    return NULL;
}

static uint32_t domain_alloc(void)
{
    for (uint32_t i = DOMAIN_FIRMWARE + 1; i < iommu_domains; i++) {
        if (domains[i / 64] & 1ull << i % 64)
            continue;
        domains[i / 64] |= 1ull << i % 64;
        return i;
    }
    return 0;
}

static bool attach_all(struct iommu_unit *unit, uint32_t requester, uint32_t count, hpa_t root,
                       uint32_t domain)
{
    bool good = true;
    for (uint32_t i = 0; i < count && good; i++)
        good = iommu_of(requester + i) == unit &&
               vendor->attach(unit, (requester + i) & 0xffff, root, domain);
    vendor->flush_functions(unit, requester & 0xffff, count);
    vendor->flush(unit, domain);
    return good;
}

bool iommu_attach(struct iommu_unit *unit, uint32_t requester, uint32_t count, hpa_t root,
                  uint32_t *domain)
{
    *domain = domain_alloc();
    report_again();
    if (*domain && attach_all(unit, requester, count, root, *domain))
        return true;
    if (*domain)
        iommu_detach(unit, requester, count, *domain);
    return false;
}

void iommu_detach(struct iommu_unit *unit, uint32_t requester, uint32_t count, uint32_t domain)
{
    for (uint32_t i = 0; i < count; i++)
        if (iommu_of(requester + i) == unit)
            vendor->detach(unit, (requester + i) & 0xffff);
    vendor->flush_functions(unit, requester & 0xffff, count);
    vendor->flush(unit, domain);
    domains[domain / 64] &= ~(1ull << domain % 64);
    report_again();
}

void iommu_flush(struct iommu_unit *unit, uint32_t domain)
{
    vendor->flush(unit, domain);
}

void iommu_mapped(struct iommu_unit *unit, uint32_t domain)
{
    if (unit->tell_mapped)
        vendor->flush(unit, domain);
}

static void route(uint8_t vector, uint32_t apic_id, bool level)
{
    if (!unit_count || !iommu_routes)
        return;
    vendor->route(vector, apic_id, level);
    for (uint32_t i = 0; i < unit_count; i++)
        vendor->flush_routes(&units[i]);
}

/* Eight bits of an id everywhere, like a message (apic_msi). */
void iommu_route(uint8_t vector, uint32_t cpu, bool level)
{
    route(vector, cpus[cpu]->apic_id < 0xff ? cpus[cpu]->apic_id : cpus[0]->apic_id, level);
}

void iommu_unroute(uint8_t vector)
{
    route(vector, UINT32_MAX, false);
}

/* Page by page: tables of firmware overlap. */
static bool map_firmware(const struct acpi_dma_range *range)
{
    bool good = true;
    for (uint64_t at = range->base; at < range->base + range->size && good; at += PAGE_SIZE) {
        hpa_t pa;
        uint64_t leaf, size;
        good = ptab_lookup(&firmware, at, &pa, &leaf, &size) ||
               ptab_map(&firmware, at, hpa(at), PAGE_SIZE, MAP_READ | MAP_WRITE) == OK;
    }
    return good;
}

/* What firmware itself has devices do (a USB keyboard, graphics) goes on. */
static void keep_reserved(void)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < dma_tables.range_count; i++) {
        struct acpi_dma_range range = dma_tables.range[i];
        const char *wrong = (range.base + range.size - 1) >> iommu.bits ? "it is too high"
                            : !map_firmware(&range)                     ? "no memory"
                                                                        : NULL;
        if (wrong) {
            kprintf("iommu: memory reserved at %lx ignored: %s\n", range.base, wrong);
            continue;
        }
        dma_tables.range[kept++] = range;
        for (uint32_t id = range.first; id <= range.last; id++) {
            struct iommu_unit *unit = iommu_of(id);
            if (unit &&
                !vendor->attach(unit, id & 0xffff, kva_to_hpa(firmware.root), DOMAIN_FIRMWARE))
                panic("no memory for the IOMMU's tables");
        }
    }
    dma_tables.range_count = kept;
}

static bool probe_all(void)
{
    vendor = dma_tables.kind == DMA_VTD ? &vtd_ops : &amdvi_ops;
    units = kmem_pages(kmem_order(dma_tables.iommu_count * sizeof(*units)));
    iommu_routes = kmem_pages(0);
    for (uint32_t i = 0; i < dma_tables.iommu_count; i++) {
        struct iommu_unit *unit = &units[i];
        if (!units || !iommu_routes)
            return false;
        unit->acpi = &dma_tables.iommu[i];
        unit->regs = kmap_mmio(hpa(unit->acpi->base), unit->acpi->size);
        if (!unit->regs || !aligned(unit->acpi->base, PAGE_SIZE) || !vendor->probe(unit)) {
            kprintf("iommu: the one at %lx cannot be used\n", unit->acpi->base);
            return false;
        }
    }
    return true;
}

void iommu_init(const struct acpi_dma *from)
{
    dma_tables = *from; /* the arrays stay where they are */
    dma_tables.iommu = hpa_to_kva(hpa((uint64_t)from->iommu));
    dma_tables.scope = hpa_to_kva(hpa((uint64_t)from->scope));
    dma_tables.range = hpa_to_kva(hpa((uint64_t)from->range));
    bool off = cmdline_has("noiommu");
    if (!dma_tables.iommu_count || off || !probe_all()) {
        iommu.format = open_format;
        kprintf("iommu: %s: a device's DMA reaches all memory\n", off ? "noiommu" : "none");
        return;
    }
    firmware = (struct ptab){.format = &iommu.format, .root = kmem_pages(0)};
    if (!firmware.root)
        panic("no memory for the IOMMU's tables");
    unit_count = dma_tables.iommu_count;
    keep_reserved();
    for (uint32_t i = 0; i < unit_count; i++)
        vendor->start(&units[i]);
    iommu.kind = dma_tables.kind;
    iommu.handles = iommu_routes && dma_tables.kind == DMA_VTD;
    kprintf("iommu: %u %s, %u address bits, %u levels, pages up to %u KiB, %u domains, interrupts "
            "%sremapped\n",
            unit_count, vendor->name, iommu.bits, iommu.format.levels,
            4u << 9 * (iommu.format.max_level - 1), iommu_domains, iommu_routes ? "" : "not ");
}
