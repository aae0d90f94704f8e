/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration by mechanism #1; a bdf is bus << 8 | device << 3 | function. */
#include "guest.h"

static void select(uint32_t bdf, uint32_t offset)
{
    outl(0xcf8, 0x80000000u | bdf << 8 | (offset & 0xfcu));
}

uint32_t pci_read(uint32_t bdf, uint32_t offset)
{
    select(bdf, offset);
    return inl(0xcfc);
}

void pci_write(uint32_t bdf, uint32_t offset, uint32_t value)
{
    select(bdf, offset);
    outl(0xcfc, value);
}
