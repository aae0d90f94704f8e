/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/acpi_pm.h"

#define TMR_STS    0x0001u
#define PWRBTN_STS 0x0100u
#define STS_BITS   0x8731u /* TMR, BM, GBL, PWRBTN, SLPBTN, RTC, WAK */
#define EN_BITS    0x0721u /* TMR, GBL, PWRBTN, SLPBTN, RTC */
#define SCI_EN     0x0001u
#define CNT_KEPT   0x1c02u /* SLP_TYP, BM_RLD */
#define SLP_EN     0x2000u

#define REG_STS 0u
#define REG_EN  2u
#define REG_CNT 4u
#define REG_TMR 8u
#define LENGTH  12u

/* The 64-bit number of timer clocks; the register shows the low half. */
static uint64_t timer_value(const struct acpi_pm *pm)
{
    uint64_t ns = clock_ns(pm->machine);
    return ns / NS_PER_S * ACPI_PM_TMR_HZ + ns % NS_PER_S * ACPI_PM_TMR_HZ / NS_PER_S;
}

/* TMR_STS is set whenever the timer's top bit changes, each 2^31 clocks. */
static void pm_update(struct acpi_pm *pm)
{
    uint64_t now = timer_value(pm);
    if (now >> 31 != pm->timer_seen >> 31)
        pm->status |= TMR_STS;
    pm->timer_seen = now;
    irq_set(pm->machine, GSI_SCI, pm->status & pm->enable & EN_BITS);
    if (!(pm->enable & TMR_STS) || pm->status & TMR_STS) {
        timer_cancel(pm->machine, &pm->timer);
        return;
    }
    uint64_t next = ((now >> 31) + 1) << 31;
    timer_arm(pm->machine, &pm->timer,
              next / ACPI_PM_TMR_HZ * NS_PER_S +
                  (next % ACPI_PM_TMR_HZ * NS_PER_S + ACPI_PM_TMR_HZ - 1) / ACPI_PM_TMR_HZ);
}

static void pm_timer_fire(void *dev)
{
    pm_update(dev);
}

static void pm_write_control(struct acpi_pm *pm, uint16_t value)
{
    pm->control = (value & CNT_KEPT) | SCI_EN;
    if (!(value & SLP_EN))
        return;
    unsigned type = value >> 10 & 7u;
    if (type == ACPI_PM_SLP_TYP_S5 || type == 0)
        machine_event(pm->machine, MACHINE_POWEROFF, "ACPI S5");
    else
        log_line("guest asks for sleep type %u, which its ACPI tables do not offer", type);
}

static uint16_t read_word(struct acpi_pm *pm, unsigned reg)
{
    switch (reg) {
    case REG_STS:
        pm_update(pm);
        return pm->status;
    case REG_EN:
        return pm->enable;
    case REG_CNT:
        return pm->control;
    default:
        return 0;
    }
}

static uint64_t pm_read(void *dev, uint64_t offset, unsigned size)
{
    struct acpi_pm *pm = dev;
    if (offset >= REG_TMR)
        return timer_value(pm) >> (8 * (offset & 3u));
    uint32_t value = read_word(pm, (unsigned)offset & ~1u);
    if (size == 4)
        value |= (uint32_t)read_word(pm, (unsigned)(offset & ~1ull) + 2) << 16;
    return value >> (8 * (offset & 1u));
}

static void write_word(struct acpi_pm *pm, unsigned reg, uint16_t value)
{
    switch (reg) {
    case REG_STS: /* write one to clear */
        pm_update(pm);
        pm->status &= (uint16_t) ~(value & STS_BITS);
        pm_update(pm);
        break;
    case REG_EN:
        pm->enable = value & EN_BITS;
        pm_update(pm);
        break;
    case REG_CNT:
        pm_write_control(pm, value);
        break;
    default: /* the timer is read-only */
        break;
    }
}

static void pm_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct acpi_pm *pm = dev;
    unsigned reg = (unsigned)offset & ~1u, shift = 8 * ((unsigned)offset & 1u);
    if (size == 1) { /* a byte leaves the other half as it is, and clears nothing there */
        uint16_t kept = reg == REG_EN ? pm->enable : reg == REG_CNT ? pm->control : 0;
        kept &= (uint16_t) ~(0xffu << shift);
        write_word(pm, reg, (uint16_t)(kept | (value & 0xffu) << shift));
        return;
    }
    write_word(pm, reg, (uint16_t)value);
    if (size == 4)
        write_word(pm, reg + 2, (uint16_t)(value >> 16));
}

void acpi_pm_press_power_button(struct acpi_pm *pm)
{
    pm->button_presses++;
    pm->status |= PWRBTN_STS;
    pm_update(pm);
}

void acpi_pm_reset(struct acpi_pm *pm)
{
    pm->status = pm->enable = 0;
    pm->control = SCI_EN;
    pm->timer_seen = timer_value(pm);
    pm_update(pm);
}

void acpi_pm_init(struct acpi_pm *pm, struct machine *machine)
{
    static const struct region_ops ops = {pm_read, pm_write};
    memset(pm, 0, sizeof *pm);
    pm->machine = machine;
    pm->timer = (struct dev_timer){.fire = pm_timer_fire, .dev = pm};
    acpi_pm_reset(pm);
    pm->region = (struct pio_region){.base = ACPI_PM_BASE,
                                     .count = LENGTH,
                                     .max_size = 4,
                                     .ops = &ops,
                                     .dev = pm,
                                     .name = "acpi pm"};
    pio_add(machine, &pm->region);
}
