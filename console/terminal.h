/* SPDX-License-Identifier: BSD-2-Clause */
/* The console's terminal: serial line and screen show the same, both keyboards type. */
#ifndef CONSOLE_TERMINAL_H
#define CONSOLE_TERMINAL_H

#include <stddef.h>
#include <stdint.h>
#include "console/config.h"
#include "user/program.h"

void terminal_init(const struct program_args *args, const struct console_config *config);
/* Raw bytes, as a terminal takes them. */
void terminal_write(const void *bytes, size_t length);
/* Text with plain newlines. */
void terminal_text(const char *text, size_t length);
/* What has been typed; call it when its bits came or from time to time. */
size_t terminal_read(uint8_t *bytes, size_t size);
/* Brings the screen up to date: call it before sleeping. */
/* Shows what has changed, at most every 40 ms. Returns when to call again (time_ns), 0: nothing
 * waits. */
uint64_t terminal_refresh(uint64_t now);
/* True if much output waits to be sent: guests' output can wait, too. */
int terminal_busy(void);
/* Without interrupts the keyboard and the line have to be looked at: nanoseconds, 0: no need. */
uint64_t terminal_poll_ns(void);

#endif
