/* SPDX-License-Identifier: BSD-2-Clause */
/* Local APIC in either mode, I/O APIC, 8259 pair. */
#include "guest.h"

#define X2APIC_MSR 0x800u
#define ICR_LOW    0x300u
#define ICR_HIGH   0x310u

bool apic_x2;

bool apic_has_x2(void)
{
    return cpuid(1, 0).ecx >> 21 & 1;
}

static volatile uint32_t *xapic(uint32_t reg)
{
    return (volatile uint32_t *)(0xfee00000ull + reg);
}

uint32_t apic_read(uint32_t reg)
{
    return apic_x2 ? (uint32_t)rdmsr(X2APIC_MSR + (reg >> 4)) : *xapic(reg);
}

void apic_write(uint32_t reg, uint32_t value)
{
    if (apic_x2)
        wrmsr(X2APIC_MSR + (reg >> 4), value);
    else
        *xapic(reg) = value;
}

void apic_icr(uint32_t destination, uint32_t command)
{
    if (apic_x2) {
        wrmsr(X2APIC_MSR + (ICR_LOW >> 4), (uint64_t)destination << 32 | command);
        return;
    }
    *xapic(ICR_HIGH) = destination << 24;
    *xapic(ICR_LOW) = command;
    while (*xapic(ICR_LOW) & 0x1000)
        pause_cpu();
}

uint32_t apic_id(void)
{
    uint32_t id = apic_read(APIC_ID);
    return apic_x2 ? id : id >> 24;
}

void apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

void apic_init(bool x2)
{
    apic_x2 = x2;
    uint64_t base = rdmsr(MSR_APIC_BASE);
    wrmsr(MSR_APIC_BASE, base | 0x800u);
    if (x2)
        wrmsr(MSR_APIC_BASE, base | 0xc00u);
    else
        apic_write(APIC_DFR, 0xffffffffu);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_SVR, 0x1ff);
}

void pic_init(uint8_t mask1, uint8_t mask2)
{
    outb(0x20, 0x11);
    outb(0xa0, 0x11);
    outb(0x21, 0x20);
    outb(0xa1, 0x28);
    outb(0x21, 4);
    outb(0xa1, 2);
    outb(0x21, 1);
    outb(0xa1, 1);
    outb(0x21, mask1);
    outb(0xa1, mask2);
}

static volatile uint32_t *ioapic(uint32_t offset)
{
    return (volatile uint32_t *)(uint64_t)(acpi.io_apic + offset);
}

uint32_t ioapic_read(uint32_t index)
{
    *ioapic(0) = index;
    return *ioapic(0x10);
}

void ioapic_write(uint32_t index, uint32_t value)
{
    *ioapic(0) = index;
    *ioapic(0x10) = value;
}

void ioapic_route(uint32_t gsi, uint32_t vector, uint16_t flags)
{
    uint32_t low = vector;
    if ((flags & 3) == 3)
        low |= 0x2000;
    if ((flags >> 2 & 3) == 3)
        low |= 0x8000;
    ioapic_write(0x11 + 2 * gsi, apic_id() << 24);
    ioapic_write(0x10 + 2 * gsi, low);
}

void ioapic_mask(uint32_t gsi)
{
    ioapic_write(0x10 + 2 * gsi, 0x10000);
}
