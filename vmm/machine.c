/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/acpi_pm.h"
#include "vmm/debug_port.h"
#include "vmm/disks.h"
#include "vmm/i8042.h"
#include "vmm/i8254.h"
#include "vmm/ioapic.h"
#include "vmm/kvmclock.h"
#include "vmm/machine.h"
#include "vmm/mc146818.h"
#include "vmm/nets.h"
#include "vmm/ns16550.h"
#include "vmm/pvpanic.h"
#include "vmm/q35.h"
#include "vmm/reset_cf9.h"
#include "vmm/virtio_balloon.h"
#include "vmm/virtio_console.h"
#include "vmm/virtio_rng.h"

struct machine_devices {
    struct machine *machine;
    bool has_serial, has_console, has_rng, has_balloon;
    struct i8259 pic;
    struct i8254 pit;
    struct ioapic ioapic;
    struct mc146818 rtc;
    struct i8042 kbc;
    struct acpi_pm pm;
    struct reset_cf9 reset;
    struct pvpanic panic;
    struct debug_port debug;
    struct kvmclock kvmclock;
    struct ns16550 serial;
    struct pci_bus pci;
    struct q35 q35;
    struct virtio_console console;
    struct virtio_rng rng;
    struct virtio_balloon balloon;
    struct disks disks;
    struct nets nets;
};

static struct machine_devices the_devices;

/* --- interrupt wiring --- */

/* ISA IRQs reach both controllers; the PIT is at input 2 of the I/O APIC, where the 8259s' output
 * would otherwise be (MADT: override 0 -> 2). */
static void wire_irq(struct machine *machine, unsigned gsi, bool level)
{
    struct machine_devices *devices = machine->devices;
    if (gsi < 16)
        i8259_set_irq(&devices->pic, gsi, level);
    ioapic_set_irq(&devices->ioapic, gsi == 0 ? 2 : gsi, level);
}

static void pci_line(void *dev, unsigned line, bool level)
{
    struct machine_devices *devices = dev;
    q35_pirq(&devices->q35, line, level);
    ioapic_set_irq(&devices->ioapic, 16 + line, level);
}

unsigned machine_pci_gsi(unsigned slot, unsigned pin)
{
    return 16 + (slot + pin) % PCI_PIRQS;
}

static uint8_t pci_irq(unsigned slot)
{
    return q35_pirq_default(slot % PCI_PIRQS);
}

const struct disk_slots machine_disk_slots = {
    .first_virtio = MACHINE_SLOT_DISK, .ahci = MACHINE_SLOT_AHCI, .irq = pci_irq};

uint32_t machine_ecam(const struct machine *machine)
{
    return (uint32_t)machine->devices->pci.ecam.base;
}

/* --- construction --- */

/* What a PC's firmware leaves in CMOS, in the units that its readers expect. */
static void fill_cmos(struct mc146818 *rtc, const struct machine *machine, uint32_t vcpus)
{
    uint64_t above_1m = machine->ram_low > 0x100000 ? (machine->ram_low - 0x100000) >> 10 : 0;
    uint64_t above_16m = machine->ram_low > 0x1000000 ? (machine->ram_low - 0x1000000) >> 16 : 0;
    uint64_t above_4g = machine->ram_high >> 16;
    unsigned kib = above_1m > 0xffff ? 0xffff : (unsigned)above_1m;
    mc146818_set(rtc, 0x14, 0x06); /* equipment: coprocessor, mouse port; no floppy */
    mc146818_set(rtc, 0x15, 640 & 0xff);
    mc146818_set(rtc, 0x16, 640 >> 8);
    mc146818_set(rtc, 0x17, (uint8_t)kib);
    mc146818_set(rtc, 0x18, (uint8_t)(kib >> 8));
    mc146818_set(rtc, 0x30, (uint8_t)kib);
    mc146818_set(rtc, 0x31, (uint8_t)(kib >> 8));
    mc146818_set(rtc, 0x34, (uint8_t)above_16m);
    mc146818_set(rtc, 0x35, (uint8_t)(above_16m >> 8));
    mc146818_set(rtc, 0x5b, (uint8_t)above_4g);
    mc146818_set(rtc, 0x5c, (uint8_t)(above_4g >> 8));
    mc146818_set(rtc, 0x5d, (uint8_t)(above_4g >> 16));
    mc146818_set(rtc, 0x5f, (uint8_t)(vcpus - 1));
    mc146818_checksum(rtc);
}

