/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/i8254.h"

#define IRQ_TIMER 0u
/* A guest cannot make its VMM's event thread run more often than this; a faster channel 0 loses
 * ticks as it would on a PC whose interrupt handler is slower than its timer. */
#define MIN_PERIOD_NS 50000u
#define REFRESH_NS    15085u

static uint64_t clock_number(const struct i8254 *pit)
{
    uint64_t ns = clock_ns(pit->machine);
    return ns / NS_PER_S * I8254_HZ + ns % NS_PER_S * I8254_HZ / NS_PER_S;
}

/* First nanosecond at which clock_number() gives clock. */
static uint64_t clock_to_ns(uint64_t clock)
{
    return clock / I8254_HZ * NS_PER_S + (clock % I8254_HZ * NS_PER_S + I8254_HZ - 1) / I8254_HZ;
}

static bool periodic(const struct i8254_channel *ch)
{
    return ch->mode == 2 || ch->mode == 3;
}

/* Clocks since the load; stands still while the gate is low (modes 0, 2, 3, 4) or before the
 * trigger (modes 1, 5). A new count of a periodic mode takes over at the end of a period. */
static uint64_t elapsed(struct i8254_channel *ch, uint64_t now)
{
    if (!ch->gate && ch->mode != 1 && ch->mode != 5)
        return ch->held;
    uint64_t clocks = now - ch->start;
    if (periodic(ch) && ch->next_count && clocks >= ch->count) {
        ch->start += ch->count;
        ch->count = ch->next_count;
        ch->next_count = 0;
        clocks = now - ch->start;
    }
    return clocks;
}

static bool counting(const struct i8254_channel *ch)
{
    return ch->loaded && (ch->triggered || (ch->mode != 1 && ch->mode != 5));
}

static bool out(struct i8254_channel *ch, uint64_t now)
{
    if (!counting(ch))
        return ch->mode != 0;
    uint64_t clocks = elapsed(ch, now);
    switch (ch->mode) {
    case 0:
    case 1:
        return clocks >= ch->count;
    case 2:
        return !ch->gate || clocks % ch->count != ch->count - 1;
    case 3:
        return !ch->gate || clocks % ch->count < (ch->count + 1) / 2;
    default:
        return clocks != ch->count; /* strobe: low for one clock */
    }
}

static uint16_t to_bcd(uint32_t value)
{
    return (uint16_t)(value % 10 | value / 10 % 10 << 4 | value / 100 % 10 << 8 |
                      value / 1000 % 10 << 12);
}

static uint16_t counter(struct i8254_channel *ch, uint64_t now)
{
    uint32_t modulus = ch->bcd ? 10000u : 65536u, value;
    uint64_t clocks = counting(ch) ? elapsed(ch, now) : 0;
    if (ch->mode == 2)
        value = ch->count - (uint32_t)(clocks % ch->count);
    else if (ch->mode == 3) /* counts down by two, twice a period */
        value = ch->count - (uint32_t)(clocks * 2 % ch->count) / 2 * 2;
    else /* goes on from 0 to the greatest count */
        value = (uint32_t)(((uint64_t)ch->count + modulus - clocks % modulus) % modulus);
    value %= modulus;
    return ch->bcd ? to_bcd(value) : (uint16_t)value;
}

/* Channel 0's output is IRQ 0: what matters are its rising edges. */
static void pit_arm(struct i8254 *pit)
{
    struct i8254_channel *ch = &pit->channel[0];
    uint64_t now = clock_number(pit), edge;
    /* The low phases of the periodic modes are left out: between two edges nobody could see them
     * but an 8259 that has not been acknowledged yet, which would lose the tick. */
    irq_set(pit->machine, IRQ_TIMER, ch->mode != 0 || out(ch, now));
    timer_cancel(pit->machine, &pit->timer);
    if (!counting(ch))
        return;
    uint64_t clocks = elapsed(ch, now);
    if (periodic(ch))
        edge = (clocks / ch->count + 1) * ch->count;
    else if (clocks < ch->count || (ch->mode == 4 && clocks == ch->count))
        edge = ch->count + (ch->mode == 4 ? 1u : 0u);
    else
        return;
    uint64_t deadline = clock_to_ns(ch->start + edge);
    uint64_t earliest = clock_ns(pit->machine) + MIN_PERIOD_NS;
    if (periodic(ch) && deadline < earliest && ch->count < I8254_HZ / (NS_PER_S / MIN_PERIOD_NS))
        deadline = earliest;
    timer_arm(pit->machine, &pit->timer, deadline);
}

