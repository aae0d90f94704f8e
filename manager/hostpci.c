/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/hostpci.h"

#include <stddef.h>
#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include "manager/window.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define PAGE      4096ull
#define BUS_BYTES (1ull << 20)
#define NO_LINE   255u

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

/* Maps as many buses as lie in one piece of device memory. */
static bool map_config(void)
{
    uint32_t first = root->mcfg_bus_start, last = root->mcfg_bus_end;
    uint64_t base = root->mcfg_base + first * BUS_BYTES;
    uint32_t i = memory_around(base);
    if (!root->mcfg_base || first > last || last > 255) {
        log_line("pci: the ACPI tables tell of no configuration space: no device is used");
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

void hostpci_master(const struct pci_device *device, bool on)
{
    pci_command(&access, device->id, on ? PCI_COMMAND_MASTER : 0, on ? 0 : PCI_COMMAND_MASTER);
    /* The device has it when a read that follows comes back. */
    access.read(&access, device->id, PCI_COMMAND);
}
