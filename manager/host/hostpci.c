/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/host/hostpci.h"

#include <stddef.h>
#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include "manager/window.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define PAGE              4096ull
#define BUS_BYTES         (1ull << 20)
#define MSIX_ENTRY_BYTES  16u
#define NO_LINE           255u
#define MSIX_STEP         (1ull << 20) /* of address space for a device's table */
#define CONFIG_PORTS      0xcf8u
#define CONFIG_PORT_COUNT 8u

static const struct root_info *root;
static struct pci_access access;
static struct pci_device devices[HOSTPCI_DEVICES];
static uint32_t count;

/* Index of the device memory around an address; mem_count: none. */
static uint32_t memory_around(uint64_t base)
{
    uint32_t i = 0;
    while (i < root->mem_count && (root->mem[i].kind != ROOT_MEM_MMIO || base < root->mem[i].base ||
                                   base - root->mem[i].base >= root->mem[i].size))
        i++;
    return i;
}

uint32_t hostpci_memory(uint64_t base, uint64_t size)
{
    uint64_t first = base & ~(PAGE - 1);
    uint64_t bytes = ((base + size + PAGE - 1) & ~(PAGE - 1)) - first;
    uint32_t i = memory_around(first);
    if (i == root->mem_count || bytes > root->mem[i].size - (first - root->mem[i].base))
        return 0;
    uint32_t slot = slot_alloc();
    if (slot && sys_mem_derive(slot, SLOT_ROOT_MEM + i, first - root->mem[i].base, bytes,
                               RIGHT_COPY | RIGHT_READ | RIGHT_WRITE) == OK)
        return slot;
    slot_free(slot);
    return 0;
}

/* Machines without ECAM have the ports. */
static bool open_ports(void)
{
    uint32_t slot = slot_alloc();
    if (!slot || sys_ports_derive(slot, SLOT_PORTS, CONFIG_PORTS, CONFIG_PORT_COUNT) != OK ||
        sys_pd_ports(SLOT_SELF_PD, slot, 1) != OK) {
        log_line("pci: the configuration ports cannot be used: no device is used");
        slot_free(slot);
        return false;
    }
    access = pci_mechanism1();
    if (access.read(&access, PCI_ID(0, 0, 0), 0) == UINT32_MAX) {
        log_line("pci: neither the ACPI tables nor the ports lead to a configuration space: no "
                 "device is used");
        return false;
    }
    return true;
}

/* Maps as many buses as lie in one piece of device memory. */
static bool map_config(void)
{
    uint32_t first = root->mcfg_bus_start, last = root->mcfg_bus_end;
    uint64_t base = root->mcfg_base + first * BUS_BYTES;
    uint32_t i = memory_around(base);
    if (!root->mcfg_base)
        return open_ports();
    if (first > last || last > 255) {
        log_line("pci: the ACPI tables tell of an impossible configuration space: no device is "
                 "used");
        return false;
    }
    uint64_t room = i < root->mem_count ? root->mem[i].size - (base - root->mem[i].base) : 0;
    uint64_t buses = last - first + 1;
    if (buses > room / BUS_BYTES)
        buses = room / BUS_BYTES;
    int64_t status = ERR_ARG;
    if (buses)
        status = sys_mem_map(SLOT_SELF_PD, SLOT_ROOT_MEM + i, MANAGER_CONFIG_VA,
                             base - root->mem[i].base, buses * BUS_BYTES,
                             MAP_READ | MAP_WRITE | MAP_UNCACHED);
    if (status != OK) {
        log_line("pci: configuration space at %#llx cannot be mapped: status %lld; no device is "
                 "used",
                 (unsigned long long)base, (long long)status);
        return false;
    }
    access = pci_ecam((volatile void *)MANAGER_CONFIG_VA, first, first + (uint32_t)buses - 1);
    return true;
}

static void quiet(const struct pci_device *device)
{
    uint32_t base_class = device->class_code >> 16;
    if (base_class == PCI_BASE_CLASS_STORAGE || base_class == PCI_BASE_CLASS_NETWORK)
        hostpci_master(device, false);
}

void hostpci_init(const struct root_info *info)
{
    root = info;
    if (!map_config())
        return;
    count = pci_enumerate(&access, devices, HOSTPCI_DEVICES);
    for (uint32_t i = 0; i < count; i++) {
        const struct pci_device *d = &devices[i];
        quiet(d);
        log_line("pci: %04x:%02x:%02x.%x: %04x:%04x %s", 0u, (unsigned)PCI_BUS(d->id),
                 (unsigned)PCI_DEVICE(d->id), (unsigned)PCI_FUNCTION(d->id), (unsigned)d->vendor,
                 (unsigned)d->device, pci_class_name(d->class_code));
    }
}

uint32_t hostpci_count(void)
{
    return count;
}

const struct pci_device *hostpci_at(uint32_t index)
{
    return index < count ? &devices[index] : NULL;
}

static const char *take_message(struct hostpci_irq *irq)
{
    uint64_t data;
    int64_t status = sys_msi_create(irq->slot, SLOT_MACHINE, 0, &irq->address, &data);
    irq->data = (uint32_t)data;
    irq->is_message = true;
    return status == OK ? NULL : "no interrupt vector is left";
}

