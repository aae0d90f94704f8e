/* SPDX-License-Identifier: BSD-2-Clause */
/* National Semiconductor NS16550AF UART (data sheet of June 1995). The line is as fast as the
 * console takes bytes; only the receiver's character timeout knows the baud rate. */
#ifndef VMM_NS16550_H
#define VMM_NS16550_H

#include "vmm/channel.h"
#include "vmm/device.h"

#define NS16550_FIFO 16u

struct ns16550_fifo {
    uint8_t data[NS16550_FIFO];
    uint8_t first, count;
};

struct ns16550 {
    struct machine *machine;
    struct byte_channel *channel;
    uint8_t irq;
    uint8_t ier, fcr, lcr, mcr, msr, scr;
    uint8_t lsr; /* error bits only; the others follow from the FIFOs */
    uint16_t divisor;
    struct ns16550_fifo rx, tx;
    bool thre_pending, timeout_pending;
    struct dev_timer timeout; /* character timeout of the receiver */
    struct dev_timer stalled; /* the console takes nothing */
    struct pio_region region;
    uint64_t bytes_out, bytes_in, dropped;
};

/* channel NULL: output is dropped. */
void ns16550_init(struct ns16550 *uart, struct machine *machine, uint16_t base, uint8_t irq,
                  struct byte_channel *channel);
void ns16550_reset(struct ns16550 *uart);
/* The channel has input, or room. */
void ns16550_channel_event(struct ns16550 *uart);

#endif
