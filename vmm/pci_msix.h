/* SPDX-License-Identifier: BSD-2-Clause */
/* MSI-X: a capability, and a table and a pending bit array that fill one 4 KiB memory BAR (PCI
 * Local Bus Specification 3.0, "MSI-X Capability and Table Structure"). */
#ifndef VMM_PCI_MSIX_H
#define VMM_PCI_MSIX_H

#include "vmm/pci.h"

#define MSIX_VECTORS 32u

struct msix_entry {
    uint32_t address_low, address_high, data, control;
};

struct pci_msix {
    struct pci_device *device;
    unsigned capability; /* offset in configuration space */
    unsigned vectors;
    struct msix_entry entry[MSIX_VECTORS];
    uint32_t pending;
    uint64_t sent;
};

/* vectors: 1..MSIX_VECTORS. Adds memory BAR number bar. */
void pci_msix_init(struct pci_msix *msix, struct pci_device *device, unsigned bar,
                   unsigned vectors);
void pci_msix_reset(struct pci_msix *msix);
bool pci_msix_enabled(const struct pci_msix *msix);
/* Sends the vector's message, or marks it pending while masked. Out of range: nothing. */
void pci_msix_send(struct pci_msix *msix, unsigned vector);
/* To be called from the device's config_written: unmasking sends what is pending. */
void pci_msix_config_written(struct pci_msix *msix);

#endif
