/* SPDX-License-Identifier: BSD-2-Clause */
/* pvpanic on port 0x505: how a guest's kernel says that it has crashed. In ACPI it is a device with
 * _HID QEMU0001. */
#ifndef VMM_PVPANIC_H
#define VMM_PVPANIC_H

#include "vmm/device.h"

#define PVPANIC_PORT 0x505u

struct pvpanic {
    struct machine *machine;
    struct pio_region region;
    uint64_t panics, crash_loads;
};

void pvpanic_init(struct pvpanic *panic, struct machine *machine);

#endif
