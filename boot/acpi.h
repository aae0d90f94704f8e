/* SPDX-License-Identifier: BSD-2-Clause */
/* What Mullion needs of ACPI at boot, read with bounds and checksums. Arrays are sized from the
 * tables; they lie below 4 GiB, and the pointers are host-physical addresses. */
#ifndef BOOT_ACPI_H
#define BOOT_ACPI_H

#include "abi/kinfo.h"
#include "abi/thread.h"
#include "lib/types.h"

struct acpi_cpu {
    uint32_t apic_id, domain; /* domain: SRAT proximity domain */
    bool enabled;
};
struct acpi_ioapic {
    uint64_t address;
    uint32_t gsi_base;
};
struct acpi_isa_irq {
    uint32_t gsi, flags; /* IRQ_LEVEL, IRQ_ACTIVE_LOW */
};
#define ISA_IRQS 16u
struct acpi_mem_domain {
    uint64_t base, size;
    uint32_t domain;
};

/* DMA remapping units. Requester ids are PCI segment << 16 | bus << 8 | device << 3 | function. */
struct acpi_iommu {
    uint64_t base, size; /* of its registers; size: bytes */
    uint32_t segment;
    bool rest;                     /* stands before what no unit of the segment names */
    uint32_t function, capability; /* AMD: itself as a PCI function */
};
/* A unit stands before the requester ids first to last. */
struct acpi_dma_scope {
    uint32_t first, last, unit;
};
/* Memory that firmware keeps for DMA of first to last: no RAM. */
struct acpi_dma_range {
    uint64_t base, size; /* page granular */
    uint32_t first, last;
};
struct acpi_dma {
    struct acpi_iommu *iommu;
    struct acpi_dma_scope *scope;
    struct acpi_dma_range *range;
    enum dma_kind kind; /* of the units */
    bool ioapic;        /* AMD: the table says under which id an I/O APIC sends */
    uint32_t iommu_count, scope_count, range_count;
};

struct acpi_info {
    uint8_t distance[ROOT_NODES][ROOT_NODES]; /* SLIT, of the first nodes; all 0: none */
    uint64_t root; /* host-physical address of XSDT or RSDT, 0: no ACPI */
    uint64_t lapic_base;
    struct acpi_cpu *cpu;
    struct acpi_ioapic *ioapic;
    struct acpi_mem_domain *mem_domain;
    struct acpi_isa_irq isa[ISA_IRQS];
    struct acpi_dma dma;
    uint32_t cpu_count, ioapic_count, mem_domain_count;
    uint32_t nmi_lint;  /* LINT pin of NMI for all CPUs: 0, 1; 2: none */
    uint64_t mcfg_base; /* segment 0, 0: none */
    uint32_t mcfg_bus_start, mcfg_bus_end;
    uint64_t hpet_base;
    uint16_t pm_timer_port;
    bool pm_timer_32bit;
};

#endif
