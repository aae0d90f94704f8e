/* SPDX-License-Identifier: BSD-2-Clause */
/* Intel VT-d in legacy mode: root table, context tables, second-level page tables. Names and
 * numbers: Intel Virtualization Technology for Directed I/O, "Register Descriptions" and
 * "Translation Structure Formats". */
#include "arch/x86_64/iommu_unit.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/insn.h"

#define VTD_VER     0x00u
#define VTD_CAP     0x08u
#define VTD_ECAP    0x10u
#define VTD_GCMD    0x18u
#define VTD_GSTS    0x1cu
#define VTD_RTADDR  0x20u
#define VTD_CCMD    0x28u
#define VTD_FSTS    0x34u
#define VTD_FECTL   0x38u
#define VTD_FEDATA  0x3cu
#define VTD_FEADDR  0x40u
#define VTD_FEUADDR 0x44u
#define VTD_PMEN    0x64u
#define VTD_IQT     0x88u
#define VTD_IQA     0x90u
#define VTD_IRTA    0xb8u

#define CAP_ND(c)    ((uint32_t)(c)&7)
#define CAP_RWBF     (1ull << 4)
#define CAP_PMR      (3ull << 5)
#define CAP_CM       (1ull << 7)
#define CAP_SAGAW(c) ((uint32_t)((c) >> 8) & 0x1f)
#define CAP_MGAW(c)  ((uint32_t)((c) >> 16) & 0x3f)
#define CAP_FRO(c)   (16 * ((uint32_t)((c) >> 24) & 0x3ff))
#define CAP_SLLPS(c) ((uint32_t)((c) >> 34) & 3)
#define CAP_NFR(c)   ((uint32_t)((c) >> 40) & 0xff)
#define CAP_DRAIN(c) ((c) >> 54 & 3) /* writes, reads */
#define ECAP_C       1ull
#define ECAP_QI      2ull
#define ECAP_IR      8ull
#define ECAP_SC      0x80ull
#define ECAP_IRO(e)  (16 * ((uint32_t)((e) >> 8) & 0x3ff))

#define GCMD_TE    (1u << 31)
#define GCMD_SRTP  (1u << 30)
#define GCMD_WBF   (1u << 27)
#define GCMD_QIE   (1u << 26)
#define GCMD_IRE   (1u << 25)
#define GCMD_SIRTP (1u << 24)
#define GCMD_CFI   (1u << 23)
#define GSTS_KEPT  0x96800000u /* of these a command states all anew */

#define IN_PROGRESS   (1u << 31) /* upper half of CCMD, IOTLB; PMEN: enable */
#define CCMD_GLOBAL   (1ull << 63 | 1ull << 61)
#define IOTLB_GLOBAL  1ull
#define IOTLB_DOMAIN  2ull
#define PMEN_ACTIVE   1u
#define QI_CONTEXT    (1ull | 1ull << 4) /* all */
#define QI_IOTLB      2ull
#define QI_INTERRUPTS 4ull                            /* all */
#define QI_WAIT       (5ull | 1ull << 5 | 1ull << 32) /* store a 1 */
#define FAULT_PRESENT (1ull << 63)
#define FAULT_READ    (1ull << 62)

#define FECTL_IM          (1u << 31)
#define IRTA_256          7u
#define IRTE_PRESENT      1ull
#define IRTE_LEVEL        (1ull << 4)
#define IRTE_VECTOR(v)    ((uint64_t)(v) << 16)
#define IRTE_XAPIC(id)    ((uint64_t)(id) << 40)
#define REASON_INTERRUPTS 0x20u /* from here on */

#define ENTRY_PRESENT 1ull
#define ENTRY_ADDRESS 0x000ffffffffff000ull
#define SNP           (1ull << 11)

/* Turns a bit of the global command register on or off. */
static void vtd_command(const struct iommu_unit *unit, uint32_t bit, bool on)
{
    uint32_t kept = unit_read32(unit, VTD_GSTS) & GSTS_KEPT & ~bit;
    unit_write32(unit, VTD_GCMD, kept | (on ? bit : 0));
    unit_wait(unit, VTD_GSTS, bit, on ? bit : 0);
}

static uint32_t vtd_widths = 0xe; /* of all units: 3, 4, 5 levels */

/* Narrows what all units can do by what this one can. */
static bool merge_format(const struct iommu_unit *unit)
{
    struct pt_format *f = &iommu.format;
    if (!f->levels)
        *f = (struct pt_format){.table = 3,
                                .leaf = SNP,
                                .large = 1u << 7,
                                .present = 3,
                                .read = 1,
                                .write = 2,
                                .max_level = 3};
    vtd_widths &= CAP_SAGAW(unit->cap);
    f->levels = vtd_widths & 4 ? 4 : vtd_widths & 2 ? 3 : 5;
    uint32_t pages = CAP_SLLPS(unit->cap);
    f->max_level = MIN(f->max_level, pages == 3 ? 3 : pages & 1 ? 2 : 1);
    f->write_back |= !(unit->ecap & ECAP_C);
    f->leaf &= unit->ecap & ECAP_SC ? SNP : 0;
    iommu.bits = MIN(iommu.bits, MIN(CAP_MGAW(unit->cap) + 1, PAGE_SHIFT + 9 * f->levels));
    iommu_domains = MIN(iommu_domains, 16u << 2 * CAP_ND(unit->cap));
    return vtd_widths;
}

