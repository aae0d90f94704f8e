/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD-Vi: device table, page tables, command buffer, event log. Names and numbers: AMD I/O
 * Virtualization Technology (IOMMU) specification, "IOMMU MMIO Registers" and "IOMMU Data
 * Structures". */
#include "arch/x86_64/iommu_unit.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/pci_config.h"

#define AMD_DEVICE_TABLE    0x0000u
#define AMD_COMMAND_BUFFER  0x0008u
#define AMD_EVENT_LOG       0x0010u
#define AMD_CONTROL         0x0018u
#define AMD_EXCLUSION_BASE  0x0020u
#define AMD_EXCLUSION_LIMIT 0x0028u
#define AMD_FEATURES        0x0030u
#define AMD_COMMAND_HEAD    0x2000u
#define AMD_COMMAND_TAIL    0x2008u
#define AMD_EVENT_HEAD      0x2010u
#define AMD_EVENT_TAIL      0x2018u
#define AMD_STATUS          0x2020u

#define RING_LENGTH             (8ull << 56) /* 2^8 entries of 16 bytes */
#define CONTROL_ENABLE          1ull
#define CONTROL_EVENTS          0xcull /* log and interrupt */
#define CONTROL_EVENT_LOG       0x4ull
#define CONTROL_EVENT_INTERRUPT 0x8ull
#define CONTROL_COHERENT        0x400ull
#define CONTROL_COMMANDS        0x1000ull
#define STATUS_OVERFLOW         1u
#define STATUS_EVENTS           3u /* overflow, log written: 1 clears */
#define STATUS_LOG_RUNS         8u

#define DTE_SIZE       32u
#define DTE_PRESENT    3ull /* V, TV */
#define DTE_LEVELS(n)  ((uint64_t)(n) << 9)
#define DTE_ROUTES(pa) ((pa) | 1 | 8 << 1 | 2ull << 60) /* 2^8 entries; fixed interrupts: remap */

#define IRTE_REMAP             1u
#define IRTE_ROUTE(vector, id) ((uint32_t)(vector) << 16 | (id) << 8)

#define PTE_PRESENT    1ull
#define PTE_NEXT_LEVEL (7ull << 9)
#define PTE_FC         (1ull << 60) /* always coherent, whatever the device asks for */
#define PTE_READ       (1ull << 61)
#define PTE_WRITE      (1ull << 62)

#define INVALIDATE_ALL         (8ull << 60)
#define INVALIDATE_ROUTES(id)  (5ull << 60 | (id))
#define FEATURE_INVALIDATE_ALL (1ull << 6)
#define COMPLETION_WAIT(pa)    (1ull << 60 | (pa) | 1) /* store */
#define INVALIDATE_DEVICE(id)  (2ull << 60 | (id))
#define INVALIDATE_PAGES(d)    (3ull << 60 | (uint64_t)(d) << 32)
#define ALL_PAGES_AND_TABLES   0x7ffffffffffff003ull
#define BATCH                  64u /* commands at a time, a quarter of the ring */

#define EVENT_IO_PAGE_FAULT 2u
#define EVENT_WRITE         (1ull << 53)
#define EVENT_MAPPED        (1ull << 52)
#define EVENT_INTERRUPT     (1ull << 51)

#define CAPABILITY_NP_CACHE (1u << 26)
#define PCI_CAPABILITIES    0x34u
#define PCI_CAPABILITY_MSI  5u
#define PCI_CAPABILITY_MAX  48u
#define MSI_ENABLE          (1u << 16)
#define MSI_MULTIPLE        (7u << 20)
#define MSI_64              (1u << 23)

static uint64_t *nothing; /* a root that maps nothing */

/* A request of a function without a valid entry would go through untranslated, and one that forbids
 * reading and writing is not honoured everywhere: so every function has a page table. */
static void dte_set(struct iommu_unit *unit, uint32_t function, hpa_t root, uint32_t domain)
{
    uint64_t *entry = unit->table + function * (DTE_SIZE / sizeof(uint64_t));
    uint64_t low = root.v | DTE_PRESENT | DTE_LEVELS(iommu.format.levels) | PTE_READ | PTE_WRITE;
    entry[2] = iommu_routes ? DTE_ROUTES(kva_to_hpa(iommu_routes).v) : 0;
    __atomic_store_n(&entry[1], domain, __ATOMIC_RELEASE);
    __atomic_store_n(&entry[0], low, __ATOMIC_RELEASE);
}

/* Requester ids above the last one that the table of units names have no entry, which stops them
 * too. */
