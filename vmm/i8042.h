/* SPDX-License-Identifier: BSD-2-Clause */
/* The keyboard controller of a PC/AT (IBM PC AT Technical Reference, "Keyboard Controller"), with a
 * keyboard nobody types on and no mouse, so that probes end with an answer and not a time-out; and
 * port 0x92 of the PS/2, "System Control Port A". */
#ifndef VMM_I8042_H
#define VMM_I8042_H

#include "vmm/device.h"

#define I8042_QUEUE 8u

struct i8042 {
    struct machine *machine;
    uint8_t command_byte;
    uint8_t output_port;
    uint8_t expects;            /* command whose data byte comes at port 0x60; 0: none */
    bool last_was_command;      /* status bit 3 */
    uint8_t queue[I8042_QUEUE]; /* to port 0x60 */
    uint8_t first, count;
    uint8_t keyboard_expects; /* keyboard command that takes a parameter */
    uint8_t port92;
    struct pio_region data, status, region92;
};

void i8042_init(struct i8042 *kbc, struct machine *machine);
void i8042_reset(struct i8042 *kbc);

#endif