/* The line is what firmware has routed the pin to; PCI's are level-triggered and active low. */
static const char *take_pin(const struct pci_device *device, struct hostpci_irq *irq)
{
    if (!device->interrupt_pin || device->interrupt_line == NO_LINE || !device->interrupt_line)
        return "it has neither message-signalled interrupts nor a routed pin";
    irq->level = true;
    int64_t status = sys_irq_create(irq->slot, SLOT_MACHINE, device->interrupt_line,
                                    IRQ_ISA | IRQ_LEVEL | IRQ_ACTIVE_LOW, 0);
    return status == OK ? NULL : "its interrupt line is taken";
}

const char *hostpci_take_irq(const struct pci_device *device, struct hostpci_irq *irq)
{
    *irq = (struct hostpci_irq){.slot = slot_alloc()};
    if (!irq->slot)
        return "no capability slots are left";
    const char *why = device->cap_msi ? take_message(irq) : take_pin(device, irq);
    if (why) {
        slot_free(irq->slot);
        irq->slot = 0;
    }
    return why;
}

void hostpci_enable_irq(const struct pci_device *device, const struct hostpci_irq *irq)
{
    pci_command(&access, device->id, PCI_COMMAND_MEMORY, 0);
    if (!irq->is_message)
        pci_intx(&access, device, true);
    else if (!pci_msi_enable(&access, device, irq->address, irq->data))
        log_line("pci: %02x:%02x.%x cannot send its message to %#llx",
                 (unsigned)PCI_BUS(device->id), (unsigned)PCI_DEVICE(device->id),
                 (unsigned)PCI_FUNCTION(device->id), (unsigned long long)irq->address);
}

static bool shares_pages(const struct pci_device *device, const struct pci_msix *msix,
                         uint32_t registers)
{
    uint64_t table = device->bar[msix->table_bar].base + msix->table_offset;
    uint64_t end = table + (uint64_t)msix->vectors * MSIX_ENTRY_BYTES;
    uint64_t first = device->bar[registers].base & ~(PAGE - 1);
    uint64_t last = device->bar[registers].base + device->bar[registers].size;
    return end > first && (table & ~(PAGE - 1)) < last;
}

/* The table, mapped for good at the first call for a device; NULL: it has none that can be used. */
static volatile uint32_t *map_table(const struct pci_device *device, const struct pci_msix *msix)
{
    static uint8_t mapped[HOSTPCI_DEVICES];
    uint64_t index = (uint64_t)(device - devices);
    uint64_t va = MANAGER_MSIX_VA + index * MSIX_STEP;
    uint64_t base = device->bar[msix->table_bar].base + msix->table_offset;
    uint64_t bytes =
        (base % PAGE + (uint64_t)msix->vectors * MSIX_ENTRY_BYTES + PAGE - 1) & ~(PAGE - 1);
    volatile uint32_t *table = (volatile uint32_t *)(va + base % PAGE);
    if (mapped[index])
        return table;
    uint32_t slot = hostpci_memory(base, (uint64_t)msix->vectors * MSIX_ENTRY_BYTES);
    if (!slot ||
        sys_mem_map(SLOT_SELF_PD, slot, va, 0, bytes, MAP_READ | MAP_WRITE | MAP_UNCACHED) != OK) {
        slot_free(slot);
        return NULL;
    }
    mapped[index] = 1;
    return table;
}

uint32_t hostpci_take_messages(const struct pci_device *device, uint32_t registers,
                               struct hostpci_irq *irqs, uint32_t n)
{
    struct pci_msix msix;
    uint32_t have = 0;
    if (pci_msix_read(&access, device, &msix) || shares_pages(device, &msix, registers) ||
        !map_table(device, &msix))
        return 0;
    while (have < n && have < msix.vectors) {
        struct hostpci_irq *irq = &irqs[have];
        *irq = (struct hostpci_irq){.slot = slot_alloc()};
        if (!irq->slot || take_message(irq)) {
            slot_free(irq->slot);
            break;
        }
        have++;
    }
    return have;
}

void hostpci_enable_messages(const struct pci_device *device, const struct hostpci_irq *irqs,
                             uint32_t n)
{
    struct pci_msix msix;
    pci_command(&access, device->id, PCI_COMMAND_MEMORY, 0);
    volatile uint32_t *table =
        pci_msix_read(&access, device, &msix) ? NULL : map_table(device, &msix);
    for (uint32_t i = 0; table && i < msix.vectors; i++)
        pci_msix_set(table, i, i < n ? irqs[i].address : 0, i < n ? irqs[i].data : 0, i >= n);
    pci_msix_enable(&access, device, true);
}

const char *hostpci_virtio(const struct pci_device *device, struct pci_virtio *to)
{
    return pci_virtio_read(&access, device, to);
}

static void wait_ns(uint64_t ns)
{
    uint64_t end = time_ns() + ns;
    while (time_ns() < end)
        sys_thread_yield();
}

bool hostpci_reset(const struct pci_device *device)
{
    return pci_reset_function(&access, device, wait_ns);
}

void hostpci_master(const struct pci_device *device, bool on)
{
    pci_command(&access, device->id, on ? PCI_COMMAND_MASTER : 0, on ? 0 : PCI_COMMAND_MASTER);
    /* The device has it when a read that follows comes back. */
    access.read(&access, device->id, PCI_COMMAND);
}
