/* SPDX-License-Identifier: BSD-2-Clause */
/* 16550 at COM1, polled. */
#include "arch/x86_64/console.h"
#include "arch/x86_64/insn.h"

#define COM1       0x3f8u
#define UART_LSR   (COM1 + 5)
#define UART_SCR   (COM1 + 7)
#define LSR_THRE   0x20u
#define WAIT_SPINS 200000u /* far more than a FIFO's 16 characters take */

static bool present;

void early_uart_init(void)
{
    /* Register and value: no interrupts; 115200 baud, 8N1; FIFO on; DTR and RTS. */
    static const uint8_t setup[][2] = {{1, 0}, {3, 0x83}, {0, 1}, {1, 0}, {3, 3}, {2, 7}, {4, 3}};

    /* The scratch register holds any value; a bus without a UART does not. */
    outb(UART_SCR, 0xa5);
    present = inb(UART_SCR) == 0xa5;
    for (uint32_t i = 0; present && i < ARRAY_LEN(setup); i++)
        outb((uint16_t)(COM1 + setup[i][0]), setup[i][1]);
}

static void put(char c)
{
    for (uint32_t i = 0; present && !(inb(UART_LSR) & LSR_THRE); i++) {
        cpu_pause();
        /* A device that went away must not stop the kernel. */
        present = i < WAIT_SPINS;
    }
    if (present)
        outb(COM1, (uint8_t)c);
}

void early_uart_write(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            put('\r');
        put(text[i]);
    }
}
