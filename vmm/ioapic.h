/* SPDX-License-Identifier: BSD-2-Clause */
/* The I/O APIC: 24 inputs, version 0x20 with the EOI register (82093AA data sheet; ICH9 data sheet,
 * "APIC Direct Registers", which adds EOIR). */
#ifndef VMM_IOAPIC_H
#define VMM_IOAPIC_H

#include "vmm/device.h"

#define IOAPIC_PINS 24u

/* Redirection table entry. */
#define RTE_VECTOR     0xffull
#define RTE_DELIVERY   0x700ull
#define RTE_LOGICAL    0x800ull
#define RTE_STATUS     0x1000ull
#define RTE_REMOTE_IRR 0x4000ull
#define RTE_LEVEL      0x8000ull
#define RTE_MASK       0x10000ull

struct ioapic {
    struct machine *machine;
    uint64_t rte[IOAPIC_PINS];
    uint32_t lines;                 /* input levels */
    uint32_t unserved[IOAPIC_PINS]; /* EOIs in a row that found the line still active */
    struct dev_timer pause;
    uint32_t id;
    uint8_t select;
    struct mmio_region region;
    uint64_t sent[IOAPIC_PINS];
    uint64_t eois;
};

void ioapic_init(struct ioapic *ioapic, struct machine *machine);
void ioapic_reset(struct ioapic *ioapic);
void ioapic_set_irq(struct ioapic *ioapic, unsigned pin, bool level);
/* EOI message for a vector: level-triggered inputs that are still active ask again. */
void ioapic_eoi(struct ioapic *ioapic, uint8_t vector);

#endif
