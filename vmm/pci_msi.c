/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/pci_msi.h"

#define CAP_MSI            0x05u
#define CAP_MSI_LENGTH     14u
#define MSI_CONTROL        2u
#define MSI_CONTROL_ENABLE 0x01u
#define MSI_CONTROL_64BIT  0x80u
#define MSI_ADDRESS        4u
#define MSI_ADDRESS_HIGH   8u
#define MSI_DATA           12u

void pci_msi_init(struct pci_msi *msi, struct pci_device *device)
{
    *msi = (struct pci_msi){.device = device};
    msi->capability = pci_add_capability(device, CAP_MSI, CAP_MSI_LENGTH);
    device->config[msi->capability + MSI_CONTROL] = MSI_CONTROL_64BIT;
    device->writable[msi->capability + MSI_CONTROL] = MSI_CONTROL_ENABLE;
    for (unsigned i = MSI_ADDRESS; i < CAP_MSI_LENGTH; i++)
        device->writable[msi->capability + i] = i == MSI_ADDRESS ? 0xfc : 0xff;
}

bool pci_msi_enabled(const struct pci_msi *msi)
{
    return msi->device->config[msi->capability + MSI_CONTROL] & MSI_CONTROL_ENABLE;
}

void pci_msi_send(struct pci_msi *msi)
{
    const struct pci_device *device = msi->device;
    if (!pci_msi_enabled(msi) || !pci_is_master(device)) /* a message is a write of the device */
        return;
    uint64_t high = pci_get(device, msi->capability + MSI_ADDRESS_HIGH, 4);
    msi->sent++;
    msi_send(device->bus->machine, high << 32 | pci_get(device, msi->capability + MSI_ADDRESS, 4),
             pci_get(device, msi->capability + MSI_DATA, 2));
}
