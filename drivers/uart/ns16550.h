/* SPDX-License-Identifier: BSD-2-Clause */
/* A 16550 on I/O ports, for programs whose domain may use them. */
#ifndef DRIVERS_UART_NS16550_H
#define DRIVERS_UART_NS16550_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UART_BUFFER 32768u

struct uart {
    uint16_t base;
    uint32_t irq; /* slot; 0: poll */
    bool present;
    uint32_t head, tail; /* of buffer, counted in bytes */
    uint8_t buffer[UART_BUFFER];
};

/* 115200 8n1, FIFOs on. False if nothing answers at these ports. */
bool uart_init(struct uart *uart, uint16_t base, uint32_t irq, uint32_t notif, uint64_t bits);
/* Queues bytes; waits for the line only when the buffer is full. */
void uart_write(struct uart *uart, const void *bytes, size_t length);
/* Bytes that can be queued without waiting. */
size_t uart_room(const struct uart *uart);
/* Call when the interrupt has come, or from time to time: sends what waits, and returns up to size
 * bytes that were received. */
size_t uart_service(struct uart *uart, uint8_t *bytes, size_t size);
/* Waits until all has been sent. */
void uart_flush(struct uart *uart);

#endif
