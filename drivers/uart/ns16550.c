/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/uart/ns16550.h"

#include "user/program.h"
#include "user/syscall_stubs.h"

/* Registers, as offsets from the base. */
#define UART_RBR_THR 0u
#define UART_IER     1u
#define UART_IIR_FCR 2u
#define UART_LCR     3u
#define UART_MCR     4u
#define UART_LSR     5u
#define UART_MSR     6u
#define UART_SCR     7u

#define IER_RX     0x01u
#define IER_TX     0x02u
#define IIR_NONE   0x01u
#define FCR_ENABLE 0x07u /* FIFOs on and empty, interrupt at one byte */
#define LCR_8N1    0x03u
#define LCR_DLAB   0x80u
#define MCR_ON     0x0bu /* DTR, RTS, OUT2 (lets the interrupt through) */
#define LSR_DATA   0x01u
#define LSR_EMPTY  0x20u
#define LSR_IDLE   0x40u
#define FIFO_BYTES 16u
#define DIVISOR    1u /* 115200 */
#define STUCK_NS   200000000ull

static void out(const struct uart *uart, uint32_t reg, uint8_t value)
{
    __asm__ volatile("outb %0, %w1" : : "a"(value), "Nd"((uint16_t)(uart->base + reg)));
}

static uint8_t in(const struct uart *uart, uint32_t reg)
{
    uint8_t value;
    __asm__ volatile("inb %w1, %0" : "=a"(value) : "Nd"((uint16_t)(uart->base + reg)));
    return value;
}

bool uart_init(struct uart *uart, uint16_t base, uint32_t irq, uint32_t notif, uint64_t bits)
{
    uart->base = base;
    uart->irq = irq;
    uart->head = uart->tail = 0;
    out(uart, UART_SCR, 0x5a);
    uart->present = in(uart, UART_SCR) == 0x5a;
    if (!uart->present)
        return false;
    out(uart, UART_IER, 0);
    out(uart, UART_LCR, LCR_DLAB);
    out(uart, UART_RBR_THR, DIVISOR);
    out(uart, UART_IER, 0);
    out(uart, UART_LCR, LCR_8N1);
    out(uart, UART_IIR_FCR, FCR_ENABLE);
    out(uart, UART_MCR, MCR_ON);
    if (irq && sys_irq_bind(irq, notif, bits) == 0)
        out(uart, UART_IER, IER_RX);
    else
        uart->irq = 0;
    return true;
}

size_t uart_room(const struct uart *uart)
{
    return uart->present ? UART_BUFFER - (uart->head - uart->tail) : UART_BUFFER;
}

/* Fills the transmitter if it is empty. */
static void send_some(struct uart *uart)
{
    if (uart->head == uart->tail || !(in(uart, UART_LSR) & LSR_EMPTY))
        return;
    for (uint32_t i = 0; i < FIFO_BYTES && uart->head != uart->tail; i++)
        out(uart, UART_RBR_THR, uart->buffer[uart->tail++ % UART_BUFFER]);
}

/* The transmit interrupt is on only while something waits: otherwise it would come at once. */
static void set_interrupts(struct uart *uart)
{
    if (uart->irq)
        out(uart, UART_IER, uart->head != uart->tail ? IER_RX | IER_TX : IER_RX);
}

/* A line that takes nothing (flow control, no device) must not hold up the console for ever. */
static void wait_for_room(struct uart *uart, uint32_t room)
{
    uint64_t give_up = time_tsc() + time_ns_to_tsc(STUCK_NS);
    uint32_t tail = uart->tail;
    while (UART_BUFFER - (uart->head - uart->tail) < room) {
        send_some(uart);
        if (uart->tail != tail) {
            tail = uart->tail;
            give_up = time_tsc() + time_ns_to_tsc(STUCK_NS);
        } else if (time_tsc() > give_up) {
            uart->tail = uart->head;
        }
    }
}

void uart_write(struct uart *uart, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    if (!uart->present)
        return;
    for (size_t i = 0; i < length; i++) {
        if (uart->head - uart->tail == UART_BUFFER)
            wait_for_room(uart, UART_BUFFER / 4);
        uart->buffer[uart->head++ % UART_BUFFER] = from[i];
    }
    send_some(uart);
    set_interrupts(uart);
}

void uart_flush(struct uart *uart)
{
    if (!uart->present)
        return;
    wait_for_room(uart, UART_BUFFER);
    uint64_t give_up = time_tsc() + time_ns_to_tsc(STUCK_NS);
    while (!(in(uart, UART_LSR) & LSR_IDLE) && time_tsc() < give_up)
        ;
}

size_t uart_service(struct uart *uart, uint8_t *bytes, size_t size)
{
    size_t n = 0;
    if (!uart->present)
        return 0;
    while (n < size && (in(uart, UART_LSR) & LSR_DATA))
        bytes[n++] = in(uart, UART_RBR_THR);
    send_some(uart);
    set_interrupts(uart);
    /* The line is edge-triggered: every cause has to be gone before the next edge can come. */
    for (int i = 0; i < 8 && !(in(uart, UART_IIR_FCR) & IIR_NONE); i++) {
        in(uart, UART_MSR);
        while (n < size && (in(uart, UART_LSR) & LSR_DATA))
            bytes[n++] = in(uart, UART_RBR_THR);
        send_some(uart);
    }
    if (uart->irq)
        sys_irq_ack(uart->irq);
    return n;
}
