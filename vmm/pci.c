/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/pci.h"

#define COMMAND_WRITABLE 0x0547u /* I/O, memory, master, parity, SERR#, INTx disable */
#define STATUS_INTX      0x0008u
#define STATUS_CAPS      0x0010u
#define CONFIG_ENABLE    0x80000000u
#define FIRST_CAPABILITY 0x40u
#define ECAM_FUNCTION    4096u

/* --- bytes --- */

uint32_t pci_get(const struct pci_device *device, unsigned offset, unsigned size)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < size && offset + i < PCI_CONFIG; i++)
        value |= (uint32_t)device->config[offset + i] << (8 * i);
    return value;
}

void pci_put(struct pci_device *device, unsigned offset, unsigned size, uint32_t value)
{
    for (unsigned i = 0; i < size && offset + i < PCI_CONFIG; i++)
        device->config[offset + i] = (uint8_t)(value >> (8 * i));
}

static void set_writable(struct pci_device *device, unsigned offset, unsigned size, uint32_t mask)
{
    for (unsigned i = 0; i < size; i++)
        device->writable[offset + i] = (uint8_t)(mask >> (8 * i));
}

/* --- base address registers --- */

static void map_bar(struct pci_device *device, struct pci_bar *bar, bool decode, uint32_t address)
{
    struct machine *machine = device->bus->machine;
    bool want = decode && address != 0;
    if (bar->kind == PCI_BAR_IO && address + bar->size > 0x10000)
        want = false;
    if (want == bar->mapped && (!want || address == bar->address))
        return;
    if (bar->mapped && bar->kind == PCI_BAR_IO)
        pio_remove(machine, &bar->pio);
    else if (bar->mapped)
        mmio_remove(machine, &bar->mmio);
    bar->mapped = want;
    bar->address = address;
    if (want && bar->kind == PCI_BAR_IO) {
        bar->pio.base = (uint16_t)address;
        bar->mapped = pio_add(machine, &bar->pio);
    } else if (want) {
        bar->mmio.base = address;
        bar->mapped = mmio_add(machine, &bar->mmio);
    }
    if (bar->moved)
        bar->moved(bar->moved_dev, bar->mapped, address);
}

static void map_bars(struct pci_device *device)
{
    uint32_t command = pci_get(device, PCI_COMMAND, 2);
    for (unsigned i = 0; i < PCI_BARS; i++) {
        struct pci_bar *bar = &device->bar[i];
        if (bar->kind == PCI_BAR_NONE)
            continue;
        bool decode = command & (bar->kind == PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY);
        uint32_t address = pci_get(device, PCI_BAR0 + 4 * i, 4) & ~(bar->size - 1);
        map_bar(device, bar, decode, address);
    }
}

void pci_add_bar(struct pci_device *device, unsigned number, enum pci_bar_kind kind, uint32_t size,
                 const struct region_ops *ops, void *dev)
{
    struct pci_bar *bar = &device->bar[number];
    bar->kind = (uint8_t)kind;
    bar->size = size;
    /* The bits below the size cannot be written: that is how software finds the size. */
    set_writable(device, PCI_BAR0 + 4 * number, 4, ~(size - 1));
    pci_put(device, PCI_BAR0 + 4 * number, 4, kind == PCI_BAR_IO ? 1 : 0);
    if (kind == PCI_BAR_IO)
        bar->pio = (struct pio_region){.count = (uint16_t)size,
                                       .max_size = 4,
                                       .kind = REGION_BAR,
                                       .ops = ops,
                                       .dev = dev,
                                       .name = device->name};
    else
        bar->mmio = (struct mmio_region){.size = size,
                                         .max_size = 4,
                                         .kind = REGION_BAR,
                                         .ops = ops,
                                         .dev = dev,
                                         .name = device->name};
}

