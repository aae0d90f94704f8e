/* SPDX-License-Identifier: BSD-2-Clause */
/* 16550 at COM1, polled. */
#include "arch/x86_64/console.h"
#include "arch/x86_64/insn.h"

#define COM1     0x3f8u
#define UART_THR 0u
#define UART_DLL 0u
#define UART_IER 1u
#define UART_DLM 1u
#define UART_FCR 2u
#define UART_IIR 2u
#define UART_LCR 3u
#define UART_MCR 4u
#define UART_LSR 5u
#define UART_SCR 7u

#define LCR_8N1       0x03u
#define LCR_DLAB      0x80u
#define FCR_ENABLE    0x07u /* enable, clear both */
#define IIR_FIFO      0xc0u
#define MCR_DTR_RTS   0x03u
#define LSR_THRE      0x20u
#define FIFO_BYTES    16u
#define WAIT_SPINS    200000u /* far more than 16 characters take */
#define GIVE_UP_AFTER 3u

static bool present;
static uint32_t room;     /* bytes the transmitter still takes without asking */
static uint32_t burst;    /* bytes it takes when it is empty */
static uint32_t timeouts; /* in a row */

static uint8_t reg_read(uint32_t reg)
{
    return inb((uint16_t)(COM1 + reg));
}

static void reg_write(uint32_t reg, uint32_t value)
{
    outb((uint16_t)(COM1 + reg), (uint8_t)value);
}

/* The scratch register holds any value; a bus without a UART does not. */
static bool detect(void)
{
    static const uint8_t patterns[] = {0x5a, 0xa5};
    for (uint32_t i = 0; i < ARRAY_LEN(patterns); i++) {
        reg_write(UART_SCR, patterns[i]);
        if (reg_read(UART_SCR) != patterns[i])
            return false;
    }
    return reg_read(UART_LSR) != 0xff;
}

void early_uart_init(void)
{
    present = detect();
    if (!present)
        return;
    reg_write(UART_IER, 0);
    reg_write(UART_LCR, LCR_DLAB | LCR_8N1);
    reg_write(UART_DLL, 1); /* 115200 baud */
    reg_write(UART_DLM, 0);
    reg_write(UART_LCR, LCR_8N1);
    reg_write(UART_FCR, FCR_ENABLE);
    reg_write(UART_MCR, MCR_DTR_RTS);
    burst = (reg_read(UART_IIR) & IIR_FIFO) == IIR_FIFO ? FIFO_BYTES : 1;
}

static bool wait_empty(void)
{
    for (uint32_t i = 0; i < WAIT_SPINS; i++) {
        if (reg_read(UART_LSR) & LSR_THRE) {
            timeouts = 0;
            room = burst;
            return true;
        }
        cpu_pause();
    }
    /* Flow control that never lets go, or a device that went away. */
    if (++timeouts >= GIVE_UP_AFTER)
        present = false;
    return false;
}

static void put(char c)
{
    if (!present || (!room && !wait_empty()))
        return;
    room--;
    reg_write(UART_THR, (uint8_t)c);
}

void early_uart_write(const char *text, size_t length)
{
    /* Ring 3 may have used the UART since: ask anew. */
    room = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            put('\r');
        put(text[i]);
    }
}
