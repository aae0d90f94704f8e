/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration space of PCI segment 0 during boot; afterwards it is ring 3's. */
#ifndef ARCH_PCI_CONFIG_H
#define ARCH_PCI_CONFIG_H

#include "lib/types.h"

/* The 32-bit register that holds byte `offset` (below 256) of the function bus << 8 | device << 3 |
 * function. All ones: nothing there. */
uint32_t pci_config_read(uint32_t function, uint32_t offset);
void pci_config_write(uint32_t function, uint32_t offset, uint32_t value);

#endif
