/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration mechanism #1: an address and a data port, 256 bytes a function (PCI Local Bus
 * Specification, "Software Generation of Configuration Transactions"). */
#include "drivers/pci/pci.h"

#define CONFIG_ADDRESS 0xcf8u
#define CONFIG_DATA    0xcfcu
#define ENABLE         0x80000000u
#define CONFIG_BYTES   256u

static void port_out(uint32_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %w1" : : "a"(value), "Nd"(port) : "memory");
}

static uint32_t port_in(uint32_t port)
{
    uint32_t value;
    __asm__ volatile("inl %w1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static uint32_t mechanism1_read(const struct pci_access *access, pci_id_t id, uint32_t offset)
{
    (void)access;
    if (offset >= CONFIG_BYTES)
        return UINT32_MAX;
    port_out(CONFIG_ADDRESS, ENABLE | (uint32_t)id.v << 8 | offset);
    return port_in(CONFIG_DATA);
}

static void mechanism1_write(const struct pci_access *access, pci_id_t id, uint32_t offset,
                             uint32_t value)
{
    (void)access;
    if (offset >= CONFIG_BYTES)
        return;
    port_out(CONFIG_ADDRESS, ENABLE | (uint32_t)id.v << 8 | offset);
    port_out(CONFIG_DATA, value);
}

struct pci_access pci_mechanism1(void)
{
    return (struct pci_access){
        .read = mechanism1_read, .write = mechanism1_write, .bus_first = 0, .bus_last = 255};
}
