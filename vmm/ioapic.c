/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/ioapic.h"

#define REG_SELECT 0x00u
#define REG_WINDOW 0x10u
#define REG_EOI    0x40u

#define IOAPICID  0x00u
#define IOAPICVER 0x01u
#define IOAPICARB 0x02u
#define IOREDTBL  0x10u
#define VERSION   (0x20u | (IOAPIC_PINS - 1) << 16)

#define DELIVERY_EXTINT 0x700ull

/* A line that stays active through this many EOIs is taken for a storm: nobody serves the device.
 * On the chip the next message takes its time on the bus, and the interrupted program gets on in
 * between; here it would come before the guest's next instruction, for ever. */
#define STORM_EOIS 1000u
#define STORM_NS   1000000u /* between messages then */

#define RTE_WRITABLE \
    0xff0000000001afffull /* but delivery status and remote IRR, which are read-only */

/* The entry as the message that the chip would send on the bus. */
static void send(struct ioapic *ioapic, unsigned pin)
{
    uint64_t rte = ioapic->rte[pin];
    /* ExtINT asks for an INTA cycle; the 8259's output is wired to LINT0 alone. */
    if ((rte & RTE_DELIVERY) == DELIVERY_EXTINT)
        return;
    bool lowest = (rte & RTE_DELIVERY) == 0x100;
    uint64_t address =
        0xfee00000u | (rte >> 56) << 12 | (rte & RTE_LOGICAL ? 4u : 0u) | (lowest ? 8u : 0u);
    uint32_t data = (uint32_t)(rte & (RTE_VECTOR | RTE_DELIVERY));
    if (rte & RTE_LEVEL)
        data |= 0xc000u; /* level-triggered, asserted */
    ioapic->sent[pin]++;
    msi_send(ioapic->machine, address, data);
}

/* A level-triggered input that is active and not yet taken. */
static void service_level(struct ioapic *ioapic, unsigned pin)
{
    uint64_t rte = ioapic->rte[pin];
    if (!(rte & RTE_LEVEL) || rte & (RTE_MASK | RTE_REMOTE_IRR) || !(ioapic->lines & 1u << pin))
        return;
    /* Remote IRR first: msi_send may lead to an EOI before it returns. */
    ioapic->rte[pin] |= RTE_REMOTE_IRR;
    send(ioapic, pin);
}

void ioapic_set_irq(struct ioapic *ioapic, unsigned pin, bool level)
{
    if (pin >= IOAPIC_PINS)
        return;
    uint32_t bit = 1u << pin;
    bool was = ioapic->lines & bit;
    if (was == level)
        return;
    ioapic->lines ^= bit;
    if (!level)
        return;
    uint64_t rte = ioapic->rte[pin];
    if (rte & RTE_LEVEL)
        service_level(ioapic, pin);
    else if (!(rte & RTE_MASK)) /* edges at a masked input are ignored, not held pending */
        send(ioapic, pin);
}

static void after_pause(void *dev)
{
    struct ioapic *ioapic = dev;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        service_level(ioapic, pin);
}

/* A pin's input is free again. */
static void pin_eoi(struct ioapic *ioapic, unsigned pin)
{
    ioapic->rte[pin] &= ~RTE_REMOTE_IRR;
    if (!(ioapic->lines & 1u << pin))
        ioapic->unserved[pin] = 0;
    else if (ioapic->unserved[pin] < STORM_EOIS)
        ioapic->unserved[pin]++;
    if (ioapic->unserved[pin] < STORM_EOIS)
        service_level(ioapic, pin);
    else
        timer_arm(ioapic->machine, &ioapic->pause, clock_ns(ioapic->machine) + STORM_NS);
}

void ioapic_eoi(struct ioapic *ioapic, uint8_t vector)
{
    ioapic->eois++;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t rte = ioapic->rte[pin];
        if ((rte & RTE_VECTOR) == vector && (rte & RTE_REMOTE_IRR))
            pin_eoi(ioapic, pin);
    }
}

static uint32_t ioapic_read_register(const struct ioapic *ioapic)
{
    unsigned index = ioapic->select;
    if (index == IOAPICID || index == IOAPICARB)
        return ioapic->id << 24;
    if (index == IOAPICVER)
        return VERSION;
    if (index < IOREDTBL || index >= IOREDTBL + 2 * IOAPIC_PINS)
        return 0;
    uint64_t rte = ioapic->rte[(index - IOREDTBL) / 2];
    return (uint32_t)(index & 1u ? rte >> 32 : rte);
}

static void ioapic_write_register(struct ioapic *ioapic, uint32_t value)
{
    unsigned index = ioapic->select;
    if (index == IOAPICID)
        ioapic->id = value >> 24 & 15u;
    if (index < IOREDTBL || index >= IOREDTBL + 2 * IOAPIC_PINS)
        return;
    unsigned pin = (index - IOREDTBL) / 2;
    uint64_t rte = ioapic->rte[pin];
    uint64_t half = index & 1u ? 0xffffffff00000000ull : 0xffffffffull;
    uint64_t wide = index & 1u ? (uint64_t)value << 32 : value;
    uint64_t writable = RTE_WRITABLE & half;
    rte = (rte & ~writable) | (wide & writable);
    /* An edge-triggered entry has no remote IRR; systems switch to edge and back to clear a stuck
     * one on chips without EOIR. */
    if (!(rte & RTE_LEVEL))
        rte &= ~RTE_REMOTE_IRR;
    ioapic->rte[pin] = rte;
    service_level(ioapic, pin);
}

static uint64_t ioapic_read(void *dev, uint64_t offset, unsigned size)
{
    const struct ioapic *ioapic = dev;
    if (offset == REG_SELECT)
        return ioapic->select;
    if (offset == REG_WINDOW && size == 4)
        return ioapic_read_register(ioapic);
    return 0;
}

static void ioapic_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct ioapic *ioapic = dev;
    if (offset == REG_SELECT)
        ioapic->select = (uint8_t)value;
    else if (offset == REG_WINDOW && size == 4)
        ioapic_write_register(ioapic, (uint32_t)value);
    else if (offset == REG_EOI)
        ioapic_eoi(ioapic, (uint8_t)value);
}

void ioapic_reset(struct ioapic *ioapic)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        ioapic->rte[pin] = RTE_MASK;
    memset(ioapic->unserved, 0, sizeof ioapic->unserved);
    timer_cancel(ioapic->machine, &ioapic->pause);
    ioapic->id = 0;
    ioapic->select = 0;
}

void ioapic_init(struct ioapic *ioapic, struct machine *machine)
{
    static const struct region_ops ops = {ioapic_read, ioapic_write};
    memset(ioapic, 0, sizeof *ioapic);
    ioapic->machine = machine;
    ioapic->pause = (struct dev_timer){.fire = after_pause, .dev = ioapic};
    ioapic_reset(ioapic);
    ioapic->region = (struct mmio_region){.base = GUEST_IOAPIC,
                                          .size = 4096,
                                          .max_size = 4,
                                          .ops = &ops,
                                          .dev = ioapic,
                                          .name = "ioapic"};
    mmio_add(machine, &ioapic->region);
}
