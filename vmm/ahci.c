/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/ahci.h"

#define HBA_CAP 0x00u
#define HBA_GHC 0x04u
#define HBA_IS  0x08u
#define HBA_PI  0x0cu
#define HBA_VS  0x10u

#define CAP_64BIT   (1u << 31)
#define CAP_NCQ     (1u << 30)
#define CAP_SPEED   (3u << 20) /* 6 Gbit/s */
#define CAP_ONLY    (1u << 18) /* AHCI mode only */
#define CAP_PARTIAL (1u << 13) /* partial and slumber states: entered, without effect */
#define CAP_SLOTS   ((AHCI_SLOTS - 1) << 8)

#define GHC_AE (1u << 31)
#define GHC_IE (1u << 1)
#define GHC_HR (1u << 0)

#define HBA_VERSION 0x00010301u
#define ABAR        5u /* ABAR */
#define ABAR_SIZE   0x2000u
#define PORT_BASE   0x100u
#define PORT_SIZE   0x80u

/* --- interrupts --- */

/* Port interrupt bits that its PxIE lets through. */
static uint32_t hba_pending(const struct ahci *ahci)
{
    uint32_t ports = 0;
    for (unsigned i = 0; i < ahci->ports; i++) {
        if (ahci_port_read(&ahci->port[i], 0x10) & ahci_port_read(&ahci->port[i], 0x14))
            ports |= 1u << i;
    }
    return ports;
}

void ahci_interrupt(struct ahci *ahci)
{
    ahci->is |= hba_pending(ahci);
    uint32_t wanted = ahci->ghc & GHC_IE ? ahci->is : 0, news = wanted & ~ahci->told;
    ahci->told = wanted;
    if (pci_msi_enabled(&ahci->msi)) {
        pci_set_intx(&ahci->pci, false);
        if (news)
            pci_msi_send(&ahci->msi);
    } else {
        pci_set_intx(&ahci->pci, wanted != 0);
    }
}

/* --- registers --- */

/* HBA reset: ends when no disk works with the guest's memory any more. */
static void hba_reset(struct ahci *ahci)
{
    ahci->ghc = GHC_AE | GHC_HR;
    ahci->is = ahci->told = 0;
    for (unsigned i = 0; i < ahci->ports; i++)
        ahci_port_reset(&ahci->port[i]);
}

static void hba_settle(struct ahci *ahci)
{
    bool idle = true;
    for (unsigned i = 0; i < ahci->ports; i++)
        idle &= ahci_port_is_idle(&ahci->port[i]);
    if (idle)
        ahci->ghc &= ~GHC_HR;
}

static uint64_t hba_register_read(void *dev, uint64_t offset, unsigned size)
{
    const struct ahci *ahci = dev;
    unsigned at = (unsigned)offset & ~3u, port = (at - PORT_BASE) / PORT_SIZE;
    uint32_t value = 0;
    if (at >= PORT_BASE)
        value = port < ahci->ports ? ahci_port_read(&ahci->port[port], at % PORT_SIZE) : 0;
    else if (at == HBA_CAP)
        value = CAP_64BIT | CAP_NCQ | CAP_SPEED | CAP_ONLY | CAP_PARTIAL | CAP_SLOTS |
                (ahci->ports - 1);
    else if (at == HBA_GHC)
        value = ahci->ghc;
    else if (at == HBA_IS)
        value = ahci->is;
    else if (at == HBA_PI)
        value = (1u << ahci->ports) - 1;
    else if (at == HBA_VS)
        value = HBA_VERSION;
    value >>= 8 * (offset & 3u);
    return size < 4 ? value & ((1u << 8 * size) - 1) : value;
}

static void write_global(struct ahci *ahci, unsigned at, uint32_t value)
{
    if (at == HBA_GHC) {
        ahci->ghc = GHC_AE | (value & GHC_IE) | (ahci->ghc & GHC_HR);
        if (value & GHC_HR)
            hba_reset(ahci);
    } else if (at == HBA_IS) {
        ahci->is &= ~value;
        ahci->told = 0; /* what remains is told again */
    }
}

/* The specification asks for whole aligned registers; other writes are ignored. */
static void hba_register_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct ahci *ahci = dev;
    unsigned at = (unsigned)offset, port = (at - PORT_BASE) / PORT_SIZE;
    if (size != 4 || at % 4)
        return;
    if (at < PORT_BASE)
        write_global(ahci, at, (uint32_t)value);
    else if (port < ahci->ports)
        ahci_port_write(&ahci->port[port], at % PORT_SIZE, (uint32_t)value);
    hba_settle(ahci);
    ahci_interrupt(ahci);
}

/* --- from outside --- */

void ahci_event(struct ahci *ahci, unsigned port)
{
    ahci_port_pump(&ahci->port[port]);
    hba_settle(ahci);
}

void ahci_init(struct ahci *ahci, struct pci_bus *bus, unsigned slot, uint8_t interrupt_line,
               struct disk *const *disk, unsigned ports)
{
    static const struct region_ops ops = {hba_register_read, hba_register_write};
    static const struct pci_identity ich9 = {.vendor = 0x8086,
                                             .device = 0x2922,
                                             .class_code = 0x010601,
                                             .revision = 2,
                                             .interrupt_pin = 1};
    memset(ahci, 0, sizeof *ahci);
    ahci->machine = bus->machine;
    ahci->ports = ports;
    ahci->ghc = GHC_AE;
    pci_device_init(&ahci->pci, bus, slot, "ahci", &ich9);
    ahci->pci.config[PCI_INTERRUPT_LINE] = interrupt_line;
    pci_msi_init(&ahci->msi, &ahci->pci);
    pci_add_bar(&ahci->pci, ABAR, PCI_BAR_MEMORY, ABAR_SIZE, &ops, ahci);
    for (unsigned i = 0; i < ports; i++)
        ahci_port_init(&ahci->port[i], ahci, i, disk[i]);
}
