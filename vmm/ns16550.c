/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/ns16550.h"

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

#define IER_ERBFI 0x01u
#define IER_ETBEI 0x02u
#define IER_ELSI  0x04u
#define IER_EDSSI 0x08u

#define IIR_NONE    0x01u
#define IIR_MODEM   0x00u
#define IIR_THRE    0x02u
#define IIR_DATA    0x04u
#define IIR_LINE    0x06u
#define IIR_TIMEOUT 0x0cu
#define IIR_FIFOS   0xc0u

#define FCR_ENABLE   0x01u
#define FCR_CLEAR_RX 0x02u
#define FCR_CLEAR_TX 0x04u
#define FCR_KEPT     0xc9u

#define LCR_BREAK 0x40u
#define LCR_DLAB  0x80u

#define MCR_DTR  0x01u
#define MCR_RTS  0x02u
#define MCR_OUT1 0x04u
#define MCR_OUT2 0x08u
#define MCR_LOOP 0x10u

#define LSR_DR     0x01u
#define LSR_OE     0x02u
#define LSR_BI     0x10u
#define LSR_THRE   0x20u
#define LSR_TEMT   0x40u
#define LSR_FIFO   0x80u
#define LSR_ERRORS 0x1eu

#define MSR_DCTS 0x01u
#define MSR_DDSR 0x02u
#define MSR_TERI 0x04u
#define MSR_DDCD 0x08u
#define MSR_CTS  0x10u
#define MSR_DSR  0x20u
#define MSR_RI   0x40u
#define MSR_DCD  0x80u

#define BAUD_BASE 115200u
/* A console that takes nothing for so long is gone; its guest must not stand for it. */
#define UART_STALL_NS NS_PER_S

/* --- FIFOs --- */

static unsigned depth(const struct ns16550 *uart)
{
    return uart->fcr & FCR_ENABLE ? NS16550_FIFO : 1;
}

static void push(struct ns16550_fifo *fifo, uint8_t byte)
{
    fifo->data[(fifo->first + fifo->count++) % NS16550_FIFO] = byte;
}

static uint8_t pop(struct ns16550_fifo *fifo)
{
    uint8_t byte = fifo->data[fifo->first];
    fifo->first = (uint8_t)((fifo->first + 1u) % NS16550_FIFO);
    fifo->count--;
    return byte;
}

static unsigned trigger(const struct ns16550 *uart)
{
    static const uint8_t level[] = {1, 4, 8, 14};
    return uart->fcr & FCR_ENABLE ? level[uart->fcr >> 6] : 1;
}

/* --- interrupts, in the order of their priority --- */

static uint8_t pending(const struct ns16550 *uart)
{
    if (uart->ier & IER_ELSI && uart->lsr & LSR_ERRORS)
        return IIR_LINE;
    if (uart->ier & IER_ERBFI && uart->rx.count >= trigger(uart))
        return IIR_DATA;
    if (uart->ier & IER_ERBFI && uart->timeout_pending)
        return IIR_TIMEOUT;
    if (uart->ier & IER_ETBEI && uart->thre_pending)
        return IIR_THRE;
    if (uart->ier & IER_EDSSI && uart->msr & (MSR_DCTS | MSR_DDSR | MSR_TERI | MSR_DDCD))
        return IIR_MODEM;
    return IIR_NONE;
}

/* On a PC's board OUT2 connects INTR to the bus. In loopback the pin itself is inactive, but boards
 * differ, and tests of the chip expect its interrupts then. */
static void uart_update(struct ns16550 *uart)
{
    bool connected = uart->mcr & (MCR_OUT2 | MCR_LOOP);
    irq_set(uart->machine, uart->irq, connected && pending(uart) != IIR_NONE);
}

/* --- receiver --- */

static void arm_timeout(struct ns16550 *uart)
{
    if (!(uart->fcr & FCR_ENABLE) || uart->rx.count == 0 || uart->rx.count >= trigger(uart)) {
        timer_cancel(uart->machine, &uart->timeout);
        return;
    }
    /* Four character times of start, data, parity and stop bits. */
    unsigned bits = 1 + 5 + (uart->lcr & 3u) + (uart->lcr >> 3 & 1u) + 1 + (uart->lcr >> 2 & 1u);
    uint64_t divisor = uart->divisor ? uart->divisor : 65536u;
    timer_arm(uart->machine, &uart->timeout,
              clock_ns(uart->machine) + 4 * bits * divisor * NS_PER_S / BAUD_BASE);
}

static void uart_timeout(void *dev)
{
    struct ns16550 *uart = dev;
    uart->timeout_pending = uart->rx.count > 0;
    uart_update(uart);
}

