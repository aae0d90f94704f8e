/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/i8259.h"

#define CASCADE 2u

#define ICW1_INIT 0x10u
#define ICW1_SNGL 0x02u
#define ICW1_IC4  0x01u
#define ICW4_SFNM 0x10u
#define ICW4_AEOI 0x02u
#define OCW3      0x08u
#define OCW3_ESMM 0x40u
#define OCW3_SMM  0x20u
#define OCW3_POLL 0x04u
#define OCW3_RR   0x02u
#define OCW3_RIS  0x01u

static unsigned rank(const struct i8259_chip *chip, unsigned irq)
{
    return (irq - chip->lowest - 1u) & 7u;
}

/* The set bit of highest priority, 8 if none. */
static unsigned highest(const struct i8259_chip *chip, unsigned bits)
{
    for (unsigned i = 1; i <= 8; i++) {
        unsigned irq = (chip->lowest + i) & 7u;
        if (bits & 1u << irq)
            return irq;
    }
    return 8;
}

/* The request that the chip would raise INT for, 8 if none. */
static unsigned requested(const struct i8259_chip *chip)
{
    unsigned irq = highest(chip, chip->irr & ~chip->imr & 0xffu);
    if (irq == 8)
        return 8;
    unsigned in_service = chip->isr;
    if (chip->special_mask)
        in_service &= ~(unsigned)chip->imr; /* masked levels no longer inhibit others */
    if (chip->special_fully_nested && chip->master)
        in_service &= ~(1u << CASCADE); /* the slave's own priorities decide */
    unsigned serving = highest(chip, in_service);
    if (serving != 8 && rank(chip, serving) <= rank(chip, irq))
        return 8;
    return irq;
}

/* The slave's INT is the master's input 2. It is followed as a level, whatever the trigger mode:
 * with edges, a second request of the slave behind an automatic EOI would have no edge. */
static void pic_update(struct i8259 *pic)
{
    struct i8259_chip *master = &pic->chip[0];
    if (requested(&pic->chip[1]) != 8)
        master->irr |= 1u << CASCADE;
    else
        master->irr &= (uint8_t) ~(1u << CASCADE);
    bool intr = requested(master) != 8;
    if (intr != pic->intr) {
        pic->intr = intr;
        pic->machine->host->extint(pic->machine->host_ctx, intr);
    }
}

void i8259_set_irq(struct i8259 *pic, unsigned irq, bool level)
{
    if (irq >= 16 || irq == CASCADE)
        return;
    struct i8259_chip *chip = &pic->chip[irq >> 3];
    uint8_t bit = (uint8_t)(1u << (irq & 7u));
    bool was = chip->lines & bit;
    if (level == was)
        return;
    if (level) {
        chip->lines |= bit;
        chip->irr |= bit;
    } else {
        /* Also an edge-triggered request ends when its input falls before the acknowledge; INTA
         * then finds nothing and gives IR7 (data sheet, "Edge and level triggered modes"). */
        chip->lines &= (uint8_t)~bit;
        chip->irr &= (uint8_t)~bit;
    }
    if (!(chip->imr & bit)) /* what is masked asks for nothing: all of them, beside an I/O APIC */
        pic_update(pic);
}

static void end_of_interrupt(struct i8259_chip *chip, unsigned irq, bool rotate)
{
    if (irq == 8)
        return;
    chip->isr &= (uint8_t) ~(1u << irq);
    if (rotate)
        chip->lowest = (uint8_t)irq;
}

static void accept(struct i8259_chip *chip, unsigned irq)
{
    uint8_t bit = (uint8_t)(1u << irq);
    if (!(chip->elcr & bit))
        chip->irr &= (uint8_t)~bit;
    chip->isr |= bit;
    if (chip->auto_eoi)
        end_of_interrupt(chip, irq, chip->rotate_on_aeoi);
}

uint8_t i8259_ack(struct i8259 *pic)
{
    struct i8259_chip *master = &pic->chip[0], *slave = &pic->chip[1];
    unsigned irq = requested(master);
    uint8_t vector;
    pic->acks++;
    if (irq == 8) {
        pic->spurious++;
        vector = master->vector_base | 7u;
    } else if (irq == CASCADE) {
        accept(master, CASCADE);
        irq = requested(slave);
        if (irq == 8)
            pic->spurious++;
        else
            accept(slave, irq);
        vector = (uint8_t)(slave->vector_base | (irq == 8 ? 7u : irq));
    } else {
        accept(master, irq);
        vector = (uint8_t)(master->vector_base | irq);
    }
    pic_update(pic);
    return vector;
}

static void initialise(struct i8259_chip *chip, unsigned icw1)
{
    /* The edge detectors are reset: a level input that is still active asks again. */
    chip->irr = chip->lines & chip->elcr;
    chip->isr = 0;
    chip->imr = 0;
    chip->lowest = 7;
    chip->special_mask = chip->poll = chip->read_isr = false;
    chip->auto_eoi = chip->rotate_on_aeoi = chip->special_fully_nested = false;
    chip->single = icw1 & ICW1_SNGL;
    chip->icw4_needed = icw1 & ICW1_IC4;
    chip->icw_next = 2;
}

