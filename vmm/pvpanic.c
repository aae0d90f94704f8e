/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/pvpanic.h"

#define PANICKED    0x01u
#define CRASHLOADED 0x02u

static uint64_t panic_read(void *dev, uint64_t offset, unsigned size)
{
    (void)dev, (void)offset, (void)size;
    return PANICKED | CRASHLOADED; /* what can be reported */
}

static void panic_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    (void)offset, (void)size;
    struct pvpanic *panic = dev;
    if (value & PANICKED) {
        panic->panics++;
        machine_event(panic->machine, MACHINE_PANIC, "its kernel says so through pvpanic");
    } else if (value & CRASHLOADED) {
        panic->crash_loads++;
        machine_event(panic->machine, MACHINE_CRASHLOAD, "its crash kernel takes over");
    }
}

void pvpanic_init(struct pvpanic *panic, struct machine *machine)
{
    static const struct region_ops ops = {panic_read, panic_write};
    memset(panic, 0, sizeof *panic);
    panic->machine = machine;
    panic->region = (struct pio_region){.base = PVPANIC_PORT,
                                        .count = 1,
                                        .max_size = 1,
                                        .ops = &ops,
                                        .dev = panic,
                                        .name = "pvpanic"};
    pio_add(machine, &panic->region);
}