static void uart_receive(struct ns16550 *uart, uint8_t byte)
{
    if (uart->rx.count >= depth(uart)) {
        uart->lsr |= LSR_OE;
        if (!(uart->fcr & FCR_ENABLE)) { /* without FIFO the newer byte overwrites the older */
            pop(&uart->rx);
            push(&uart->rx, byte);
        }
        return;
    }
    push(&uart->rx, byte);
}

/* Takes input while there is room, so that the ring, not the guest, holds back a fast typist. */
static void pull(struct ns16550 *uart)
{
    uint8_t bytes[NS16550_FIFO];
    if (!uart->channel || uart->mcr & MCR_LOOP || uart->rx.count >= depth(uart))
        return;
    size_t room = depth(uart) - uart->rx.count;
    size_t count = uart->channel->read(uart->channel->ctx, bytes, room);
    for (size_t i = 0; i < count && i < room; i++)
        uart_receive(uart, bytes[i]);
    uart->bytes_in += count;
    if (count)
        arm_timeout(uart);
}

static uint8_t uart_read_data(struct ns16550 *uart)
{
    if (uart->rx.count == 0)
        return 0;
    uint8_t byte = pop(&uart->rx);
    uart->timeout_pending = false;
    pull(uart);
    arm_timeout(uart);
    uart_update(uart);
    return byte;
}

/* --- transmitter --- */

static void drain(struct ns16550 *uart)
{
    while (uart->tx.count) {
        uint8_t byte = uart->tx.data[uart->tx.first];
        if (uart->channel && uart->channel->write(uart->channel->ctx, &byte, 1) == 0)
            break;
        pop(&uart->tx);
        uart->bytes_out++;
    }
    if (uart->tx.count == 0) {
        uart->thre_pending = true;
        timer_cancel(uart->machine, &uart->stalled);
    } else if (uart->stalled.place == 0) {
        timer_arm(uart->machine, &uart->stalled, clock_ns(uart->machine) + UART_STALL_NS);
    }
}

static void uart_stalled(void *dev)
{
    struct ns16550 *uart = dev;
    uart->dropped += uart->tx.count;
    uart->tx.count = 0;
    uart->thre_pending = true;
    uart_update(uart);
}

static void uart_write_data(struct ns16550 *uart, uint8_t byte)
{
    uart->thre_pending = false;
    if (uart->mcr & MCR_LOOP) {
        uart_receive(uart, byte);
        arm_timeout(uart);
        uart->thre_pending = true;
    } else {
        if (uart->tx.count >= depth(uart)) {
            uart->dropped++; /* written without THRE: lost, as on the chip */
            return;
        }
        push(&uart->tx, byte);
        drain(uart);
    }
    uart_update(uart);
}

/* --- registers --- */

static void write_fcr(struct ns16550 *uart, uint8_t value)
{
    bool toggled = (value ^ uart->fcr) & FCR_ENABLE;
    if (toggled || value & FCR_CLEAR_RX) {
        uart->rx.count = 0;
        uart->timeout_pending = false;
    }
    if (toggled || value & FCR_CLEAR_TX) {
        uart->dropped += uart->tx.count;
        uart->tx.count = 0;
        uart->thre_pending = true;
        timer_cancel(uart->machine, &uart->stalled);
    }
    uart->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
    pull(uart);
    arm_timeout(uart);
    uart_update(uart);
}

/* Modem inputs: a terminal that is always there, or in loopback the chip's own outputs. */
static void update_modem(struct ns16550 *uart)
{
    uint8_t inputs = MSR_CTS | MSR_DSR | MSR_DCD;
    if (uart->mcr & MCR_LOOP)
        inputs =
            (uint8_t)((uart->mcr & MCR_RTS ? MSR_CTS : 0) | (uart->mcr & MCR_DTR ? MSR_DSR : 0) |
                      (uart->mcr & MCR_OUT1 ? MSR_RI : 0) | (uart->mcr & MCR_OUT2 ? MSR_DCD : 0));
    uint8_t old = uart->msr, changed = old ^ inputs;
    uint8_t deltas = old & 0x0fu;
    deltas |= (uint8_t)((changed & MSR_CTS ? MSR_DCTS : 0) | (changed & MSR_DSR ? MSR_DDSR : 0) |
                        (changed & MSR_DCD ? MSR_DDCD : 0));
    if (old & MSR_RI && !(inputs & MSR_RI)) /* trailing edge */
        deltas |= MSR_TERI;
    uart->msr = inputs | deltas;
}