/* Unix time in ns minus clock_ns(): the host's clock was read at TSC rtc_tsc. */
static int64_t wall_offset(const struct machine *machine, const struct vmm_config *config)
{
    uint64_t ticks = machine->host->clock_tsc(machine->host_ctx) - config->rtc_tsc;
    uint64_t khz = machine->tsc_khz ? machine->tsc_khz : 1;
    uint64_t since = ticks / khz * 1000000 + ticks % khz * 1000000 / khz;
    return (int64_t)(config->rtc_base * NS_PER_S + since - clock_ns(machine));
}

static void init_chipset(struct machine_devices *devices, struct machine *machine,
                         const struct vmm_config *config)
{
    /* The interrupt controllers first: all others drive their inputs. */
    i8259_init(&devices->pic, machine);
    ioapic_init(&devices->ioapic, machine);
    i8259_set_level_triggered(&devices->pic, GSI_SCI);
    for (unsigned line = 0; line < PCI_PIRQS; line++)
        i8259_set_level_triggered(&devices->pic, q35_pirq_default(line));
    i8254_init(&devices->pit, machine);
    int64_t offset = config->clock_offset_s * (int64_t)NS_PER_S;
    mc146818_init(&devices->rtc, machine,
                  (int64_t)clock_ns(machine) + machine->wall_offset_ns + offset);
    fill_cmos(&devices->rtc, machine, config->vcpus);
    i8042_init(&devices->kbc, machine);
    acpi_pm_init(&devices->pm, machine);
    pci_bus_init(&devices->pci, machine, pci_line, devices);
    reset_cf9_init(&devices->reset, machine); /* over the PCI ports */
    pvpanic_init(&devices->panic, machine);
    debug_port_init(&devices->debug, machine);
    kvmclock_init(&devices->kvmclock, machine);
    q35_init(&devices->q35, &devices->pci, &devices->pic, MACHINE_SLOT_HOST_BRIDGE,
             MACHINE_SLOT_LPC);
}

void machine_devices_init(struct machine *machine, const struct vmm_config *config)
{
    struct machine_devices *devices = &the_devices;
    disks_free(&devices->disks);
    nets_free(&devices->nets);
    memset(devices, 0, sizeof *devices);
    machine->lock = (struct mutex){0};
    memset(&machine->pio, 0, sizeof machine->pio);
    memset(&machine->mmio, 0, sizeof machine->mmio);
    memset(&machine->timers, 0, sizeof machine->timers);
    memset(machine->doorbells, 0, sizeof machine->doorbells);
    machine->timers.programmed_ns = UINT64_MAX;
    machine->wall_offset_ns = wall_offset(machine, config);
    machine->irq_set = wire_irq;
    machine->devices = devices;
    devices->machine = machine;
    init_chipset(devices, machine, config);
    devices->has_serial = config->has_serial;
    devices->has_console = config->has_virtio_console;
    devices->has_rng = config->has_rng;
    devices->has_balloon = config->has_balloon;
    if (devices->has_serial)
        ns16550_init(&devices->serial, machine, 0x3f8, 4, machine->serial);
    if (devices->has_console)
        virtio_console_init(&devices->console, &devices->pci, MACHINE_SLOT_CONSOLE,
                            pci_irq(MACHINE_SLOT_CONSOLE), machine->hvc);
    if (devices->has_rng)
        virtio_rng_init(&devices->rng, &devices->pci, MACHINE_SLOT_RNG, pci_irq(MACHINE_SLOT_RNG));
    if (devices->has_balloon)
        virtio_balloon_init(&devices->balloon, &devices->pci, MACHINE_SLOT_BALLOON,
                            pci_irq(MACHINE_SLOT_BALLOON));
    disks_init(&devices->disks, &devices->pci, config, machine->disk_source, &machine_disk_slots);
    nets_init(&devices->nets, &devices->pci, config, machine->net_source, MACHINE_SLOT_NET,
              pci_irq);
    /* Firmware enables what it has found itself. */
    pci_assign(&devices->pci, config->boot != VMM_BOOT_FIRMWARE);
}

