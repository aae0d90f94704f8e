/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's I/O APICs. A GSI that ring 3 does not own stays masked. */
#ifndef ARCH_IOAPIC_H
#define ARCH_IOAPIC_H

#include "lib/types.h"

struct acpi_info;
/* Maps all of MADT, masks every pin, switches the 8259s off. */
void ioapic_init(const struct acpi_info *acpi);
/* false: no I/O APIC has that GSI. flags: IRQ_* of abi/thread.h without IRQ_ISA. Leaves it masked.
 */
bool ioapic_route(uint32_t gsi, uint32_t flags, uint32_t cpu, uint8_t vector);
void ioapic_mask(uint32_t gsi);
void ioapic_unmask(uint32_t gsi);
/* ISA IRQ (below 16) -> GSI and flags by the MADT's interrupt source overrides. */
uint32_t ioapic_isa(uint32_t irq, uint32_t *flags);

#endif
