/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/i8042.h"

#define IRQ_KEYBOARD 1u

#define STATUS_OBF     0x01u
#define STATUS_SYSTEM  0x04u
#define STATUS_COMMAND 0x08u
#define STATUS_UNLOCK  0x10u

#define CB_KEYBOARD_INT 0x01u
#define CB_SYSTEM       0x04u
#define CB_NO_KEYBOARD  0x10u
#define CB_NO_AUX       0x20u
#define CB_TRANSLATE    0x40u

#define OUTPUT_RUN 0x01u /* 0 resets the system */
#define OUTPUT_A20 0x02u

#define KEYBOARD_ACK    0xfau
#define KEYBOARD_RESEND 0xfeu

static void kbc_update_irq(struct i8042 *kbc)
{
    irq_set(kbc->machine, IRQ_KEYBOARD, kbc->count && kbc->command_byte & CB_KEYBOARD_INT);
}

static void answer(struct i8042 *kbc, uint8_t byte)
{
    if (kbc->count < I8042_QUEUE)
        kbc->queue[(kbc->first + kbc->count++) % I8042_QUEUE] = byte;
    kbc_update_irq(kbc);
}

static void reset_system(struct i8042 *kbc)
{
    machine_event(kbc->machine, MACHINE_RESET, "keyboard controller");
}

static void keyboard_write(struct i8042 *kbc, uint8_t value)
{
    if (kbc->command_byte & CB_NO_KEYBOARD)
        kbc->command_byte &= (uint8_t)~CB_NO_KEYBOARD; /* sending enables the interface */
    if (kbc->keyboard_expects) {
        bool query = kbc->keyboard_expects == 0xf0 && value == 0;
        kbc->keyboard_expects = 0;
        answer(kbc, KEYBOARD_ACK);
        if (query)
            answer(kbc, 2); /* scan code set */
        return;
    }
    switch (value) {
    case 0xed: /* indicators */
    case 0xf0: /* scan code set */
    case 0xf3: /* typematic rate */
        kbc->keyboard_expects = value;
        answer(kbc, KEYBOARD_ACK);
        break;
    case 0xee: /* echo */
        answer(kbc, 0xee);
        break;
    case 0xf2: /* identify: MF2 keyboard, translated or not */
        answer(kbc, KEYBOARD_ACK);
        answer(kbc, 0xab);
        answer(kbc, kbc->command_byte & CB_TRANSLATE ? 0x41 : 0x83);
        break;
    case 0xff: /* reset: self-test passed */
        answer(kbc, KEYBOARD_ACK);
        answer(kbc, 0xaa);
        break;
    default:
        answer(kbc, value >= 0xf4 ? KEYBOARD_ACK : KEYBOARD_RESEND);
        break;
    }
}

static void write_output_port(struct i8042 *kbc, uint8_t value)
{
    kbc->output_port = value | OUTPUT_A20;
    if (!(value & OUTPUT_RUN))
        reset_system(kbc);
}

static void kbc_write_data(struct i8042 *kbc, uint8_t value)
{
    uint8_t command = kbc->expects;
    kbc->expects = 0;
    kbc->last_was_command = false;
    switch (command) {
    case 0:
        keyboard_write(kbc, value);
        break;
    case 0x60:
        kbc->command_byte = value;
        kbc_update_irq(kbc);
        break;
    case 0xd1:
        write_output_port(kbc, value);
        break;
    case 0xd2:
        answer(kbc, value);
        break;
    default: /* 0xd3, 0xd4: no auxiliary device; what is sent there is answered as a time-out is */
        answer(kbc, KEYBOARD_RESEND);
        break;
    }
}