static void write_ier(struct ns16550 *uart, uint8_t value)
{
    /* Enabling the THRE interrupt while THR is empty raises it at once; drivers count on that. */
    if (value & IER_ETBEI && !(uart->ier & IER_ETBEI) && uart->tx.count == 0)
        uart->thre_pending = true;
    uart->ier = value & 0x0fu;
    uart_update(uart);
}

static void uart_write(void *dev, uint64_t offset, unsigned size, uint64_t value64)
{
    (void)size;
    struct ns16550 *uart = dev;
    uint8_t value = (uint8_t)value64;
    bool dlab = uart->lcr & LCR_DLAB;
    switch (offset) {
    case REG_DATA:
        if (dlab)
            uart->divisor = (uint16_t)((uart->divisor & 0xff00u) | value);
        else
            uart_write_data(uart, value);
        break;
    case REG_IER:
        if (dlab)
            uart->divisor = (uint16_t)((uart->divisor & 0xffu) | (unsigned)value << 8);
        else
            write_ier(uart, value);
        break;
    case REG_IIR_FCR:
        write_fcr(uart, value);
        break;
    case REG_LCR:
        uart->lcr = value;
        if (value & LCR_BREAK && uart->mcr & MCR_LOOP) {
            uart_receive(uart, 0);
            uart->lsr |= LSR_BI;
            uart_update(uart);
        }
        break;
    case REG_MCR:
        uart->mcr = value & 0x1fu;
        update_modem(uart);
        pull(uart);
        uart_update(uart);
        break;
    case REG_SCR:
        uart->scr = value;
        break;
    default: /* LSR and MSR: writes are for factory tests */
        break;
    }
}

static uint8_t read_lsr(struct ns16550 *uart)
{
    unsigned value = uart->lsr | (uart->rx.count ? LSR_DR : 0u);
    if (uart->tx.count == 0)
        value |= LSR_THRE | LSR_TEMT;
    if (uart->fcr & FCR_ENABLE && uart->lsr & LSR_BI)
        value |= LSR_FIFO;
    uart->lsr = 0;
    uart_update(uart);
    return (uint8_t)value;
}

static uint8_t read_iir(struct ns16550 *uart)
{
    uint8_t source = pending(uart);
    if (source == IIR_THRE) { /* reading it is the acknowledge of this source */
        uart->thre_pending = false;
        uart_update(uart);
    }
    return source | (uart->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint64_t uart_read(void *dev, uint64_t offset, unsigned size)
{
    (void)size;
    struct ns16550 *uart = dev;
    bool dlab = uart->lcr & LCR_DLAB;
    uint8_t value;
    switch (offset) {
    case REG_DATA:
        return dlab ? uart->divisor & 0xffu : uart_read_data(uart);
    case REG_IER:
        return dlab ? (uint8_t)(uart->divisor >> 8) : uart->ier;
    case REG_IIR_FCR:
        return read_iir(uart);
    case REG_LCR:
        return uart->lcr;
    case REG_MCR:
        return uart->mcr;
    case REG_LSR:
        return read_lsr(uart);
    case REG_MSR:
        value = uart->msr;
        uart->msr &= 0xf0u;
        uart_update(uart);
        return value;
    default:
        return uart->scr;
    }
}

void ns16550_channel_event(struct ns16550 *uart)
{
    if (uart->tx.count)
        drain(uart);
    pull(uart);
    uart_update(uart);
}

void ns16550_reset(struct ns16550 *uart)
{
    uart->ier = uart->fcr = uart->lcr = uart->mcr = uart->lsr = uart->scr = 0;
    uart->msr = MSR_CTS | MSR_DSR | MSR_DCD;
    uart->divisor = 12; /* 9600 baud; undefined in silicon */
    uart->rx = uart->tx = (struct ns16550_fifo){0};
    uart->thre_pending = uart->timeout_pending = false;
    timer_cancel(uart->machine, &uart->timeout);
    timer_cancel(uart->machine, &uart->stalled);
    uart_update(uart);
}

void ns16550_init(struct ns16550 *uart, struct machine *machine, uint16_t base, uint8_t irq,
                  struct byte_channel *channel)
{
    static const struct region_ops ops = {uart_read, uart_write};
    memset(uart, 0, sizeof *uart);
    uart->machine = machine;
    uart->channel = channel;
    uart->irq = irq;
    uart->timeout = (struct dev_timer){.fire = uart_timeout, .dev = uart};
    uart->stalled = (struct dev_timer){.fire = uart_stalled, .dev = uart};
    ns16550_reset(uart);
    uart->region = (struct pio_region){
        .base = base, .count = 8, .max_size = 1, .ops = &ops, .dev = uart, .name = "ns16550"};
    pio_add(machine, &uart->region);
    pull(uart); /* asks the ring for a signal when something is typed */
}
