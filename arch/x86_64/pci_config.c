/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/pci_config.h"

#include "arch/x86_64/insn.h"

/* PCI Local Bus specification, "Configuration Mechanism #1". */
#define CONFIG_ADDRESS 0xcf8u
#define CONFIG_DATA    0xcfcu
#define CONFIG_ENABLE  0x80000000u

uint32_t pci_config_read(uint32_t function, uint32_t offset)
{
    outl(CONFIG_ADDRESS, CONFIG_ENABLE | function << 8 | (offset & 0xfc));
    return inl(CONFIG_DATA);
}

void pci_config_write(uint32_t function, uint32_t offset, uint32_t value)
{
    outl(CONFIG_ADDRESS, CONFIG_ENABLE | function << 8 | (offset & 0xfc));
    outl(CONFIG_DATA, value);
}
