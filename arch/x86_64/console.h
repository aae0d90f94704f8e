/* SPDX-License-Identifier: BSD-2-Clause */
/* The two outputs of the kernel log before ring 3 has drivers, and during a panic. */
#ifndef ARCH_CONSOLE_H
#define ARCH_CONSOLE_H

#include "lib/types.h"

struct bootinfo;

/* COM1, 115200 8N1. Without a UART there nothing is written; no wait is endless. */
void early_uart_init(void);
void early_uart_write(const char *text, size_t length);
/* VGA text or linear framebuffer, whichever the loader left. */
void early_screen_init(const struct bootinfo *info);
/* Somebody else has drawn on it: start at the top of an empty screen. */
void early_screen_clear(void);
void early_screen_write(const char *text, size_t length);

#endif
