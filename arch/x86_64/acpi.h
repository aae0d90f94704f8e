/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel needs of ACPI, read once at boot with bounds and checksums. Arrays are sized from
 * the tables. */
#ifndef ARCH_ACPI_H
#define ARCH_ACPI_H

#include "lib/types.h"

struct acpi_cpu {
    uint32_t apic_id, uid, domain; /* domain: SRAT proximity domain */
    bool enabled;
};
struct acpi_ioapic {
    uint64_t address;
    uint32_t gsi_base, id;
};
struct acpi_override {
    uint32_t irq, gsi, flags; /* IRQ_LEVEL, IRQ_ACTIVE_LOW */
};
struct acpi_mem_domain {
    uint64_t base, size;
    uint32_t domain;
};
struct acpi_gas {
    uint8_t space; /* 0 memory, 1 I/O */
    uint8_t width;
    uint64_t address;
};

struct acpi_info {
    uint64_t rsdp; /* host-physical, 0: no ACPI */
    uint64_t lapic_base;
    struct acpi_cpu *cpu;
    uint32_t cpu_count;
    struct acpi_ioapic *ioapic;
    uint32_t ioapic_count;
    struct acpi_override *override;
    uint32_t override_count;
    struct acpi_mem_domain *mem_domain;
    uint32_t mem_domain_count;
    uint32_t nmi_lint;  /* LINT pin of NMI for all CPUs: 0, 1; 2: none */
    uint64_t mcfg_base; /* segment 0, 0: none */
    uint32_t mcfg_bus_start, mcfg_bus_end;
    uint64_t hpet_base;
    uint32_t pm_timer_port;
    bool pm_timer_32bit;
    uint16_t pm1a_control, pm1b_control;
    uint8_t s5_type_a, s5_type_b;
    bool s5_valid; /* \_S5 was found in the DSDT */
    struct acpi_gas reset;
    uint8_t reset_value;
    bool reset_valid;
};
extern struct acpi_info acpi;

/* For loaders that hand over the RSDP's bytes and not its place: used by acpi_init(0). */
void acpi_use_rsdp_copy(const void *rsdp, uint32_t length);
/* Where UEFI's system table, at this host-physical address, says that the RSDP lies; 0: it does
 * not. */
uint64_t acpi_rsdp_from_efi(uint64_t system_table);
/* Reads the tables below the RSDP. Problems are logged by table name; the rest is still used.
 * rsdp 0: the copy, else a search in the BIOS area. */
void acpi_init(uint64_t rsdp);
/* Does not return if it worked. */
void acpi_poweroff(void);
void acpi_reset(void);

#endif
