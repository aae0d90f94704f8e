/* SPDX-License-Identifier: BSD-2-Clause */
/* Message-signalled interrupts, one message, 64-bit address, no masking (PCI Local Bus
 * Specification 3.0, "MSI Capability and Table Structures"). */
#ifndef VMM_PCI_MSI_H
#define VMM_PCI_MSI_H

#include "vmm/pci.h"

struct pci_msi {
    struct pci_device *device;
    unsigned capability;
    uint64_t sent;
};

void pci_msi_init(struct pci_msi *msi, struct pci_device *device);
bool pci_msi_enabled(const struct pci_msi *msi);
void pci_msi_send(struct pci_msi *msi);

#endif
