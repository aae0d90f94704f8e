/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/acpi_pm.h"
#include "vmm/q35.h"

/* MCH */
#define PCIEXBAR        0x60u
#define PCIEXBAR_ENABLE 1u
#define PCIEXBAR_LENGTH 6u /* of the window; there is one bus, whatever it says */
#define PCIEXBAR_BASE   0xfc000000u
/* LPC */
#define PMBASE        0x40u
#define ACPI_CNTL     0x44u
#define ACPI_CNTL_EN  0x80u
#define PIRQ_ROUT     0x60u
#define PIRQ_DISABLED 0x80u

static uint16_t routed(const struct q35 *q35)
{
    uint16_t irqs = 0;
    for (unsigned line = 0; line < PCI_PIRQS; line++) {
        uint8_t route = q35->lpc.config[PIRQ_ROUT + line];
        if (q35->lines & 1u << line && !(route & PIRQ_DISABLED))
            irqs |= (uint16_t)(1u << (route & 15u));
    }
    return irqs & 0xdef8u; /* 0, 1, 2, 8 and 13 are reserved values */
}

static void update_pic(struct q35 *q35)
{
    uint16_t now = routed(q35), changed = now ^ q35->pic_lines;
    q35->pic_lines = now;
    for (unsigned irq = 0; irq < 16; irq++) {
        if (changed & 1u << irq)
            i8259_set_irq(q35->pic, irq, now & 1u << irq);
    }
}

void q35_pirq(struct q35 *q35, unsigned line, bool level)
{
    if (level)
        q35->lines |= (uint8_t)(1u << line);
    else
        q35->lines &= (uint8_t) ~(1u << line);
    update_pic(q35);
}

static void make_writable(struct pci_device *device, unsigned offset, uint32_t mask)
{
    for (unsigned i = 0; i < 4; i++)
        device->writable[offset + i] = (uint8_t)(mask >> 8 * i);
}

/* Firmware puts the window where its memory map has it (SeaBIOS: 0xb0000000). */
static void host_written(struct pci_device *device, unsigned offset, unsigned size)
{
    struct q35 *q35 = (struct q35 *)((char *)device - offsetof(struct q35, host));
    if (offset >= PCIEXBAR + 8 || offset + size <= PCIEXBAR)
        return;
    uint32_t low = pci_get(device, PCIEXBAR, 4), high = pci_get(device, PCIEXBAR + 4, 4);
    pci_move_ecam(q35->bus, (uint64_t)high << 32 | (low & PCIEXBAR_BASE), low & PCIEXBAR_ENABLE);
}

static void lpc_written(struct pci_device *device, unsigned offset, unsigned size)
{
    if (offset < PIRQ_ROUT + PCI_PIRQS && offset + size > PIRQ_ROUT)
        update_pic((struct q35 *)((char *)device - offsetof(struct q35, lpc)));
}

uint8_t q35_pirq_default(unsigned line)
{
    return line & 1u ? 11 : 10;
}

void q35_init(struct q35 *q35, struct pci_bus *bus, struct i8259 *pic, unsigned host_slot,
              unsigned lpc_slot)
{
    static const struct pci_identity mch = {
        .vendor = 0x8086, .device = 0x29c0, .class_code = 0x060000};
    static const struct pci_identity ich9 = {
        .vendor = 0x8086, .device = 0x2918, .class_code = 0x060100};
    memset(q35, 0, sizeof *q35);
    q35->bus = bus;
    q35->pic = pic;
    pci_device_init(&q35->host, bus, host_slot, "host bridge", &mch);
    pci_put(&q35->host, PCIEXBAR, 4, GUEST_ECAM | PCIEXBAR_ENABLE);
    make_writable(&q35->host, PCIEXBAR, PCIEXBAR_BASE | PCIEXBAR_LENGTH | PCIEXBAR_ENABLE);
    make_writable(&q35->host, PCIEXBAR + 4, 0xf);
    q35->host.config_written = host_written;
    pci_device_init(&q35->lpc, bus, lpc_slot, "lpc bridge", &ich9);
    pci_put(&q35->lpc, PMBASE, 4, ACPI_PM_BASE | 1);
    pci_put(&q35->lpc, ACPI_CNTL, 1, ACPI_CNTL_EN);
    q35->lpc.config_written = lpc_written;
    for (unsigned line = 0; line < PCI_PIRQS; line++) {
        q35->lpc.config[PIRQ_ROUT + line] = q35_pirq_default(line);
        q35->lpc.writable[PIRQ_ROUT + line] = PIRQ_DISABLED | 15u;
        /* The other four lines have no devices; their registers exist, disabled. */
        q35->lpc.config[PIRQ_ROUT + 8 + line] = PIRQ_DISABLED;
        q35->lpc.writable[PIRQ_ROUT + 8 + line] = PIRQ_DISABLED | 15u;
    }
}