unsigned pci_add_capability(struct pci_device *device, uint8_t id, unsigned length)
{
    unsigned offset = device->capabilities_end;
    if (offset + length > PCI_CONFIG)
        fatal("%s: capabilities do not fit", device->name);
    device->capabilities_end = (uint8_t)((offset + length + 3) & ~3u);
    device->config[offset] = id;
    if (device->last_capability)
        device->config[device->last_capability + 1u] = (uint8_t)offset;
    else
        device->config[PCI_CAPABILITIES] = (uint8_t)offset;
    device->last_capability = (uint8_t)offset;
    device->config[PCI_STATUS] |= STATUS_CAPS;
    return offset;
}

/* --- INTx --- */

static void update_intx(struct pci_device *device)
{
    struct pci_bus *bus = device->bus;
    unsigned pin = device->config[PCI_INTERRUPT_PIN];
    if (pin == 0)
        return;
    bool drive = device->intx && !(pci_get(device, PCI_COMMAND, 2) & PCI_COMMAND_NOINTX);
    unsigned line = (device->slot + pin - 1) % PCI_PIRQS;
    uint32_t before = bus->asserted[line], bit = 1u << device->slot;
    bus->asserted[line] = drive ? before | bit : before & ~bit;
    if ((before != 0) != (bus->asserted[line] != 0))
        bus->pirq(bus->pirq_dev, line, bus->asserted[line] != 0);
}

void pci_set_intx(struct pci_device *device, bool level)
{
    device->intx = level;
    if (level)
        device->config[PCI_STATUS] |= STATUS_INTX;
    else
        device->config[PCI_STATUS] &= (uint8_t)~STATUS_INTX;
    update_intx(device);
}

bool pci_is_master(const struct pci_device *device)
{
    return device->config[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

/* --- configuration accesses --- */

uint32_t pci_config_read(struct pci_device *device, unsigned offset, unsigned size)
{
    device->config_reads++;
    if (device->config_read)
        device->config_read(device, offset, size);
    return pci_get(device, offset, size);
}

void pci_config_write(struct pci_device *device, unsigned offset, unsigned size, uint32_t value)
{
    device->config_writes++;
    uint8_t changed = 0;
    for (unsigned i = 0; i < size && offset + i < PCI_CONFIG; i++) {
        uint8_t *byte = &device->config[offset + i], mask = device->writable[offset + i];
        uint8_t was = *byte;
        *byte = (uint8_t)((was & ~mask) | (value >> (8 * i) & mask));
        changed |= was ^ *byte;
    }
    if (changed && offset < PCI_BAR0 + 4 * PCI_BARS) {
        map_bars(device);
        update_intx(device);
    }
    if (device->config_written)
        device->config_written(device, offset, size);
}

static struct pci_device *addressed(struct pci_bus *bus)
{
    uint32_t address = bus->address;
    if (!(address & CONFIG_ENABLE) || address >> 16 & 0xffu || address >> 8 & 7u)
        return NULL; /* disabled, another bus, a function that no device here has */
    return bus->device[address >> 11 & (PCI_SLOTS - 1)];
}

static uint64_t ports_read(void *dev, uint64_t offset, unsigned size)
{
    struct pci_bus *bus = dev;
    if (offset == 0 && size == 4)
        return bus->address;
    struct pci_device *device = addressed(bus);
    if (offset < 4 || !device)
        return UINT32_MAX;
    return pci_config_read(device, (bus->address & 0xfcu) + ((unsigned)offset & 3u), size);
}

static void ports_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct pci_bus *bus = dev;
    if (offset == 0 && size == 4) {
        bus->address = (uint32_t)value & 0x80fffffcu;
        return;
    }
    struct pci_device *device = addressed(bus);
    if (offset >= 4 && device)
        pci_config_write(device, (bus->address & 0xfcu) + ((unsigned)offset & 3u), size,
                         (uint32_t)value);
}

/* NULL where no device is. An access cannot reach into the next function: sizes are at most 4, and
 * a misaligned one at the end of a function is cut there by the callers' bounds. */
static struct pci_device *ecam_device(struct pci_bus *bus, uint64_t offset)
{
    if (offset / ECAM_FUNCTION % 8)
        return NULL;
    return bus->device[offset / ECAM_FUNCTION / 8 % PCI_SLOTS];
}

static uint64_t ecam_read(void *dev, uint64_t offset, unsigned size)
{
    struct pci_device *device = ecam_device(dev, offset);
    if (!device)
        return UINT32_MAX;
    return pci_config_read(device, (unsigned)(offset % ECAM_FUNCTION), size);
}

static void ecam_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct pci_device *device = ecam_device(dev, offset);
    if (device)
        pci_config_write(device, (unsigned)(offset % ECAM_FUNCTION), size, (uint32_t)value);
}

