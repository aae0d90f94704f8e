/* SPDX-License-Identifier: BSD-2-Clause */
/* Host bridge (Intel Q35 MCH) and LPC bridge (ICH9), as far as systems look at them: identity, the
 * ECAM base, the PM base, and the routing of PCI interrupt lines to the 8259s. */
#ifndef VMM_Q35_H
#define VMM_Q35_H

#include "vmm/i8259.h"
#include "vmm/pci.h"

struct q35 {
    struct pci_bus *bus;
    struct i8259 *pic;
    struct pci_device host, lpc;
    uint8_t lines;      /* levels of the PCI interrupt lines */
    uint16_t pic_lines; /* what was passed to the 8259s last */
};

void q35_init(struct q35 *q35, struct pci_bus *bus, struct i8259 *pic, unsigned host_slot,
              unsigned lpc_slot);
/* The level of PCI line 0..3 changed: passes it on to the 8259s as PIRQ[A-D]_ROUT say. */
void q35_pirq(struct q35 *q35, unsigned line, bool level);
/* ISA IRQ that firmware routed a PCI line to, for the interrupt line registers. */
uint8_t q35_pirq_default(unsigned line);

#endif