static void pit_fire(void *dev)
{
    struct i8254 *pit = dev;
    pit->ticks++;
    irq_set(pit->machine, IRQ_TIMER, false);
    irq_set(pit->machine, IRQ_TIMER, true);
    pit_arm(pit);
}

static void load(struct i8254 *pit, struct i8254_channel *ch, uint32_t value)
{
    uint64_t now = clock_number(pit);
    if (ch->bcd)
        value = (value & 15u) + (value >> 4 & 15u) * 10 + (value >> 8 & 15u) * 100 +
                (value >> 12 & 15u) * 1000;
    if (value == 0)
        value = ch->bcd ? 10000u : 65536u;
    if (ch->mode == 3 && value == 1)
        value = 2; /* a count of 1 is illegal in modes 2 and 3; the smallest legal one */
    if (ch->mode == 2 && value == 1)
        value = 2;
    if (periodic(ch) && ch->loaded) {
        elapsed(ch, now); /* an earlier new count may be due */
        uint64_t period = (now - ch->start) / ch->count;
        if (ch->gate)
            ch->start += period * ch->count;
        ch->next_count = value;
    } else if ((ch->mode == 1 || ch->mode == 5) && ch->loaded) {
        ch->next_count = value; /* for the next trigger */
    } else {
        ch->count = value;
        ch->next_count = 0;
        ch->start = now;
        ch->held = 0;
        ch->loaded = true;
    }
    if (ch == &pit->channel[0])
        pit_arm(pit);
}

static void write_counter(struct i8254 *pit, struct i8254_channel *ch, uint8_t value)
{
    if (ch->access == 1) {
        load(pit, ch, value);
    } else if (ch->access == 2) {
        load(pit, ch, (uint32_t)value << 8);
    } else if (!ch->write_second) {
        ch->write_low = value;
        ch->write_second = true;
        if (ch->mode == 0) { /* the first byte stops the count and lowers OUT */
            ch->loaded = false;
            if (ch == &pit->channel[0])
                pit_arm(pit);
        }
    } else {
        ch->write_second = false;
        load(pit, ch, (uint32_t)value << 8 | ch->write_low);
    }
}

static void latch_count(struct i8254_channel *ch, uint64_t now)
{
    if (ch->latch_bytes)
        return; /* the first latch stands until it is read */
    ch->latch = counter(ch, now);
    ch->latch_bytes = ch->access == 3 ? 2 : 1;
    ch->read_second = false;
}

static void latch_status(struct i8254_channel *ch, uint64_t now)
{
    if (ch->status_latched)
        return;
    bool null_count = !ch->loaded || ch->next_count;
    ch->status =
        (uint8_t)(ch->bcd | ch->mode << 1 | ch->access << 4 | null_count << 6 | out(ch, now) << 7);
    ch->status_latched = true;
}

static void pit_write_control(struct i8254 *pit, uint8_t value)
{
    uint64_t now = clock_number(pit);
    unsigned select = value >> 6;
    if (select == 3) { /* read-back */
        for (unsigned i = 0; i < 3; i++) {
            if (!(value & 2u << i))
                continue;
            if (!(value & 0x20u))
                latch_count(&pit->channel[i], now);
            if (!(value & 0x10u))
                latch_status(&pit->channel[i], now);
        }
        return;
    }
    struct i8254_channel *ch = &pit->channel[select];
    unsigned access = value >> 4 & 3u, mode = value >> 1 & 7u;
    if (access == 0) {
        latch_count(ch, now);
        return;
    }
    ch->access = (uint8_t)access;
    ch->mode = (uint8_t)(mode > 5 ? mode - 4 : mode); /* bit 3 is "don't care" in modes 2 and 3 */
    ch->bcd = value & 1u;
    ch->loaded = ch->triggered = ch->write_second = ch->read_second = ch->status_latched = false;
    ch->latch_bytes = 0;
    ch->next_count = 0;
    if (select == 0)
        pit_arm(pit);
}

