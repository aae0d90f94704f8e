/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI fixed hardware: PM1 event and control blocks, PM timer (ACPI specification 6.5, "ACPI
 * Register Model"). There is no legacy mode: SCI_EN is always set and the FADT names no SMI command
 * port. */
#ifndef VMM_ACPI_PM_H
#define VMM_ACPI_PM_H

#include "vmm/device.h"

#define ACPI_PM_BASE       0x600u
#define ACPI_PM1_EVT       0x600u /* status, then enable: 2 bytes each */
#define ACPI_PM1_CNT       0x604u
#define ACPI_PM_TMR        0x608u /* 32 bits, FADT flag TMR_VAL_EXT */
#define ACPI_PM_TMR_HZ     3579545u
#define ACPI_PM_SLP_TYP_S5 5u /* what \_S5 in the DSDT must say; 0 is taken as S5, too */

struct acpi_pm {
    struct machine *machine;
    uint16_t status, enable, control;
    uint64_t timer_seen; /* 64-bit PM timer value up to which TMR_STS is up to date */
    struct dev_timer timer;
    struct pio_region region;
    uint64_t button_presses;
};

void acpi_pm_init(struct acpi_pm *pm, struct machine *machine);
void acpi_pm_reset(struct acpi_pm *pm);
void acpi_pm_press_power_button(struct acpi_pm *pm);

#endif
