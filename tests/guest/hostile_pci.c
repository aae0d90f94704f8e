/* SPDX-License-Identifier: BSD-2-Clause */
/* Garbage in every PCI configuration register of every function on bus 0, through both doors, and
 * at every width of the data port. */
#include "lib/guest.h"

static uint32_t garbage = 0x2545f491u;

static uint32_t next(void)
{
    garbage ^= garbage << 13;
    garbage ^= garbage >> 17;
    garbage ^= garbage << 5;
    return garbage;
}

/* Bare, LPC and host bridge own the ports and the ECAM that this very test stands on. */
static bool spare(uint32_t bdf)
{
    uint32_t class = pci_read(bdf, 8) >> 16;
    return class == 0x0600 || class == 0x0601;
}

static void by_ports(uint32_t bdf)
{
    for (uint32_t offset = 0; offset < 256; offset += 4) {
        pci_write(bdf, offset, next());
        (void)pci_read(bdf, offset);
        outl(0xcf8, 0x80000000u | bdf << 8 | offset);
        outb((uint16_t)(0xcfc + (next() & 3)), (uint8_t)next());
        outw((uint16_t)(0xcfc + (next() & 2)), (uint16_t)next());
    }
    pci_write(bdf, 4, 0); /* no bus mastering, no decoding */
}

static void by_ecam(uint32_t bdf)
{
    volatile uint32_t *space = (volatile uint32_t *)(acpi.ecam + ((uint64_t)bdf << 12));
    for (uint32_t i = 0; i < 1024; i++) {
        uint32_t value = next();
        space[i] = i == 1 ? value & ~7u : value;
        (void)space[i];
        ((volatile uint8_t *)&space[i])[next() & 3] = (uint8_t)(i == 1 ? 0 : value);
    }
    space[1] = 0;
}

void guest_main(void)
{
    uint32_t functions = 0;
    for (uint32_t bdf = 0; bdf < 256; bdf++) {
        if (pci_read(bdf, 0) == 0xffffffffu)
            continue;
        functions++;
        if (!spare(bdf))
            by_ports(bdf);
    }
    check("hostile_pci.ports", functions > 0);
    say("info %u functions, ecam 0x%lx\n", functions, acpi.ecam);
    for (uint32_t bdf = 0; acpi.ecam && bdf < 256; bdf++)
        if (pci_read(bdf, 0) != 0xffffffffu && !spare(bdf))
            by_ecam(bdf);
    check("hostile_pci.ecam", true);
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t bdf = next() & 0xffff;
        if (bdf >= 256)
            (void)pci_read(bdf, next() & 0xff);
    }
    check("hostile_pci.absent_functions", true);
}