static void write_ocw2(struct i8259_chip *chip, unsigned value)
{
    unsigned level = value & 7u;
    switch (value >> 5) {
    case 0: /* rotate in automatic EOI mode: clear, set */
    case 4:
        chip->rotate_on_aeoi = value >> 5;
        break;
    case 1: /* non-specific EOI */
    case 5:
        /* In special mask mode, masked levels are not cleared by it. */
        end_of_interrupt(chip,
                         highest(chip, chip->special_mask ? chip->isr & ~chip->imr : chip->isr),
                         value >> 5 == 5);
        break;
    case 3: /* specific EOI */
    case 7:
        end_of_interrupt(chip, level, value >> 5 == 7);
        break;
    case 6: /* set priority */
        chip->lowest = (uint8_t)level;
        break;
    default: /* 2: no operation */
        break;
    }
}

static void write_ocw3(struct i8259_chip *chip, unsigned value)
{
    if (value & OCW3_ESMM)
        chip->special_mask = value & OCW3_SMM;
    chip->poll = value & OCW3_POLL;
    if (value & OCW3_RR)
        chip->read_isr = value & OCW3_RIS;
}

static void write_icw(struct i8259_chip *chip, unsigned value)
{
    switch (chip->icw_next) {
    case 2:
        chip->vector_base = value & 0xf8u;
        chip->icw_next = !chip->single ? 3 : chip->icw4_needed ? 4 : 0;
        break;
    case 3: /* who is cascaded where is wired */
        chip->icw_next = chip->icw4_needed ? 4 : 0;
        break;
    default:
        chip->special_fully_nested = value & ICW4_SFNM;
        chip->auto_eoi = value & ICW4_AEOI;
        chip->icw_next = 0;
        break;
    }
}

/* The chip's own address tells which pair it is part of. */
static struct i8259 *pair_of(struct i8259_chip *chip)
{
    struct i8259_chip *first = chip->master ? chip : chip - 1;
    return (struct i8259 *)((char *)first - offsetof(struct i8259, chip));
}

static void chip_write(void *dev, uint64_t a0, unsigned size, uint64_t value64)
{
    (void)size;
    struct i8259_chip *chip = dev;
    unsigned value = (unsigned)value64;
    if (a0 == 0 && value & ICW1_INIT)
        initialise(chip, value);
    else if (a0 == 0 && value & OCW3)
        write_ocw3(chip, value);
    else if (a0 == 0)
        write_ocw2(chip, value);
    else if (chip->icw_next)
        write_icw(chip, value);
    else
        chip->imr = (uint8_t)value;
    pic_update(pair_of(chip));
}

static uint64_t chip_read(void *dev, uint64_t a0, unsigned size)
{
    (void)size;
    struct i8259_chip *chip = dev;
    if (chip->poll) {
        /* The read is the acknowledge (data sheet, "Poll command"). */
        chip->poll = false;
        unsigned irq = requested(chip);
        if (irq == 8)
            return 0;
        accept(chip, irq);
        pic_update(pair_of(chip));
        return 0x80u | irq;
    }
    if (a0)
        return chip->imr;
    return chip->read_isr ? chip->isr : chip->irr;
}

static void elcr_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    (void)offset, (void)size;
    struct i8259_chip *chip = dev;
    chip->elcr = (uint8_t)value & chip->elcr_writable;
    pic_update(pair_of(chip));
}

static uint64_t elcr_read(void *dev, uint64_t offset, unsigned size)
{
    (void)offset, (void)size;
    return ((struct i8259_chip *)dev)->elcr;
}

void i8259_set_level_triggered(struct i8259 *pic, unsigned irq)
{
    struct i8259_chip *chip = &pic->chip[(irq >> 3) & 1u];
    chip->elcr = (uint8_t)(chip->elcr | (1u << (irq & 7u) & chip->elcr_writable));
}

void i8259_reset(struct i8259 *pic)
{
    for (unsigned i = 0; i < 2; i++) {
        struct i8259_chip *chip = &pic->chip[i];
        uint8_t lines = chip->lines;
        memset(chip, 0, sizeof *chip);
        chip->lines = lines;
        chip->master = i == 0;
        /* Timer, keyboard, cascade, RTC and coprocessor are edge-triggered for good. */
        chip->elcr_writable = i == 0 ? 0xf8u : 0xdeu;
        chip->lowest = 7;
        chip->imr = 0xff; /* undefined in silicon; nothing disturbs a guest that never touches it */
    }
    pic_update(pic);
}

void i8259_init(struct i8259 *pic, struct machine *machine)
{
    static const struct region_ops chip_ops = {chip_read, chip_write};
    static const struct region_ops elcr_ops = {elcr_read, elcr_write};
    memset(pic, 0, sizeof *pic);
    pic->machine = machine;
    i8259_reset(pic);
    for (unsigned i = 0; i < 2; i++) {
        pic->region[i] = (struct pio_region){.base = i ? 0xa0 : 0x20,
                                             .count = 2,
                                             .max_size = 1,
                                             .ops = &chip_ops,
                                             .dev = &pic->chip[i],
                                             .name = "i8259"};
        pic->region[2 + i] = (struct pio_region){.base = (uint16_t)(0x4d0 + i),
                                                 .count = 1,
                                                 .max_size = 1,
                                                 .ops = &elcr_ops,
                                                 .dev = &pic->chip[i],
                                                 .name = "elcr"};
        pio_add(machine, &pic->region[i]);
        pio_add(machine, &pic->region[2 + i]);
    }
}
