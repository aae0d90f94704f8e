/* SPDX-License-Identifier: BSD-2-Clause */
/* Enhanced Configuration Access Mechanism: 1 MiB a bus, 4 KiB a function, as memory. */
#include "drivers/pci/pci.h"

static volatile uint32_t *word(const struct pci_access *access, pci_id_t id, uint32_t offset)
{
    volatile uint8_t *window = access->context;
    uint64_t function = (uint64_t)id.v - ((uint64_t)access->bus_first << 8);
    return (volatile uint32_t *)(window + function * PCI_CONFIG_SIZE + offset);
}

static uint32_t ecam_read(const struct pci_access *access, pci_id_t id, uint32_t offset)
{
    return *word(access, id, offset);
}

static void ecam_write(const struct pci_access *access, pci_id_t id, uint32_t offset,
                       uint32_t value)
{
    *word(access, id, offset) = value;
}

struct pci_access pci_ecam(volatile void *window, uint32_t bus_first, uint32_t bus_last)
{
    return (struct pci_access){ecam_read, ecam_write, (void *)(uintptr_t)window, bus_first,
                               bus_last};
}
