/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/terminal.h"

#include <string.h>
#include "abi/object.h"
#include "console/display.h"
#include "console/i8042.h"
#include "drivers/uart/ns16550.h"

#define COM1 0x3f8u
/* Nobody reads faster, and a scrolling screen changes as a whole with each line. */
#define REFRESH_NS 40000000u
#define POLL_NS    20000000ull

static struct uart uart;
static struct keyboard keyboard;
static struct display display;
static struct screen screen;
static bool has_uart, has_screen, has_keyboard;

void terminal_init(const struct program_args *args, const struct console_config *config)
{
    has_screen = display_init(&display, &screen, config, args->slot[CONSOLE_SLOT_SCREEN]);
    if (config->has_uart)
        has_uart =
            uart_init(&uart, COM1, args->slot[CONSOLE_SLOT_UART_IRQ], SLOT_NOTIF, CONSOLE_BIT_UART);
    has_keyboard = config->has_keyboard;
    if (has_keyboard)
        keyboard_init(&keyboard, args->slot[CONSOLE_SLOT_KEYBOARD_IRQ], SLOT_NOTIF,
                      CONSOLE_BIT_KEYBOARD);
}

void terminal_write(const void *bytes, size_t length)
{
    if (has_uart)
        uart_write(&uart, bytes, length);
    if (has_screen)
        screen_write(&screen, bytes, length);
}

void terminal_text(const char *text, size_t length)
{
    while (length) {
        const char *end = memchr(text, '\n', length);
        size_t part = end ? (size_t)(end - text) : length;
        terminal_write(text, part);
        if (end) {
            terminal_write("\r\n", 2);
            part++;
        }
        text += part;
        length -= part;
    }
}

size_t terminal_read(uint8_t *bytes, size_t size)
{
    size_t n = has_uart ? uart_service(&uart, bytes, size / 2) : 0;
    if (has_keyboard)
        n += keyboard_service(&keyboard, bytes + n, size - n);
    return n;
}

uint64_t terminal_refresh(uint64_t now)
{
    static uint64_t next;
    if (!has_screen || !screen.changed)
        return 0;
    if (now < next)
        return next;
    next = now + REFRESH_NS;
    screen_refresh(&screen);
    return 0;
}

int terminal_busy(void)
{
    return has_uart && uart_room(&uart) < UART_BUFFER / 2;
}

uint64_t terminal_poll_ns(void)
{
    return (has_uart && !uart.irq) || terminal_busy() ? POLL_NS : 0;
}