static uint8_t read_counter(struct i8254 *pit, struct i8254_channel *ch)
{
    if (ch->status_latched) {
        ch->status_latched = false;
        return ch->status;
    }
    uint16_t value = ch->latch_bytes ? ch->latch : counter(ch, clock_number(pit));
    bool high = ch->access == 2 || (ch->access == 3 && ch->read_second);
    if (ch->access == 3)
        ch->read_second = !ch->read_second;
    if (ch->latch_bytes)
        ch->latch_bytes--;
    return (uint8_t)(high ? value >> 8 : value);
}

static void set_gate(struct i8254 *pit, struct i8254_channel *ch, bool gate)
{
    uint64_t now = clock_number(pit);
    if (gate == ch->gate)
        return;
    if (!gate) {
        ch->held = counting(ch) ? elapsed(ch, now) : 0;
        ch->gate = false;
        return;
    }
    ch->gate = true;
    if (ch->mode == 0 || ch->mode == 4) {
        ch->start = now - ch->held;
        return;
    }
    /* The rising edge is the trigger in modes 1 and 5, and starts a new period in 2 and 3. */
    if (ch->next_count)
        ch->count = ch->next_count;
    ch->next_count = 0;
    ch->start = now;
    ch->triggered = true;
}

static uint64_t pit_read(void *dev, uint64_t offset, unsigned size)
{
    (void)size;
    struct i8254 *pit = dev;
    return offset < 3 ? read_counter(pit, &pit->channel[offset]) : 0xffu;
}

static void pit_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    (void)size;
    struct i8254 *pit = dev;
    if (offset < 3)
        write_counter(pit, &pit->channel[offset], (uint8_t)value);
    else
        pit_write_control(pit, (uint8_t)value);
}

static uint64_t port61_read(void *dev, uint64_t offset, unsigned size)
{
    (void)offset, (void)size;
    struct i8254 *pit = dev;
    struct i8254_channel *ch = &pit->channel[2];
    unsigned refresh = clock_ns(pit->machine) / REFRESH_NS & 1u;
    return (uint64_t)(ch->gate | pit->speaker << 1 | pit->port61) | refresh << 4 |
           (uint64_t)out(ch, clock_number(pit)) << 5;
}

static void port61_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    (void)offset, (void)size;
    struct i8254 *pit = dev;
    pit->speaker = value & 2u;
    pit->port61 = value & 0x0cu;
    set_gate(pit, &pit->channel[2], value & 1u);
}

void i8254_reset(struct i8254 *pit)
{
    memset(pit->channel, 0, sizeof pit->channel);
    for (unsigned i = 0; i < 3; i++) {
        pit->channel[i].count = 65536;
        pit->channel[i].access = 3;
        pit->channel[i].mode = 3;
        pit->channel[i].gate = i != 2;
    }
    pit->speaker = false;
    pit->port61 = 0;
    timer_cancel(pit->machine, &pit->timer);
}

void i8254_init(struct i8254 *pit, struct machine *machine)
{
    static const struct region_ops ops = {pit_read, pit_write};
    static const struct region_ops ops61 = {port61_read, port61_write};
    memset(pit, 0, sizeof *pit);
    pit->machine = machine;
    pit->timer = (struct dev_timer){.fire = pit_fire, .dev = pit};
    i8254_reset(pit);
    pit->region = (struct pio_region){
        .base = 0x40, .count = 4, .max_size = 1, .ops = &ops, .dev = pit, .name = "i8254"};
    pit->region61 = (struct pio_region){
        .base = 0x61, .count = 1, .max_size = 1, .ops = &ops61, .dev = pit, .name = "port 0x61"};
    pio_add(machine, &pit->region);
    pio_add(machine, &pit->region61);
}