/* --- construction --- */

void pci_device_init(struct pci_device *device, struct pci_bus *bus, unsigned slot,
                     const char *name, const struct pci_identity *identity)
{
    device->bus = bus;
    device->slot = (uint8_t)slot;
    device->name = name;
    device->capabilities_end = FIRST_CAPABILITY;
    pci_put(device, 0x00, 2, identity->vendor);
    pci_put(device, 0x02, 2, identity->device);
    pci_put(device, 0x08, 4, identity->class_code << 8 | identity->revision);
    pci_put(device, 0x2c, 2, identity->subsystem_vendor);
    pci_put(device, 0x2e, 2, identity->subsystem);
    pci_put(device, PCI_INTERRUPT_PIN, 1, identity->interrupt_pin);
    set_writable(device, PCI_COMMAND, 2, COMMAND_WRITABLE);
    set_writable(device, 0x0c, 2,
                 0xffff); /* cache line size, latency timer: kept, without effect */
    set_writable(device, PCI_INTERRUPT_LINE, 1, 0xff);
    bus->device[slot] = device;
}

void pci_device_reset(struct pci_device *device)
{
    pci_put(device, PCI_COMMAND, 2, 0);
    pci_set_intx(device, false);
    map_bars(device);
}

static void assign_device(struct pci_device *device, uint32_t *io, uint32_t *memory, bool enable)
{
    uint32_t command = 0;
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *bar = &device->bar[i];
        uint32_t *next = bar->kind == PCI_BAR_IO ? io : memory;
        if (bar->kind == PCI_BAR_NONE)
            continue;
        *next = (*next + bar->size - 1) & ~(bar->size - 1);
        pci_put(device, PCI_BAR0 + 4 * i, 4, *next | (bar->kind == PCI_BAR_IO ? 1u : 0u));
        *next += bar->size;
        command |= bar->kind == PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
    }
    if (enable)
        pci_put(device, PCI_COMMAND, 2, command);
    map_bars(device);
}

void pci_assign(struct pci_bus *bus, bool enable)
{
    uint32_t io = GUEST_PCI_IO, memory = GUEST_PCI_MMIO;
    for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
        if (bus->device[slot])
            assign_device(bus->device[slot], &io, &memory, enable);
    }
}

void pci_bus_init(struct pci_bus *bus, struct machine *machine,
                  void (*pirq)(void *dev, unsigned line, bool level), void *pirq_dev)
{
    static const struct region_ops port_ops = {ports_read, ports_write};
    static const struct region_ops ecam_ops = {ecam_read, ecam_write};
    memset(bus, 0, sizeof *bus);
    bus->machine = machine;
    bus->pirq = pirq;
    bus->pirq_dev = pirq_dev;
    bus->ports = (struct pio_region){
        .base = 0xcf8, .count = 8, .max_size = 4, .ops = &port_ops, .dev = bus, .name = "pci"};
    bus->ecam = (struct mmio_region){.base = GUEST_ECAM,
                                     .size = GUEST_ECAM_SIZE,
                                     .max_size = 4,
                                     .ops = &ecam_ops,
                                     .dev = bus,
                                     .name = "ecam"};
    pio_add(machine, &bus->ports);
    bus->ecam_mapped = mmio_add(machine, &bus->ecam);
}

void pci_move_ecam(struct pci_bus *bus, uint64_t base, bool enabled)
{
    if (bus->ecam_mapped)
        mmio_remove(bus->machine, &bus->ecam);
    bus->ecam.base = base;
    bus->ecam_mapped = enabled && mmio_add(bus->machine, &bus->ecam);
}