/* --- events from outside --- */

uint8_t machine_pic_ack(struct machine *machine)
{
    mutex_lock(&machine->lock);
    uint8_t vector = i8259_ack(&machine->devices->pic);
    mutex_unlock(&machine->lock);
    return vector;
}

void machine_eoi(struct machine *machine, uint8_t vector)
{
    mutex_lock(&machine->lock);
    ioapic_eoi(&machine->devices->ioapic, vector);
    mutex_unlock(&machine->lock);
}

void machine_power_button(struct machine *machine)
{
    mutex_lock(&machine->lock);
    acpi_pm_press_power_button(&machine->devices->pm);
    mutex_unlock(&machine->lock);
}

void machine_serial_event(struct machine *machine)
{
    mutex_lock(&machine->lock);
    if (machine->devices->has_serial)
        ns16550_channel_event(&machine->devices->serial);
    mutex_unlock(&machine->lock);
}

void machine_hvc_event(struct machine *machine)
{
    mutex_lock(&machine->lock);
    if (machine->devices->has_console)
        virtio_console_channel_event(&machine->devices->console);
    mutex_unlock(&machine->lock);
}

void machine_disk_event(struct machine *machine)
{
    mutex_lock(&machine->lock);
    disks_event(&machine->devices->disks);
    mutex_unlock(&machine->lock);
}

uint64_t machine_disk_stats(struct machine *machine, uint32_t disk, uint64_t stat[DISK_STATS])
{
    mutex_lock(&machine->lock);
    uint64_t sectors = disks_stats(&machine->devices->disks, disk, stat);
    mutex_unlock(&machine->lock);
    return sectors;
}

void machine_net_event(struct machine *machine)
{
    mutex_lock(&machine->lock);
    nets_event(&machine->devices->nets);
    mutex_unlock(&machine->lock);
}

void machine_net_announce(struct machine *machine)
{
    mutex_lock(&machine->lock);
    nets_announce(&machine->devices->nets);
    mutex_unlock(&machine->lock);
}

uint64_t machine_balloon_pages(struct machine *machine)
{
    uint64_t pages = 0;
    mutex_lock(&machine->lock);
    if (machine->devices->has_balloon)
        pages = virtio_balloon_pages(&machine->devices->balloon);
    mutex_unlock(&machine->lock);
    return pages;
}

void machine_balloon_target(struct machine *machine, uint32_t pages)
{
    mutex_lock(&machine->lock);
    if (machine->devices->has_balloon)
        virtio_balloon_target(&machine->devices->balloon, pages);
    mutex_unlock(&machine->lock);
}

bool machine_kvmclock_write(struct machine *machine, unsigned vcpu, uint32_t msr, uint64_t value)
{
    mutex_lock(&machine->lock);
    bool ok = kvmclock_write(&machine->devices->kvmclock, vcpu, msr, value);
    mutex_unlock(&machine->lock);
    return ok;
}

bool machine_kvmclock_read(struct machine *machine, unsigned vcpu, uint32_t msr, uint64_t *value)
{
    mutex_lock(&machine->lock);
    bool ok = kvmclock_read(&machine->devices->kvmclock, vcpu, msr, value);
    mutex_unlock(&machine->lock);
    return ok;
}

void machine_kvmclock_stopped(struct machine *machine)
{
    mutex_lock(&machine->lock);
    kvmclock_stopped(&machine->devices->kvmclock);
    mutex_unlock(&machine->lock);
}
