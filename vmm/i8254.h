/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8254 programmable interval timer, and port 0x61 that gates its channel 2 (8254 data sheet;
 * ICH9 data sheet, "NMI Status and Control Register").
 *
 * Nothing ticks: each channel keeps the input clock's number at which its count was loaded, and
 * every read computes what the counter would hold. Only channel 0's next rising edge is a timer. */
#ifndef VMM_I8254_H
#define VMM_I8254_H

#include "vmm/device.h"

#define I8254_HZ 1193182u

struct i8254_channel {
    uint32_t count;      /* initial count in effect, 1..65536 (binary), 1..10000 (BCD) */
    uint32_t next_count; /* modes 2 and 3: loaded when the period ends; 0: none */
    uint64_t start;      /* clock number of the load */
    uint64_t held;       /* clocks elapsed when the gate went low */
    uint8_t mode;        /* 0..5 */
    uint8_t access;      /* 1 low byte, 2 high byte, 3 both */
    bool bcd, gate, loaded, triggered;
    uint8_t write_low; /* first byte of a two-byte count */
    bool write_second, read_second;
    uint16_t latch;
    uint8_t latch_bytes; /* bytes still to be read of the latch */
    uint8_t status;
    bool status_latched;
};

struct i8254 {
    struct machine *machine;
    struct i8254_channel channel[3];
    bool speaker;
    uint8_t port61; /* bits 2 and 3: kept, no effect */
    struct dev_timer timer;
    struct pio_region region, region61;
    uint64_t ticks;
};

void i8254_init(struct i8254 *pit, struct machine *machine);
void i8254_reset(struct i8254 *pit);

#endif
