/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/ioapic.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/kmem.h"
#include "arch/x86_64/spinlock.h"
#include "boot/acpi.h"
#include "lib/string.h"

/* 82093AA I/O APIC. */
#define IOREGSEL    0x00u
#define IOWIN       0x10u
#define IOAPICVER   0x01u
#define IOREDTBL(n) (0x10u + 2 * (n))

#define REDIR_ACTIVE_LOW 0x2000u
#define REDIR_LEVEL      0x8000u
#define REDIR_MASKED     0x10000u

/* 8259A. */
#define PIC_MASTER      0x20u
#define PIC_SLAVE       0xa0u
#define PIC_ICW1        0x11u /* cascade, ICW4 follows */
#define PIC_VECTOR_BASE 0x20u
#define PIC_8086        0x01u

struct ioapic {
    volatile uint32_t *regs; /* NULL: could not be mapped */
    uint32_t gsi_base, pins;
};

static struct ioapic *ioapics;
static uint32_t ioapic_count;
static struct acpi_isa_irq isa[ISA_IRQS];
static spinlock_t ioapic_lock; /* index and data register are used as a pair */

static uint32_t reg_read(const struct ioapic *io, uint32_t reg)
{
    io->regs[IOREGSEL / 4] = reg;
    return io->regs[IOWIN / 4];
}

static void reg_write(const struct ioapic *io, uint32_t reg, uint32_t value)
{
    io->regs[IOREGSEL / 4] = reg;
    io->regs[IOWIN / 4] = value;
}

/* Vectors that no device uses, then everything masked: a spurious IRQ 7 or 15 stays harmless. */
static void pic_off(void)
{
    /* ICW1, vectors, wiring of the two, ICW4, mask. */
    static const uint8_t master[] = {PIC_VECTOR_BASE, 1u << 2, PIC_8086, 0xff};
    static const uint8_t slave[] = {PIC_VECTOR_BASE + 8, 2, PIC_8086, 0xff};

    outb(PIC_MASTER, PIC_ICW1);
    outb(PIC_SLAVE, PIC_ICW1);
    for (uint32_t i = 0; i < ARRAY_LEN(master); i++) {
        outb(PIC_MASTER + 1, master[i]);
        outb(PIC_SLAVE + 1, slave[i]);
    }
}

static void init_one(struct ioapic *io, const struct acpi_ioapic *from)
{
    io->gsi_base = from->gsi_base;
    io->regs = kmap_mmio(hpa(from->address), IOWIN + 4);
    if (!io->regs) {
        kprintf("ioapic: no memory to map the one at %lx\n", from->address);
        return;
    }
    uint32_t version = reg_read(io, IOAPICVER);
    if (version == UINT32_MAX) {
        kprintf("ioapic: nothing answers at %lx\n", from->address);
        return;
    }
    io->pins = (version >> 16 & 0xff) + 1;
    for (uint32_t pin = 0; pin < io->pins; pin++)
        reg_write(io, IOREDTBL(pin), REDIR_MASKED);
    kprintf("ioapic: GSI %u to %u at %lx\n", io->gsi_base, io->gsi_base + io->pins - 1,
            from->address);
}

void ioapic_init(const struct acpi_info *acpi)
{
    const struct acpi_ioapic *list = hpa_to_kva(hpa((uint64_t)acpi->ioapic));
    pic_off();
    memcpy(isa, acpi->isa, sizeof(isa));
    if (!acpi->ioapic_count)
        return;
    ioapics = kmem_pages(kmem_order(acpi->ioapic_count * sizeof(struct ioapic)));
    if (!ioapics)
        panic("no memory for %u I/O APICs", acpi->ioapic_count);
    ioapic_count = acpi->ioapic_count;
    for (uint32_t i = 0; i < ioapic_count; i++)
        init_one(&ioapics[i], &list[i]);
}

static const struct ioapic *find(uint32_t gsi, uint32_t *pin)
{
    for (uint32_t i = 0; i < ioapic_count; i++) {
        const struct ioapic *io = &ioapics[i];
        if (gsi >= io->gsi_base && gsi - io->gsi_base < io->pins) {
            *pin = gsi - io->gsi_base;
            return io;
        }
    }
    return NULL;
}

bool ioapic_route(uint32_t gsi, uint32_t flags, uint32_t cpu, uint8_t vector)
{
    uint32_t pin;
    const struct ioapic *io = find(gsi, &pin);
    if (!io)
        return false;
    uint32_t low = REDIR_MASKED | vector;
    low |= flags & IRQ_LEVEL ? REDIR_LEVEL : 0;
    low |= flags & IRQ_ACTIVE_LOW ? REDIR_ACTIVE_LOW : 0;
    /* An entry names 8 bits of the id, like a message (apic_msi). */
    uint32_t id = cpus[cpu]->apic_id < 0xff ? cpus[cpu]->apic_id : cpus[0]->apic_id;
    spin_lock(&ioapic_lock);
    reg_write(io, IOREDTBL(pin), REDIR_MASKED);
    reg_write(io, IOREDTBL(pin) + 1, id << 24);
    reg_write(io, IOREDTBL(pin), low);
    spin_unlock(&ioapic_lock);
    return true;
}

static void set_mask(uint32_t gsi, bool masked)
{
    uint32_t pin;
    const struct ioapic *io = find(gsi, &pin);
    if (!io)
        return;
    spin_lock(&ioapic_lock);
    uint32_t low = reg_read(io, IOREDTBL(pin)) & ~REDIR_MASKED;
    reg_write(io, IOREDTBL(pin), low | (masked ? REDIR_MASKED : 0));
    spin_unlock(&ioapic_lock);
}

void ioapic_mask(uint32_t gsi)
{
    set_mask(gsi, true);
}

void ioapic_unmask(uint32_t gsi)
{
    set_mask(gsi, false);
}

uint32_t ioapic_isa(uint32_t irq, uint32_t *flags)
{
    *flags = isa[irq].flags;
    return isa[irq].gsi;
}