static bool vtd_probe(struct iommu_unit *unit)
{
    unit->cap = unit_read64(unit, VTD_CAP);
    unit->ecap = unit_read64(unit, VTD_ECAP);
    uint32_t faults_end = CAP_FRO(unit->cap) + 16 * CAP_NFR(unit->cap) + 16;
    if (unit_read32(unit, VTD_VER) == UINT32_MAX || !merge_format(unit) ||
        MAX(faults_end, ECAP_IRO(unit->ecap) + 16) > unit->acpi->size)
        return false;
    if ((unit->ecap & (ECAP_IR | ECAP_QI)) != (ECAP_IR | ECAP_QI))
        iommu_no_routes();
    unit->tell_mapped = unit->cap & (CAP_CM | CAP_RWBF);
    unit->table = kmem_pages(0);
    return unit->table && (!(unit->ecap & ECAP_QI) || unit_make_queue(unit, VTD_IQT));
}

/* What the chip set may still hold of our writes to the tables. */
static void flush_writes(const struct iommu_unit *unit)
{
    if (unit->cap & CAP_RWBF) {
        unit_write32(unit, VTD_GCMD, (unit_read32(unit, VTD_GSTS) & GSTS_KEPT) | GCMD_WBF);
        unit_wait(unit, VTD_GSTS, GCMD_WBF, 0);
    }
}

/* The caches of root and context entries, for all functions: a unit with caching mode on files
 * those that are not present under no domain. */
static void vtd_flush_functions(struct iommu_unit *unit, uint32_t first, uint32_t count)
{
    (void)first, (void)count;
    flush_writes(unit);
    if (unit->queue) {
        unit_command(unit, QI_CONTEXT, 0);
        unit_complete(unit, QI_WAIT, kva_to_hpa((void *)unit->done).v);
        return;
    }
    unit_write64(unit, VTD_CCMD, CCMD_GLOBAL);
    unit_wait(unit, VTD_CCMD + 4, IN_PROGRESS, 0);
}

/* With reads and writes drained where the unit can. */
static void flush_iotlb(struct iommu_unit *unit, uint64_t granularity, uint64_t domain)
{
    uint64_t drain = CAP_DRAIN(unit->cap);
    if (unit->queue) {
        unit_command(unit, QI_IOTLB | granularity << 4 | drain << 6 | domain << 16, 0);
        unit_complete(unit, QI_WAIT, kva_to_hpa((void *)unit->done).v);
        return;
    }
    uint32_t reg = ECAP_IRO(unit->ecap) + 8;
    unit_write64(unit, reg, 1ull << 63 | granularity << 60 | drain << 48 | domain << 32);
    unit_wait(unit, reg + 4, IN_PROGRESS, 0);
}

static void vtd_flush(struct iommu_unit *unit, uint32_t domain)
{
    flush_writes(unit);
    flush_iotlb(unit, IOTLB_DOMAIN, domain);
}

/* Extended interrupt mode stays off: ids have eight bits. (Intel VT-d specification, "Interrupt
 * Remapping Table Entry for Remapped Interrupts".) */
static void vtd_route(uint8_t vector, uint32_t apic_id, bool level)
{
    uint64_t *entry = (uint64_t *)iommu_routes + 2 * vector;
    uint64_t low = IRTE_PRESENT | IRTE_VECTOR(vector) | IRTE_XAPIC(apic_id);
    __atomic_store_n(entry, apic_id == UINT32_MAX ? 0 : low | (level ? IRTE_LEVEL : 0),
                     __ATOMIC_RELEASE);
    cache_write_back(entry, sizeof(*entry));
}

static void vtd_flush_routes(struct iommu_unit *unit)
{
    unit_command(unit, QI_INTERRUPTS, 0);
    unit_complete(unit, QI_WAIT, kva_to_hpa((void *)unit->done).v);
}

static void vtd_report(struct iommu_unit *unit, bool on)
{
    unit_write32(unit, VTD_FECTL, on ? 0 : FECTL_IM);
}

