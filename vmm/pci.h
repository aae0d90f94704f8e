/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI bus 0: configuration mechanism #1 and ECAM, type 0 headers, base address registers,
 * capability lists, INTx (PCI Local Bus Specification 3.0, chapter 6; PCI Express Base
 * Specification, "PCI Express Enhanced Configuration Access Mechanism"). */
#ifndef VMM_PCI_H
#define VMM_PCI_H

#include "vmm/device.h"

#define PCI_SLOTS  32u
#define PCI_BARS   6u
#define PCI_CONFIG 256u
#define PCI_PIRQS  4u /* interrupt lines: pin p of slot s is on line (s + p) % 4, GSI 16 + line */

#define PCI_COMMAND        0x04u
#define PCI_STATUS         0x06u
#define PCI_BAR0           0x10u
#define PCI_CAPABILITIES   0x34u
#define PCI_INTERRUPT_LINE 0x3cu
#define PCI_INTERRUPT_PIN  0x3du

#define PCI_COMMAND_IO     0x001u
#define PCI_COMMAND_MEMORY 0x002u
#define PCI_COMMAND_MASTER 0x004u
#define PCI_COMMAND_NOINTX 0x400u

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEMORY };

struct pci_device;

struct pci_bar {
    uint8_t kind; /* enum pci_bar_kind */
    bool mapped;
    uint32_t size;    /* power of two */
    uint32_t address; /* while mapped */
    struct pio_region pio;
    struct mmio_region mmio;
    /* Told after each change; NULL: not interested. */
    void (*moved)(void *dev, bool mapped, uint32_t address);
    void *moved_dev;
};

struct pci_bus;

struct pci_device {
    struct pci_bus *bus;
    const char *name;
    uint8_t slot;
    bool intx;
    uint8_t config[PCI_CONFIG];
    uint8_t writable[PCI_CONFIG]; /* bits that software can change */
    uint8_t capabilities_end;     /* first byte of configuration space not used by a capability */
    uint8_t last_capability;
    struct pci_bar bar[PCI_BARS];
    /* For registers with side effects; NULL: none. Called before a read, and after a write. */
    void (*config_read)(struct pci_device *device, unsigned offset, unsigned size);
    void (*config_written)(struct pci_device *device, unsigned offset, unsigned size);
    uint64_t config_reads, config_writes;
};

struct pci_bus {
    struct machine *machine;
    uint32_t address; /* port 0xcf8 */
    struct pci_device *device[PCI_SLOTS];
    uint32_t asserted[PCI_PIRQS]; /* slots that pull a line */
    void (*pirq)(void *dev, unsigned line, bool level);
    void *pirq_dev;
    struct pio_region ports;
    struct mmio_region ecam;
    bool ecam_mapped;
};

struct pci_identity {
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint32_t class_code; /* 24 bits */
    uint8_t revision;
    uint8_t interrupt_pin; /* 1 = INTA#, 0: none */
};

void pci_bus_init(struct pci_bus *bus, struct machine *machine,
                  void (*pirq)(void *dev, unsigned line, bool level), void *pirq_dev);

/* Puts a zeroed device into a slot. */
void pci_device_init(struct pci_device *device, struct pci_bus *bus, unsigned slot,
                     const char *name, const struct pci_identity *identity);
/* Size: power of two, at least 4 (I/O) or 4096 (memory). */
void pci_add_bar(struct pci_device *device, unsigned number, enum pci_bar_kind kind, uint32_t size,
                 const struct region_ops *ops, void *dev);
/* Room for a capability of length bytes; returns its offset. Its first two bytes are filled. */
unsigned pci_add_capability(struct pci_device *device, uint8_t id, unsigned length);

/* Configuration space by bytes, with all side effects. offset up to 4095. */
uint32_t pci_config_read(struct pci_device *device, unsigned offset, unsigned size);
void pci_config_write(struct pci_device *device, unsigned offset, unsigned size, uint32_t value);

/* Little-endian fields of the device's own configuration bytes, without side effects. */
uint32_t pci_get(const struct pci_device *device, unsigned offset, unsigned size);
void pci_put(struct pci_device *device, unsigned offset, unsigned size, uint32_t value);

/* Level of the device's INTx pin. */
void pci_set_intx(struct pci_device *device, bool level);
bool pci_is_master(const struct pci_device *device);
/* Command register and status to their reset values; BARs keep their addresses but are not decoded.
 */
void pci_device_reset(struct pci_device *device);
/* What firmware does: gives every BAR an address; enable: also decodes them. */
void pci_assign(struct pci_bus *bus, bool enable);
/* The configuration window's place, or none. */
void pci_move_ecam(struct pci_bus *bus, uint64_t base, bool enabled);

#endif
