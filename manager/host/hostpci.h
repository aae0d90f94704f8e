/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's PCI devices. The manager alone sees their configuration space; a driver gets memory,
 * an interrupt, and nothing that could move either. */
#ifndef MANAGER_HOST_HOSTPCI_H
#define MANAGER_HOST_HOSTPCI_H

#include <stdbool.h>
#include <stdint.h>
#include "abi/kinfo.h"
#include "drivers/pci/pci.h"

#define HOSTPCI_DEVICES 256u

/* Maps the configuration space that the ACPI tables tell of and looks at what is there. Bus
 * mastering of storage and network controllers goes off: what firmware told them to do must not
 * reach memory that is a guest's by now. */
void hostpci_init(const struct root_info *info);
uint32_t hostpci_count(void);
const struct pci_device *hostpci_at(uint32_t index);

/* A new capability for device memory: its pages around [base, base + size). The slot, or 0. */
uint32_t hostpci_memory(uint64_t base, uint64_t size);

/* An interrupt for a device: a message if it can send one, else its pin. */
struct hostpci_irq {
    uint32_t slot; /* 0: none */
    bool level;    /* wants irq_ack */
    bool is_message;
    uint64_t address;
    uint32_t data;
};
/* NULL, or why there is none. */
const char *hostpci_take_irq(const struct pci_device *device, struct hostpci_irq *irq);
/* Tells the device to use it. */
void hostpci_enable_irq(const struct pci_device *device, const struct hostpci_irq *irq);
/* MSI-X: up to n vectors for a device; irqs[i] is vector i. How many there are, 0: none, since it
 * has no MSI-X, or its table shares pages with the BAR `registers`, which a driver is given. */
uint32_t hostpci_take_messages(const struct pci_device *device, uint32_t registers,
                               struct hostpci_irq *irqs, uint32_t n);
void hostpci_enable_messages(const struct pci_device *device, const struct hostpci_irq *irqs,
                             uint32_t n);
/* NULL, or why the device is no virtio device that can be used. */
const char *hostpci_virtio(const struct pci_device *device, struct pci_virtio *to);
/* Function-level reset, for a device that its driver cannot reset; takes 100 ms. false: it has
 * none. */
bool hostpci_reset(const struct pci_device *device);
/* Bus mastering: without it the device reaches no memory and sends no messages. */
void hostpci_master(const struct pci_device *device, bool on);

#endif