static void vtd_start(struct iommu_unit *unit)
{
    /* Firmware may have left it on. */
    vtd_command(unit, GCMD_TE, false);
    vtd_command(unit, GCMD_IRE, false);
    vtd_command(unit, GCMD_QIE, false);
    vtd_command(unit, GCMD_CFI, false);
    unit_write64(unit, VTD_RTADDR, kva_to_hpa(unit->table).v);
    cache_write_back(unit->table, PAGE_SIZE);
    vtd_command(unit, GCMD_SRTP, true);
    if (unit->queue) {
        unit_write64(unit, VTD_IQT, 0);
        unit_write64(unit, VTD_IQA, kva_to_hpa(unit->queue).v);
        vtd_command(unit, GCMD_QIE, true);
    }
    vtd_flush_functions(unit, 0, 0);
    flush_iotlb(unit, IOTLB_GLOBAL, 0);
    if (iommu_routes) {
        cache_write_back(iommu_routes, PAGE_SIZE);
        unit_write64(unit, VTD_IRTA, kva_to_hpa(iommu_routes).v | IRTA_256);
        vtd_command(unit, GCMD_SIRTP, true);
        vtd_flush_routes(unit);
        vtd_command(unit, GCMD_IRE, true); /* messages of the old form are stopped */
    }
    uint64_t address;
    uint32_t data;
    apic_msi(0, VEC_IOMMU, &address, &data);
    unit_write32(unit, VTD_FEDATA, data);
    unit_write32(unit, VTD_FEADDR, (uint32_t)address);
    unit_write32(unit, VTD_FEUADDR, (uint32_t)(address >> 32));
    vtd_report(unit, true);
    vtd_command(unit, GCMD_TE, true);
    if (unit->cap & CAP_PMR) { /* from here on they would only be in the way */
        unit_write32(unit, VTD_PMEN, 0);
        unit_wait(unit, VTD_PMEN, PMEN_ACTIVE, 0);
    }
}

static uint64_t *context_entry(const struct iommu_unit *unit, uint32_t function)
{
    uint64_t root = unit->table[2 * (function >> 8)];
    uint64_t *contexts = hpa_to_kva(hpa(root & ENTRY_ADDRESS));
    return root & ENTRY_PRESENT ? &contexts[2 * (function & 0xff)] : NULL;
}

static void context_store(const struct iommu_unit *unit, uint64_t *entry, uint64_t value)
{
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
    if (!(unit->ecap & ECAP_C))
        cache_write_back(entry, sizeof(*entry));
}

static bool vtd_attach(struct iommu_unit *unit, uint32_t function, hpa_t root, uint32_t domain)
{
    if (!context_entry(unit, function)) {
        uint64_t *contexts = kmem_pages(0);
        if (!contexts)
            return false;
        cache_write_back(contexts, PAGE_SIZE);
        context_store(unit, &unit->table[2 * (function >> 8)],
                      kva_to_hpa(contexts).v | ENTRY_PRESENT);
    }
    uint64_t *entry = context_entry(unit, function);
    cache_write_back(hpa_to_kva(root), PAGE_SIZE);
    context_store(unit, entry + 1, (uint64_t)domain << 8 | (iommu.format.levels - 2));
    context_store(unit, entry, root.v | ENTRY_PRESENT);
    return true;
}

static void vtd_detach(struct iommu_unit *unit, uint32_t function)
{
    uint64_t *entry = context_entry(unit, function);
    if (entry)
        context_store(unit, entry, 0);
}

static const char *vtd_reason(uint32_t code)
{
    static const char *const text[] = {[1] = "nothing is mapped for its bus",
                                       [2] = "nothing is mapped for it",
                                       [4] = "beyond the width of addresses",
                                       [5] = "not mapped for writing",
                                       [6] = "not mapped for reading"};
    return code < ARRAY_LEN(text) && text[code] ? text[code] : "a damaged table or request";
}

static void vtd_faults(struct iommu_unit *unit)
{
    for (uint32_t i = 0; i <= CAP_NFR(unit->cap); i++) {
        uint32_t reg = CAP_FRO(unit->cap) + 16 * i;
        uint64_t high = unit_read64(unit, reg + 8), address = unit_read64(unit, reg);
        uint32_t code = high >> 32 & 0xff;
        if (!(high & FAULT_PRESENT))
            continue;
        if (code >= REASON_INTERRUPTS)
            unit_fault(unit, high & 0xffff, "interrupt", address >> 48, "it is nobody's", code);
        else
            unit_fault(unit, high & 0xffff, high & FAULT_READ ? "read of" : "write to",
                       address & ~PAGE_MASK, vtd_reason(code), code);
        unit_write32(unit, reg + 12, (uint32_t)(FAULT_PRESENT >> 32));
    }
    unit_write32(unit, VTD_FSTS, unit_read32(unit, VTD_FSTS)); /* overflow, errors: 1 clears */
}

const struct iommu_ops vtd_ops = {
    .name = "VT-d",
    .probe = vtd_probe,
    .start = vtd_start,
    .attach = vtd_attach,
    .detach = vtd_detach,
    .flush_functions = vtd_flush_functions,
    .flush = vtd_flush,
    .route = vtd_route,
    .flush_routes = vtd_flush_routes,
    .report = vtd_report,
    .faults = vtd_faults,
};
