/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the functions of all buses. Each bus is looked at once, whatever bridges say. */
#include "drivers/pci/pci.h"

#include <stddef.h>
#include <stdio.h>
#include "user/program.h"

#define OFFSET_VENDOR     0x00u
#define OFFSET_CLASS      0x08u
#define OFFSET_HEADER     0x0cu
#define OFFSET_BUSES      0x18u
#define OFFSET_SUBSYSTEM  0x2cu
#define OFFSET_INTERRUPT  0x3cu
#define HEADER_MULTI      0x80u
#define HEADER_DEVICE     0u
#define HEADER_BRIDGE     1u
#define NO_VENDOR         0xffffu
#define DEVICES_PER_BUS   32u
#define FUNCTIONS         8u
#define CAP_BYTES_MSI     24u /* with 64-bit address and mask bits */
#define CAP_BYTES_MSIX    12u
#define CAP_BYTES_EXPRESS 12u /* what every version has and we use */
#define CAP_BYTES_AF      6u
#define CAP_BYTES_PM      8u
#define FIRST_SPACE       256u

struct scan {
    const struct pci_access *access;
    struct pci_device *devices;
    uint32_t max, count;
    bool full;
    uint64_t seen[4];   /* buses that were looked at, or stand in the queue */
    uint8_t queue[256]; /* every bus is in it at most once */
    uint32_t head, tail;
};

static void report(pci_id_t id, const char *what)
{
    char name[PCI_NAME];
    pci_name(id, name);
    log_line("%s: left out: %s", name, what);
}

static bool note_capability(void *context, uint32_t id, uint32_t offset)
{
    struct pci_device *device = context;
    const struct {
        uint32_t id, bytes;
        uint8_t *place;
    } known[] = {
        {PCI_CAP_PM, CAP_BYTES_PM, &device->cap_pm},
        {PCI_CAP_MSI, CAP_BYTES_MSI, &device->cap_msi},
        {PCI_CAP_EXPRESS, CAP_BYTES_EXPRESS, &device->cap_express},
        {PCI_CAP_MSIX, CAP_BYTES_MSIX, &device->cap_msix},
        {PCI_CAP_AF, CAP_BYTES_AF, &device->cap_af},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        /* One that does not fit is taken for absent; of two, the first counts. */
        if (known[i].id == id && offset + known[i].bytes <= FIRST_SPACE && !*known[i].place)
            *known[i].place = (uint8_t)offset;
    }
    return true;
}

static const char *read_bars(const struct pci_access *access, struct pci_device *device)
{
    uint32_t old = access->read(access, device->id, PCI_COMMAND) & 0xffffu;
    /* A host bridge's registers may describe the very memory that is being run from. */
    if (device->class_code >> 8 == PCI_CLASS_HOST_BRIDGE)
        return NULL;
    pci_command(access, device->id, 0, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    const char *why = pci_size_bars(access, device);
    pci_command(access, device->id, old & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY), 0);
    return why;
}

const char *pci_probe(const struct pci_access *access, pci_id_t id, struct pci_device *device)
{
    uint32_t vendor = access->read(access, id, OFFSET_VENDOR);
    *device = (struct pci_device){.id = id};
    if ((vendor & 0xffffu) == NO_VENDOR || !(vendor & 0xffffu))
        return NULL;
    uint32_t class_word = access->read(access, id, OFFSET_CLASS);
    uint32_t header = access->read(access, id, OFFSET_HEADER) >> 16 & 0xffu;
    uint32_t interrupt = access->read(access, id, OFFSET_INTERRUPT);
    device->vendor = (uint16_t)vendor;
    device->device = (uint16_t)(vendor >> 16);
    device->class_code = class_word >> 8;
    device->revision = (uint8_t)class_word;
    device->multifunction = header & HEADER_MULTI;
    device->header_type = (uint8_t)(header & ~HEADER_MULTI);
    device->interrupt_line = (uint8_t)interrupt;
    device->interrupt_pin = (uint8_t)(interrupt >> 8);
    if (device->header_type > HEADER_BRIDGE)
        return "its header is of an unknown type";
    if (device->interrupt_pin > 4)
        return "its interrupt pin is none of A to D";
    if (device->header_type == HEADER_DEVICE) {
        uint32_t subsystem = access->read(access, id, OFFSET_SUBSYSTEM);
        device->subsystem_vendor = (uint16_t)subsystem;
        device->subsystem = (uint16_t)(subsystem >> 16);
    } else {
        uint32_t buses = access->read(access, id, OFFSET_BUSES);
        device->secondary = (uint8_t)(buses >> 8);
        device->subordinate = (uint8_t)(buses >> 16);
    }
    const char *why = pci_walk(access, id, note_capability, device);
    return why ? why : read_bars(access, device);
}

static bool mark_seen(struct scan *s, uint32_t bus)
{
    uint64_t bit = 1ull << bus % 64;
    bool before = s->seen[bus / 64] & bit;
    s->seen[bus / 64] |= bit;
    return !before;
}

static void follow_bridge(struct scan *s, const struct pci_device *d)
{
    const struct pci_access *a = s->access;
    if (d->header_type != HEADER_BRIDGE || (!d->secondary && !d->subordinate))
        return; /* firmware has given it no bus: nothing behind it answers */
    if (d->secondary <= PCI_BUS(d->id) || d->subordinate < d->secondary ||
        d->secondary < a->bus_first || d->subordinate > a->bus_last)
        report(d->id, "what is behind this bridge: its bus numbers make no sense");
    else if (!mark_seen(s, d->secondary))
        report(d->id, "what is behind this bridge: another bridge leads to the same bus");
    else
        s->queue[s->tail++] = d->secondary;
}

/* True if function 0 says that there are more, or the function is another. */
static bool scan_function(struct scan *s, pci_id_t id)
{
    struct pci_device device;
    const char *why = pci_probe(s->access, id, &device);
    bool more = device.vendor && device.multifunction;
    if (why) {
        report(id, why);
        return more;
    }
    if (!device.vendor)
        return false;
    if (s->count < s->max)
        s->devices[s->count++] = device;
    else
        s->full = true;
    follow_bridge(s, &device);
    return more;
}

static void scan_bus(struct scan *s, uint32_t bus)
{
    for (uint32_t d = 0; d < DEVICES_PER_BUS; d++) {
        if (!scan_function(s, PCI_ID(bus, d, 0)))
            continue;
        for (uint32_t f = 1; f < FUNCTIONS; f++)
            scan_function(s, PCI_ID(bus, d, f));
    }
}

uint32_t pci_enumerate(const struct pci_access *access, struct pci_device *devices, uint32_t max)
{
    struct scan s = {.access = access, .devices = devices, .max = max};
    for (uint32_t bus = access->bus_first; bus <= access->bus_last && bus < 256; bus++) {
        if (mark_seen(&s, bus))
            s.queue[s.tail++] = (uint8_t)bus;
        while (s.head < s.tail)
            scan_bus(&s, s.queue[s.head++]);
    }
    if (s.full)
        log_line("pci: only the first %u devices are used", (unsigned)max);
    return s.count;
}

void pci_name(pci_id_t id, char name[PCI_NAME])
{
    snprintf(name, PCI_NAME, "pci_0000_%02x_%02x_%x", (unsigned)PCI_BUS(id),
             (unsigned)PCI_DEVICE(id), (unsigned)PCI_FUNCTION(id));
}
