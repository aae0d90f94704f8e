/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8259A interrupt controller pair of a PC, with the edge/level control registers of the EISA
 * bus (8259A data sheet; ELCR: Intel ICH9 data sheet, "ELCR1, ELCR2"). */
#ifndef VMM_I8259_H
#define VMM_I8259_H

#include "vmm/device.h"

struct i8259_chip {
    uint8_t irr, isr, imr;
    uint8_t lines; /* input levels */
    uint8_t elcr;  /* 1: level-triggered */
    uint8_t elcr_writable;
    uint8_t vector_base; /* ICW2 */
    uint8_t lowest;      /* input with the lowest priority */
    uint8_t icw_next;    /* initialisation word expected at A0=1: 2, 3, 4; 0: none */
    bool icw4_needed, single;
    bool auto_eoi, rotate_on_aeoi, special_fully_nested;
    bool special_mask, poll, read_isr;
    bool master;
};

struct i8259 {
    struct machine *machine;
    struct i8259_chip chip[2];
    bool intr; /* output of the master */
    struct pio_region region[4];
    uint64_t acks, spurious;
};

void i8259_init(struct i8259 *pic, struct machine *machine);
void i8259_reset(struct i8259 *pic);
/* ISA IRQ 0..15 but 2, which is the cascade. */
void i8259_set_irq(struct i8259 *pic, unsigned irq, bool level);
/* Two INTA cycles: the vector. */
uint8_t i8259_ack(struct i8259 *pic);
/* Sets the edge/level control of an IRQ, as firmware does for PCI lines and the SCI. */
void i8259_set_level_triggered(struct i8259 *pic, unsigned irq);

#endif