static uint32_t table_entries(const struct iommu_unit *unit)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < dma_tables.scope_count; i++)
        if (&dma_tables.iommu[dma_tables.scope[i].unit] == unit->acpi)
            last = MAX(last, dma_tables.scope[i].last & 0xffff);
    return (uint32_t)align_up((last + 1) * DTE_SIZE, PAGE_SIZE) / DTE_SIZE;
}

static bool amdvi_probe(struct iommu_unit *unit)
{
    iommu.format = (struct pt_format){.table = PTE_PRESENT | PTE_READ | PTE_WRITE,
                                      .leaf = PTE_PRESENT | PTE_FC,
                                      .present = PTE_PRESENT,
                                      .read = PTE_READ,
                                      .write = PTE_WRITE,
                                      .next_level = PTE_NEXT_LEVEL,
                                      .max_level = 3,
                                      .levels = 4};
    if (!dma_tables.ioapic) /* how firmware says that interrupts are not to be remapped */
        iommu_no_routes();
    uint32_t capability = pci_config_read(unit->acpi->function, unit->acpi->capability);
    unit->tell_mapped = unit->acpi->segment || (capability & CAPABILITY_NP_CACHE);
    unit->cap = unit_read64(unit, AMD_FEATURES);
    unit->table_size = table_entries(unit);
    unit->table = kmem_pages(kmem_order((uint64_t)unit->table_size * DTE_SIZE));
    unit->events = kmem_pages(0);
    nothing = nothing ? nothing : kmem_pages(0);
    if (!unit->table || !unit->events || !nothing || !unit_make_queue(unit, AMD_COMMAND_TAIL) ||
        unit_read64(unit, AMD_CONTROL) == UINT64_MAX)
        return false;
    for (uint32_t i = 0; i < unit->table_size; i++)
        dte_set(unit, i, kva_to_hpa(nothing), 0);
    return true;
}

static void amdvi_complete(struct iommu_unit *unit)
{
    unit_complete(unit, COMPLETION_WAIT(kva_to_hpa((void *)unit->done).v), 1);
}

/* The low eleven bits of a message's data choose the entry: a vector, if it asks for a fixed
 * interrupt; all else is beyond the table. */
static void amdvi_route(uint8_t vector, uint32_t apic_id, bool level)
{
    (void)level; /* as the message says */
    __atomic_store_n((uint32_t *)iommu_routes + vector,
                     apic_id == UINT32_MAX ? 0 : IRTE_REMAP | IRTE_ROUTE(vector, apic_id),
                     __ATOMIC_RELEASE);
}

static void flush_each(struct iommu_unit *unit, uint64_t command, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        unit_command(unit, command | (first + i), 0);
        if (i % BATCH == BATCH - 1)
            amdvi_complete(unit);
    }
    amdvi_complete(unit);
}

static void amdvi_flush_routes(struct iommu_unit *unit)
{
    if (unit->cap & FEATURE_INVALIDATE_ALL) {
        unit_command(unit, INVALIDATE_ALL, 0);
        amdvi_complete(unit);
        return;
    }
    flush_each(unit, INVALIDATE_ROUTES(0), 0, unit->table_size);
}

static void amdvi_flush_functions(struct iommu_unit *unit, uint32_t first, uint32_t count)
{
    flush_each(unit, INVALIDATE_DEVICE(0), first, count);
}

static void amdvi_flush(struct iommu_unit *unit, uint32_t domain)
{
    unit_command(unit, INVALIDATE_PAGES(domain), ALL_PAGES_AND_TABLES);
    amdvi_complete(unit);
}

/* Its own interrupts, through its PCI function. */
static void start_interrupts(const struct iommu_unit *unit)
{
    uint32_t function = unit->acpi->function, data, at = PCI_CAPABILITIES;
    uint64_t address;
    apic_msi(0, VEC_IOMMU, &address, &data);
    for (uint32_t i = 0; i < PCI_CAPABILITY_MAX && !unit->acpi->segment; i++) {
        at = pci_config_read(function, at) >> (at == PCI_CAPABILITIES ? 0 : 8) & 0xfc;
        uint32_t head = at ? pci_config_read(function, at) : 0;
        if (!at || head == UINT32_MAX)
            break;
        if ((head & 0xff) != PCI_CAPABILITY_MSI)
            continue;
        pci_config_write(function, at + 4, (uint32_t)address);
        if (head & MSI_64)
            pci_config_write(function, at + 8, (uint32_t)(address >> 32));
        pci_config_write(function, at + (head & MSI_64 ? 12 : 8), data);
        pci_config_write(function, at, (head & ~MSI_MULTIPLE) | MSI_ENABLE);
        return;
    }
    kprintf("iommu: no interrupts from the one at %lx: faults are not reported\n",
            unit->acpi->base);
}

