/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel needs of ACPI, read once at boot with bounds and checksums. Arrays are sized from
 * the tables. */
#ifndef ARCH_ACPI_H
#define ARCH_ACPI_H

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
struct acpi_override {
    uint32_t irq, gsi, flags; /* IRQ_LEVEL, IRQ_ACTIVE_LOW */
};
struct acpi_mem_domain {
    uint64_t base, size;
    uint32_t domain;
};

/* DMA remapping units. Requester ids are PCI segment << 16 | bus << 8 | device << 3 | function. */
struct acpi_iommu {
    uint64_t base, size; /* of its registers; size: bytes, as far as is known */
    uint32_t segment;
    bool rest;                     /* stands before what no unit of the segment names */
    uint32_t function, capability; /* AMD: itself as a PCI function */
};
/* A unit stands before the requester ids first to last. */
struct acpi_dma_scope {
    uint32_t first, last, unit;
};
/* Memory that firmware keeps for DMA of first to last. */
struct acpi_dma_range {
    uint64_t base, size; /* page granular */
    uint32_t first, last;
};

struct acpi_info {
    uint64_t root; /* host-physical address of XSDT or RSDT, 0: no ACPI */
    uint64_t lapic_base;
    struct acpi_cpu *cpu;
    struct acpi_ioapic *ioapic;
    struct acpi_override *override;
    struct acpi_mem_domain *mem_domain;
    struct acpi_iommu *iommu;
    struct acpi_dma_scope *dma_scope;
    struct acpi_dma_range *dma_range;
    enum dma_kind dma; /* of the units */
    bool iommu_ioapic; /* AMD: the tables say under which id an I/O APIC sends */
    uint32_t iommu_count, dma_scope_count, dma_range_count;
    uint32_t cpu_count, ioapic_count, override_count, mem_domain_count;
    uint32_t nmi_lint;  /* LINT pin of NMI for all CPUs: 0, 1; 2: none */
    uint64_t mcfg_base; /* segment 0, 0: none */
    uint32_t mcfg_bus_start, mcfg_bus_end;
    uint64_t hpet_base;
    uint16_t pm_timer_port;
    bool pm_timer_32bit;
};
extern struct acpi_info acpi;

/* Reads the tables below the RSDP, of which the loader brought `length` bytes. Problems are logged
 * by table name; the rest is still used. */
void acpi_init(const void *rsdp, uint32_t length);

#endif
