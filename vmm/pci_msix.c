/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/pci_msix.h"

#define CAP_MSIX         0x11u
#define CONTROL          2u /* message control, in the capability */
#define CONTROL_ENABLE   0x8000u
#define CONTROL_MASK_ALL 0x4000u
#define ENTRY_MASKED     1u
#define TABLE_SIZE       4096u
#define PBA_OFFSET       0x800u

static uint32_t control(const struct pci_msix *msix)
{
    const uint8_t *at = msix->device->config + msix->capability + CONTROL;
    return at[0] | (uint32_t)at[1] << 8;
}

bool pci_msix_enabled(const struct pci_msix *msix)
{
    return control(msix) & CONTROL_ENABLE;
}

static bool masked(const struct pci_msix *msix, unsigned vector)
{
    return control(msix) & CONTROL_MASK_ALL || msix->entry[vector].control & ENTRY_MASKED ||
           !pci_is_master(msix->device); /* a message is a memory write of the device */
}

void pci_msix_send(struct pci_msix *msix, unsigned vector)
{
    if (vector >= msix->vectors || !pci_msix_enabled(msix))
        return;
    if (masked(msix, vector)) {
        msix->pending |= 1u << vector;
        return;
    }
    const struct msix_entry *entry = &msix->entry[vector];
    msix->pending &= ~(1u << vector);
    msix->sent++;
    msi_send(msix->device->bus->machine, (uint64_t)entry->address_high << 32 | entry->address_low,
             entry->data);
}

static void send_pending(struct pci_msix *msix)
{
    for (unsigned i = 0; i < msix->vectors; i++) {
        if (msix->pending & 1u << i)
            pci_msix_send(msix, i);
    }
}

void pci_msix_config_written(struct pci_msix *msix)
{
    if (msix->pending)
        send_pending(msix);
}

static uint32_t *field(struct pci_msix *msix, uint64_t offset)
{
    if (offset / 16 >= msix->vectors)
        return NULL;
    struct msix_entry *entry = &msix->entry[offset / 16];
    uint32_t *fields[4] = {&entry->address_low, &entry->address_high, &entry->data,
                           &entry->control};
    return fields[offset / 4 % 4];
}

/* The specification asks for aligned accesses of 32 (or 64) bits; others read 0 and are ignored. */
static uint64_t table_read(void *dev, uint64_t offset, unsigned size)
{
    struct pci_msix *msix = dev;
    if (offset % 4 || size != 4)
        return 0;
    if (offset >= PBA_OFFSET)
        return offset == PBA_OFFSET ? msix->pending : 0;
    const uint32_t *value = field(msix, offset);
    return value ? *value : 0;
}

static void table_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct pci_msix *msix = dev;
    if (offset % 4 || size != 4 || offset >= PBA_OFFSET)
        return;
    uint32_t *place = field(msix, offset);
    if (!place)
        return;
    *place = (uint32_t)value;
    if (offset / 4 % 4 == 3) {
        *place &= ENTRY_MASKED;
        send_pending(msix);
    }
}

void pci_msix_reset(struct pci_msix *msix)
{
    memset(msix->entry, 0, sizeof msix->entry);
    for (unsigned i = 0; i < MSIX_VECTORS; i++)
        msix->entry[i].control = ENTRY_MASKED;
    msix->pending = 0;
    pci_put(msix->device, msix->capability + CONTROL, 2, msix->vectors - 1);
}

void pci_msix_init(struct pci_msix *msix, struct pci_device *device, unsigned bar, unsigned vectors)
{
    static const struct region_ops ops = {table_read, table_write};
    memset(msix, 0, sizeof *msix);
    msix->device = device;
    msix->vectors = vectors;
    msix->capability = pci_add_capability(device, CAP_MSIX, 12);
    pci_put(device, msix->capability + 4, 4, bar);
    pci_put(device, msix->capability + 8, 4, PBA_OFFSET | bar);
    device->writable[msix->capability + CONTROL + 1] = (CONTROL_ENABLE | CONTROL_MASK_ALL) >> 8;
    pci_add_bar(device, bar, PCI_BAR_MEMORY, TABLE_SIZE, &ops, msix);
    pci_msix_reset(msix);
}
