/* SPDX-License-Identifier: BSD-2-Clause */
/* Message-signalled interrupts (PCI Local Bus Specification, "MSI and MSI-X Capability"). */
#include "drivers/pci/pci.h"

#include <stddef.h>

#define MSI_ENABLE    (1u << 16) /* message control is the upper half of the first word */
#define MSI_MULTIPLE  (7u << 20)
#define MSI_64        (1u << 23)
#define MSI_MASKABLE  (1u << 24)
#define MSI_ADDRESS   4u
#define MSIX_ENABLE   (1u << 31)
#define MSIX_MASK_ALL (1u << 30)
#define MSIX_TABLE    4u
#define MSIX_PBA      8u
#define MSIX_ENTRY    16u
#define MSIX_BIR      7u

bool pci_msi_enable(const struct pci_access *access, const struct pci_device *device,
                    uint64_t address, uint32_t data)
{
    uint32_t at = device->cap_msi;
    pci_id_t id = device->id;
    if (!at)
        return false;
    uint32_t control = access->read(access, id, at) & ~(MSI_ENABLE | MSI_MULTIPLE);
    if (address >> 32 && !(control & MSI_64))
        return false;
    uint32_t data_at = at + (control & MSI_64 ? 12u : 8u);
    access->write(access, id, at, control);
    access->write(access, id, at + MSI_ADDRESS, (uint32_t)address);
    if (control & MSI_64)
        access->write(access, id, at + MSI_ADDRESS + 4, (uint32_t)(address >> 32));
    access->write(access, id, data_at, data & 0xffffu);
    if (control & MSI_MASKABLE)
        access->write(access, id, data_at + 4, 0);
    pci_intx(access, device, false);
    access->write(access, id, at, control | MSI_ENABLE);
    return true;
}

void pci_msi_disable(const struct pci_access *access, const struct pci_device *device)
{
    if (!device->cap_msi)
        return;
    uint32_t control = access->read(access, device->id, device->cap_msi);
    access->write(access, device->id, device->cap_msi, control & ~MSI_ENABLE);
}

/* A table of `bytes` at an offset of a BAR. */
static bool fits(const struct pci_device *device, uint32_t bar, uint32_t offset, uint64_t bytes)
{
    if (bar >= PCI_BARS || device->bar[bar].kind != PCI_BAR_MEMORY || !device->bar[bar].base)
        return false;
    return offset <= device->bar[bar].size && bytes <= device->bar[bar].size - offset;
}

const char *pci_msix_read(const struct pci_access *access, const struct pci_device *device,
                          struct pci_msix *msix)
{
    uint32_t at = device->cap_msix;
    *msix = (struct pci_msix){0};
    if (!at)
        return "it has no MSI-X";
    uint32_t table = access->read(access, device->id, at + MSIX_TABLE);
    uint32_t pba = access->read(access, device->id, at + MSIX_PBA);
    uint32_t vectors = (access->read(access, device->id, at) >> 16 & 0x7ffu) + 1;
    uint32_t pending = (vectors + 63) / 64 * 8;
    if (!fits(device, table & MSIX_BIR, table & ~MSIX_BIR, (uint64_t)vectors * MSIX_ENTRY))
        return "its MSI-X table lies in none of its memory BARs";
    if (!fits(device, pba & MSIX_BIR, pba & ~MSIX_BIR, pending))
        return "its MSI-X pending bits lie in none of its memory BARs";
    *msix = (struct pci_msix){vectors, table & MSIX_BIR, table & ~MSIX_BIR, pba & MSIX_BIR,
                              pba & ~MSIX_BIR};
    return NULL;
}

void pci_msix_set(volatile uint32_t *table, uint32_t vector, uint64_t address, uint32_t data,
                  bool masked)
{
    volatile uint32_t *entry = table + (size_t)vector * (MSIX_ENTRY / 4);
    entry[3] = 1;
    entry[0] = (uint32_t)address;
    entry[1] = (uint32_t)(address >> 32);
    entry[2] = data;
    if (!masked)
        entry[3] = 0;
}

void pci_msix_enable(const struct pci_access *access, const struct pci_device *device, bool on)
{
    uint32_t at = device->cap_msix;
    if (!at)
        return;
    uint32_t control = access->read(access, device->id, at) & ~(MSIX_ENABLE | MSIX_MASK_ALL);
    if (on)
        pci_intx(access, device, false);
    access->write(access, device->id, at, on ? control | MSIX_ENABLE : control);
}