static void amdvi_start(struct iommu_unit *unit)
{
    /* What concerns the link stays as firmware has set it. */
    uint64_t control =
        unit_read64(unit, AMD_CONTROL) & ~(CONTROL_ENABLE | CONTROL_EVENTS | CONTROL_COMMANDS);
    unit_write64(unit, AMD_CONTROL, control);
    unit_write64(unit, AMD_DEVICE_TABLE,
                 kva_to_hpa(unit->table).v | (unit->table_size * DTE_SIZE / PAGE_SIZE - 1));
    unit_write64(unit, AMD_COMMAND_BUFFER, kva_to_hpa(unit->queue).v | RING_LENGTH);
    unit_write64(unit, AMD_COMMAND_HEAD, 0);
    unit_write64(unit, AMD_COMMAND_TAIL, 0);
    unit_write64(unit, AMD_EVENT_LOG, kva_to_hpa(unit->events).v | RING_LENGTH);
    unit_write64(unit, AMD_EVENT_HEAD, 0);
    unit_write64(unit, AMD_EVENT_TAIL, 0);
    unit_write64(unit, AMD_EXCLUSION_BASE, 0);
    unit_write64(unit, AMD_EXCLUSION_LIMIT, 0);
    start_interrupts(unit);
    unit_write64(unit, AMD_CONTROL,
                 control | CONTROL_ENABLE | CONTROL_EVENTS | CONTROL_COHERENT | CONTROL_COMMANDS);
    amdvi_flush_functions(unit, 0, unit->table_size);
    amdvi_flush(unit, 0);
    amdvi_flush(unit, DOMAIN_FIRMWARE);
}

static bool amdvi_attach(struct iommu_unit *unit, uint32_t function, hpa_t root, uint32_t domain)
{
    if (function >= unit->table_size)
        return false;
    dte_set(unit, function, root, domain);
    return true;
}

static void amdvi_detach(struct iommu_unit *unit, uint32_t function)
{
    if (function < unit->table_size)
        dte_set(unit, function, kva_to_hpa(nothing), 0);
}

static void print_event(const struct iommu_unit *unit, uint64_t low, uint64_t address)
{
    uint32_t code = (uint32_t)(low >> 60);
    if (code == EVENT_IO_PAGE_FAULT && (low & EVENT_INTERRUPT))
        unit_fault(unit, low & 0xffff, "interrupt", address, "it is nobody's", code);
    else if (code == EVENT_IO_PAGE_FAULT)
        unit_fault(unit, low & 0xffff, low & EVENT_WRITE ? "write to" : "read of", address,
                   low & EVENT_MAPPED ? "not mapped for that" : "not mapped", code);
    else
        unit_fault(unit, low & 0xffff, "request for", address, "see the manual's event code", code);
}

static void amdvi_faults(struct iommu_unit *unit)
{
    uint32_t status = unit_read32(unit, AMD_STATUS);
    unit_write32(unit, AMD_STATUS, status & STATUS_EVENTS);
    uint32_t head = unit_read32(unit, AMD_EVENT_HEAD) % COMMAND_RING_SIZE;
    uint32_t tail = unit_read32(unit, AMD_EVENT_TAIL) % COMMAND_RING_SIZE;
    while (head != tail) {
        volatile uint64_t *event = unit->events + head / sizeof(uint64_t);
        print_event(unit, event[0], event[1]);
        head = (head + 16) % COMMAND_RING_SIZE;
    }
    unit_write64(unit, AMD_EVENT_HEAD, head);
    if (status & STATUS_OVERFLOW) { /* the log has stopped */
        uint64_t control = unit_read64(unit, AMD_CONTROL);
        unit_write64(unit, AMD_CONTROL, control & ~CONTROL_EVENT_LOG);
        unit_wait(unit, AMD_STATUS, STATUS_LOG_RUNS, 0);
        unit_write64(unit, AMD_CONTROL, control);
    }
}

static void amdvi_report(struct iommu_unit *unit, bool on)
{
    uint64_t control = unit_read64(unit, AMD_CONTROL) & ~CONTROL_EVENT_INTERRUPT;
    unit_write64(unit, AMD_CONTROL, control | (on ? CONTROL_EVENT_INTERRUPT : 0));
}

const struct iommu_ops amdvi_ops = {
    .name = "AMD-Vi",
    .probe = amdvi_probe,
    .start = amdvi_start,
    .attach = amdvi_attach,
    .detach = amdvi_detach,
    .flush_functions = amdvi_flush_functions,
    .flush = amdvi_flush,
    .route = amdvi_route,
    .flush_routes = amdvi_flush_routes,
    .report = amdvi_report,
    .faults = amdvi_faults,
};