static void kbc_write_command(struct i8042 *kbc, uint8_t value)
{
    kbc->expects = 0;
    kbc->last_was_command = true;
    switch (value) {
    case 0x20:
        answer(kbc, kbc->command_byte);
        break;
    case 0x60:
    case 0xd1:
    case 0xd2:
    case 0xd3:
    case 0xd4:
        kbc->expects = value;
        break;
    case 0xa7:
        kbc->command_byte |= CB_NO_AUX;
        break;
    case 0xa8: /* there is nothing to enable */
        break;
    case 0xa9: /* auxiliary interface test: clock line stuck low */
        answer(kbc, 0x01);
        break;
    case 0xaa:
        kbc->command_byte |= CB_SYSTEM;
        kbc->first = kbc->count = 0;
        answer(kbc, 0x55);
        break;
    case 0xab: /* keyboard interface test: no error */
        answer(kbc, 0x00);
        break;
    case 0xad:
        kbc->command_byte |= CB_NO_KEYBOARD;
        break;
    case 0xae:
        kbc->command_byte &= (uint8_t)~CB_NO_KEYBOARD;
        break;
    case 0xc0: /* input port: keyboard not locked */
        answer(kbc, 0x80);
        break;
    case 0xd0:
        answer(kbc, kbc->output_port);
        break;
    default: /* 0xf0..0xff pulse the output bits that are 0 in the command */
        if (value >= 0xf0 && !(value & OUTPUT_RUN))
            reset_system(kbc);
        break;
    }
}

static uint64_t data_read(void *dev, uint64_t offset, unsigned size)
{
    (void)offset, (void)size;
    struct i8042 *kbc = dev;
    uint8_t byte = kbc->queue[kbc->first]; /* the last one stays readable */
    if (kbc->count) {
        kbc->first = (uint8_t)((kbc->first + 1u) % I8042_QUEUE);
        kbc->count--;
        if (kbc->count == 0)
            kbc->queue[kbc->first] = byte;
        irq_set(kbc->machine, IRQ_KEYBOARD, false); /* one edge a byte */
        kbc_update_irq(kbc);
    }
    return byte;
}

static void data_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    (void)offset, (void)size;
    kbc_write_data(dev, (uint8_t)value);
}

static uint64_t status_read(void *dev, uint64_t offset, unsigned size)
{
    (void)offset, (void)size;
    const struct i8042 *kbc = dev;
    return STATUS_UNLOCK | (kbc->count ? STATUS_OBF : 0u) |
           (kbc->command_byte & CB_SYSTEM ? STATUS_SYSTEM : 0u) |
           (kbc->last_was_command ? STATUS_COMMAND : 0u);
}

static void status_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    (void)offset, (void)size;
    kbc_write_command(dev, (uint8_t)value);
}

static uint64_t port92_read(void *dev, uint64_t offset, unsigned size)
{
    (void)offset, (void)size;
    return ((struct i8042 *)dev)->port92;
}

/* Bit 1 is A20, which is always on here; bit 0 resets on its rising edge. */
static void port92_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    (void)offset, (void)size;
    struct i8042 *kbc = dev;
    bool rising = value & 1u && !(kbc->port92 & 1u);
    kbc->port92 = (uint8_t)value | 2u;
    if (rising)
        machine_event(kbc->machine, MACHINE_RESET, "port 0x92");
}

void i8042_reset(struct i8042 *kbc)
{
    kbc->command_byte = CB_KEYBOARD_INT | CB_SYSTEM | CB_NO_AUX | CB_TRANSLATE;
    kbc->output_port = 0xcc | OUTPUT_RUN | OUTPUT_A20;
    kbc->expects = kbc->keyboard_expects = 0;
    kbc->last_was_command = false;
    kbc->first = kbc->count = 0;
    kbc->port92 = 2;
    kbc_update_irq(kbc);
}

void i8042_init(struct i8042 *kbc, struct machine *machine)
{
    static const struct region_ops data_ops = {data_read, data_write};
    static const struct region_ops status_ops = {status_read, status_write};
    static const struct region_ops ops92 = {port92_read, port92_write};
    memset(kbc, 0, sizeof *kbc);
    kbc->machine = machine;
    i8042_reset(kbc);
    kbc->data = (struct pio_region){
        .base = 0x60, .count = 1, .max_size = 1, .ops = &data_ops, .dev = kbc, .name = "i8042"};
    kbc->status = (struct pio_region){
        .base = 0x64, .count = 1, .max_size = 1, .ops = &status_ops, .dev = kbc, .name = "i8042"};
    kbc->region92 = (struct pio_region){
        .base = 0x92, .count = 1, .max_size = 1, .ops = &ops92, .dev = kbc, .name = "port 0x92"};
    pio_add(machine, &kbc->data);
    pio_add(machine, &kbc->status);
    pio_add(machine, &kbc->region92);
}
