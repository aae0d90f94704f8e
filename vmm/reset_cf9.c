/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/reset_cf9.h"

#define RST_CPU 0x04u
#define KEPT    0x0au /* SYS_RST, FULL_RST */

static uint64_t cf9_read(void *dev, uint64_t offset, unsigned size)
{
    (void)offset, (void)size;
    return ((struct reset_cf9 *)dev)->value;
}

/* RST_CPU going from 0 to 1 resets. The bit reads as 0 afterwards, so each write that has it is
 * one. */
static void cf9_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    (void)offset, (void)size;
    struct reset_cf9 *reset = dev;
    reset->value = value & KEPT;
    if (value & RST_CPU)
        machine_event(reset->machine, MACHINE_RESET, "port 0xcf9");
}

void reset_cf9_reset(struct reset_cf9 *reset)
{
    reset->value = 0;
}

void reset_cf9_init(struct reset_cf9 *reset, struct machine *machine)
{
    static const struct region_ops ops = {cf9_read, cf9_write};
    memset(reset, 0, sizeof *reset);
    reset->machine = machine;
    reset->region = (struct pio_region){
        .base = 0xcf9, .count = 1, .max_size = 1, .ops = &ops, .dev = reset, .name = "reset"};
    pio_add(machine, &reset->region);
}
