/* SPDX-License-Identifier: BSD-2-Clause */
/* What the manager tells the console program (the data behind its struct program_args). */
#ifndef CONSOLE_CONFIG_H
#define CONSOLE_CONFIG_H

#include <stdint.h>
#include "abi/kinfo.h"

#define CONSOLE_CONFIG_MAGIC 0x4d434f4e53434647ull

/* Index into program_args.slot[]; 0 there: not given. The ports themselves need no capability: the
 * manager has enabled them. */
enum console_slot {
    CONSOLE_SLOT_UART_IRQ,
    CONSOLE_SLOT_KEYBOARD_IRQ,
    CONSOLE_SLOT_SCREEN /* memory: framebuffer or VGA text */
};

/* Bits of the console's notification (SLOT_NOTIF). Guest i signals bit i % CONSOLE_GUEST_BITS. */
#define CONSOLE_GUEST_BITS   56u
#define CONSOLE_BIT_UART     (1ull << 56)
#define CONSOLE_BIT_KEYBOARD (1ull << 57)
#define CONSOLE_BIT_CHANGED  (1ull << 58) /* manager: a guest changed its state */
#define CONSOLE_BIT_TIMER    (1ull << 59)

struct console_config {
    uint64_t magic;
    uint32_t all; /* console=all */
    uint32_t has_uart, has_keyboard;
    uint32_t restarts;      /* of the console itself */
    uint64_t klog_position; /* kernel log lines before it have been shown */
    uint64_t screen_size;   /* bytes of the memory behind CONSOLE_SLOT_SCREEN */
    uint64_t screen_offset; /* of the framebuffer in it */
    struct root_framebuffer fb;
};

#endif
