/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI Express: what a machine's configuration space says of its devices, and how they are set up
 * (PCI Local Bus Specification 3.0, PCI Express Base Specification). Nothing here trusts a device:
 * whatever it answers, a walk ends, and a device that contradicts itself is left out with a log
 * line. */
#ifndef DRIVERS_PCI_PCI_H
#define DRIVERS_PCI_PCI_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_BARS        6u
#define PCI_CONFIG_SIZE 4096u /* of a function, in ECAM */
#define PCI_NAME        24u

/* Bus, device and function as they stand in a requester id. */
typedef struct {
    uint16_t v;
} pci_id_t;
#define PCI_ID(bus, device, function) \
    ((pci_id_t){(uint16_t)((uint32_t)(bus) << 8 | (uint32_t)(device) << 3 | (uint32_t)(function))})
#define PCI_BUS(id)      ((uint32_t)(id).v >> 8)
#define PCI_DEVICE(id)   ((uint32_t)(id).v >> 3 & 31u)
#define PCI_FUNCTION(id) ((uint32_t)(id).v & 7u)

/* Offsets of the header that others than this library need. */
#define PCI_COMMAND            0x04u
#define PCI_COMMAND_IO         0x0001u
#define PCI_COMMAND_MEMORY     0x0002u
#define PCI_COMMAND_MASTER     0x0004u
#define PCI_COMMAND_NO_INTX    0x0400u
#define PCI_CLASS_HOST_BRIDGE  0x0600u
#define PCI_CLASS_PCI_BRIDGE   0x0604u
#define PCI_CLASS_AHCI         0x010601u /* with the programming interface */
#define PCI_BASE_CLASS_STORAGE 0x01u
#define PCI_BASE_CLASS_NETWORK 0x02u

/* Capability ids. */
#define PCI_CAP_PM      0x01u
#define PCI_CAP_MSI     0x05u
#define PCI_CAP_EXPRESS 0x10u
#define PCI_CAP_MSIX    0x11u
#define PCI_CAP_AF      0x13u

/* Access to configuration space in naturally aligned 32-bit words. */
struct pci_access {
    uint32_t (*read)(const struct pci_access *access, pci_id_t id, uint32_t offset);
    void (*write)(const struct pci_access *access, pci_id_t id, uint32_t offset, uint32_t value);
    void *context;
    uint32_t bus_first, bus_last;
};

/* Access through a mapped ECAM window whose first byte is bus `bus_first`'s. */
struct pci_access pci_ecam(volatile void *window, uint32_t bus_first, uint32_t bus_last);

/* Access by ports 0xcf8 to 0xcff, which the caller may use, where there is no ECAM. */
struct pci_access pci_mechanism1(void);

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_MEMORY, PCI_BAR_IO };

struct pci_bar {
    uint64_t base, size; /* bytes; base 0: firmware gave it no address */
    uint8_t kind;        /* enum pci_bar_kind; the second half of a 64-bit one is NONE */
    bool is_64, prefetchable;
};

struct pci_device {
    pci_id_t id;
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint32_t class_code; /* base class 23:16, subclass 15:8, programming interface 7:0 */
    uint8_t revision, header_type;
    uint8_t interrupt_line, interrupt_pin; /* line 255: not routed; pin 0: no INTx */
    bool multifunction;
    struct pci_bar bar[PCI_BARS];
    /* Offsets of capabilities, 0: none. */
    uint8_t cap_pm, cap_msi, cap_msix, cap_express, cap_af;
    /* Bridges: the buses behind. */
    uint8_t secondary, subordinate;
};

/* Fills devices with what is there, by rising id within a bus, buses in the order in which they are
 * reached; returns how many. Bridges are followed as firmware has set them; a bus that no bridge
 * leads to belongs to a host bridge of its own. Memory decoding of each function is off for the
 * moment in which its BARs are sized. */
uint32_t pci_enumerate(const struct pci_access *access, struct pci_device *devices, uint32_t max);

/* NULL, or what is wrong with the function. Absent functions (vendor 0xffff) have vendor 0. */
const char *pci_probe(const struct pci_access *access, pci_id_t id, struct pci_device *device);
/* NULL, or why a BAR is malformed. Decoding must be off. */
const char *pci_size_bars(const struct pci_access *access, struct pci_device *device);

/* Called for each capability until it returns false. */
typedef bool (*pci_cap_visit)(void *context, uint32_t id, uint32_t offset);
/* NULL, or why the list is malformed. */
const char *pci_walk(const struct pci_access *access, pci_id_t id, pci_cap_visit visit,
                     void *context);
const char *pci_walk_extended(const struct pci_access *access, pci_id_t id, pci_cap_visit visit,
                              void *context);
/* Offset of an extended capability of a PCI Express function; 0: none, or a malformed list. */
uint32_t pci_find_extended(const struct pci_access *access, const struct pci_device *device,
                           uint32_t cap_id);

/* Changes bits of the command register, and leaves the status register, which is cleared by writing
 * ones, alone. */
void pci_command(const struct pci_access *access, pci_id_t id, uint32_t set, uint32_t clear);
/* Function-level reset, by PCI Express or Advanced Features; header and BARs are as before
 * afterwards, bus mastering and interrupts off. false: the function has none. wait(ns) sleeps. */
bool pci_reset_function(const struct pci_access *access, const struct pci_device *device,
                        void (*wait)(uint64_t ns));

/* --- interrupts --- */
/* One message; INTx goes off. false: no MSI, or the address is beyond what the function can send
 * to.
 */
bool pci_msi_enable(const struct pci_access *access, const struct pci_device *device,
                    uint64_t address, uint32_t data);
void pci_msi_disable(const struct pci_access *access, const struct pci_device *device);

struct pci_msix {
    uint32_t vectors; /* 1..2048 */
    uint32_t table_bar, table_offset, pba_bar, pba_offset;
};
/* NULL, or why not: table and pending bits must lie inside memory BARs. */
const char *pci_msix_read(const struct pci_access *access, const struct pci_device *device,
                          struct pci_msix *msix);
/* Writes an entry of the mapped table, masked while it is written. */
void pci_msix_set(volatile uint32_t *table, uint32_t vector, uint64_t address, uint32_t data,
                  bool masked);
/* on: INTx goes off. */
void pci_msix_enable(const struct pci_access *access, const struct pci_device *device, bool on);
/* Lets the function use its INTx pin (on), or not. */
void pci_intx(const struct pci_access *access, const struct pci_device *device, bool on);

/* --- virtio devices --- */
enum pci_virtio_type {
    PCI_VIRTIO_COMMON = 1,
    PCI_VIRTIO_NOTIFY,
    PCI_VIRTIO_ISR,
    PCI_VIRTIO_DEVICE,
    PCI_VIRTIO_TYPES
};
struct pci_virtio_structure {
    uint32_t bar, offset, size;
};
struct pci_virtio {
    struct pci_virtio_structure structure[PCI_VIRTIO_TYPES]; /* all in one BAR, and inside it */
    uint32_t notify_multiplier;
};
/* NULL, or why the device cannot be used. */
const char *pci_virtio_read(const struct pci_access *access, const struct pci_device *device,
                            struct pci_virtio *to);

/* --- names --- */
/* libvirt's: pci_0000_00_1f_2. */
void pci_name(pci_id_t id, char name[PCI_NAME]);
/* "SATA controller (AHCI)"; "unknown device" for classes without a name. */
const char *pci_class_name(uint32_t class_code);

#endif
