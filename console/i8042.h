/* SPDX-License-Identifier: BSD-2-Clause */
/* The PS/2 keyboard, US layout. */
#ifndef CONSOLE_I8042_H
#define CONSOLE_I8042_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keyboard {
    uint32_t irq;
    bool shift, control, caps;
    bool extended; /* the last byte was 0xe0 */
};

/* Empties the controller and takes its interrupt. */
void keyboard_init(struct keyboard *keyboard, uint32_t irq, uint32_t notif, uint64_t bits);
/* Takes the pressed keys as a terminal would send them; returns the bytes written. */
size_t keyboard_service(struct keyboard *keyboard, uint8_t *bytes, size_t size);
/* One byte of scan code set 1; text: up to 4 bytes. Returns their number. */
size_t keyboard_decode(struct keyboard *keyboard, uint8_t code, uint8_t text[4]);

#endif
