/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/calendar.h"
#include "vmm/mc146818.h"

#define IRQ_RTC 8u

enum {
    RTC_SECONDS,
    RTC_SECONDS_ALARM,
    RTC_MINUTES,
    RTC_MINUTES_ALARM,
    RTC_HOURS,
    RTC_HOURS_ALARM,
    RTC_WEEKDAY,
    RTC_DAY,
    RTC_MONTH,
    RTC_YEAR,
    RTC_A,
    RTC_B,
    RTC_C,
    RTC_D
};
#define RTC_CENTURY 0x32u

#define A_UIP     0x80u
#define A_DIVIDER 0x70u
#define A_RUN     0x20u /* 32.768 kHz time base */
#define A_RATE    0x0fu
#define B_SET     0x80u
#define B_PIE     0x40u
#define B_AIE     0x20u
#define B_UIE     0x10u
#define B_DM      0x04u /* binary */
#define B_24      0x02u
#define C_IRQF    0x80u
#define C_PF      0x40u
#define C_AF      0x20u
#define C_UF      0x10u
#define D_VRT     0x80u

#define HOUR_PM   0x80u
#define ALARM_ANY 0xc0u        /* alarm bytes from here on match everything */
#define UIP_NS    244000u      /* UIP goes up this long before the update */
#define LIMIT_S   9000000000ll /* 1684 to 2255 */
#define NO_ALARM  INT64_MAX

static bool running(const struct mc146818 *rtc)
{
    return (rtc->ram[RTC_A] & A_DIVIDER) == A_RUN && !(rtc->ram[RTC_B] & B_SET);
}

static int64_t unix_ns(const struct mc146818 *rtc)
{
    return (int64_t)clock_ns(rtc->machine) + rtc->base_ns;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t now_s(const struct mc146818 *rtc)
{
    return running(rtc) ? floor_div(unix_ns(rtc), (int64_t)NS_PER_S) : rtc->held_s;
}

/* --- the format of registers --- */

static uint8_t encode(const struct mc146818 *rtc, unsigned value)
{
    if (rtc->ram[RTC_B] & B_DM)
        return (uint8_t)value;
    return (uint8_t)(value / 10 % 10 << 4 | value % 10);
}

static unsigned decode(const struct mc146818 *rtc, uint8_t value)
{
    if (rtc->ram[RTC_B] & B_DM)
        return value;
    return (value >> 4) * 10u + (value & 15u);
}

static uint8_t encode_hour(const struct mc146818 *rtc, unsigned hour)
{
    if (rtc->ram[RTC_B] & B_24)
        return encode(rtc, hour);
    unsigned twelve = hour % 12 ? hour % 12 : 12;
    return encode(rtc, twelve) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned decode_hour(const struct mc146818 *rtc, uint8_t value)
{
    if (rtc->ram[RTC_B] & B_24)
        return decode(rtc, value);
    unsigned hour = decode(rtc, value & (uint8_t)~HOUR_PM) % 12;
    return value & HOUR_PM ? hour + 12 : hour;
}

static void show_time(struct mc146818 *rtc, int64_t seconds)
{
    struct calendar date;
    calendar_from_unix(&date, seconds);
    rtc->ram[RTC_SECONDS] = encode(rtc, date.second);
    rtc->ram[RTC_MINUTES] = encode(rtc, date.minute);
    rtc->ram[RTC_HOURS] = encode_hour(rtc, date.hour);
    rtc->ram[RTC_WEEKDAY] = encode(rtc, date.weekday);
    rtc->ram[RTC_DAY] = encode(rtc, date.day);
    rtc->ram[RTC_MONTH] = encode(rtc, date.month);
    rtc->ram[RTC_YEAR] = encode(rtc, (unsigned)date.year % 100);
    rtc->ram[RTC_CENTURY] = encode(rtc, (unsigned)date.year / 100);
}

static int64_t shown_time(const struct mc146818 *rtc)
{
    struct calendar date = {
        .year = (int)(decode(rtc, rtc->ram[RTC_CENTURY]) * 100 + decode(rtc, rtc->ram[RTC_YEAR])),
        .month = (decode(rtc, rtc->ram[RTC_MONTH]) + 11) % 12 + 1,
        .day = decode(rtc, rtc->ram[RTC_DAY]),
        .hour = decode_hour(rtc, rtc->ram[RTC_HOURS]),
        .minute = decode(rtc, rtc->ram[RTC_MINUTES]),
        .second = decode(rtc, rtc->ram[RTC_SECONDS])};
    /* The registers can say any year up to 9999 and beyond; nanoseconds in 64 bits cannot. */
    int64_t seconds = calendar_to_unix(&date);
    return seconds > LIMIT_S ? LIMIT_S : seconds < -LIMIT_S ? -LIMIT_S : seconds;
}

/* --- alarm --- */

static bool alarm_field(const struct mc146818 *rtc, uint8_t alarm, unsigned value)
{
    if (alarm >= ALARM_ANY)
        return true;
    return decode(rtc, alarm) == value;
}

/* The first alarm after second `after`, NO_ALARM if the bytes match no time. */
static int64_t next_alarm(const struct mc146818 *rtc, int64_t after)
{
    int64_t t = after + 1, end = t + 86400;
    uint8_t hours = rtc->ram[RTC_HOURS_ALARM];
    while (t <= end) {
        struct calendar date;
        calendar_from_unix(&date, t);
        bool hour_fits = hours >= ALARM_ANY || decode_hour(rtc, hours) == date.hour;
        if (!hour_fits)
            t += 3600 - (date.minute * 60 + date.second);
        else if (!alarm_field(rtc, rtc->ram[RTC_MINUTES_ALARM], date.minute))
            t += 60 - date.second;
        else if (!alarm_field(rtc, rtc->ram[RTC_SECONDS_ALARM], date.second))
            t++;
        else
            return t;
    }
    return NO_ALARM;
}

/* --- flags, interrupt, timers --- */

static uint64_t period_ns(const struct mc146818 *rtc)
{
    unsigned rate = rtc->ram[RTC_A] & A_RATE;
    if (rate == 0 || (rtc->ram[RTC_A] & A_DIVIDER) != A_RUN)
        return 0;
    if (rate < 3)
        rate += 7; /* rates 1 and 2 repeat 8 and 9 with a 32 kHz time base */
    return (NS_PER_S << (rate - 1)) / 32768u;
}

static void rtc_update_irq(struct mc146818 *rtc)
{
    uint8_t *c = &rtc->ram[RTC_C];
    if (*c & rtc->ram[RTC_B] & (C_PF | C_AF | C_UF))
        *c |= C_IRQF;
    else
        *c &= (uint8_t)~C_IRQF;
    irq_set(rtc->machine, IRQ_RTC, *c & C_IRQF);
}

/* Sets the flags for all that happened since the last look. */
static void catch_up(struct mc146818 *rtc)
{
    int64_t now = now_s(rtc);
    if (running(rtc) && now > rtc->seen_s) {
        rtc->ram[RTC_C] |= C_UF;
        if (next_alarm(rtc, rtc->seen_s) <= now)
            rtc->ram[RTC_C] |= C_AF;
    }
    rtc->seen_s = now;
    uint64_t period = period_ns(rtc), ns = clock_ns(rtc->machine);
    if (period && ns - rtc->periodic_from_ns >= period) {
        rtc->ram[RTC_C] |= C_PF;
        rtc->periodic_from_ns += (ns - rtc->periodic_from_ns) / period * period;
    }
    rtc_update_irq(rtc);
}

static void arm_timers(struct mc146818 *rtc)
{
    uint8_t b = rtc->ram[RTC_B];
    int64_t next = NO_ALARM;
    if (running(rtc) && b & B_AIE)
        next = next_alarm(rtc, rtc->seen_s);
    if (running(rtc) && b & B_UIE)
        next = rtc->seen_s + 1;
    int64_t deadline = next == NO_ALARM ? -1 : next * (int64_t)NS_PER_S - rtc->base_ns;
    if (deadline >= 0)
        timer_arm(rtc->machine, &rtc->update_timer, (uint64_t)deadline);
    else
        timer_cancel(rtc->machine, &rtc->update_timer);
    /* While the last period's flag has not been taken, another one would change nothing. */
    uint64_t period = period_ns(rtc);
    if (period && b & B_PIE && !(rtc->ram[RTC_C] & C_PF))
        timer_arm(rtc->machine, &rtc->periodic_timer, rtc->periodic_from_ns + period);
    else
        timer_cancel(rtc->machine, &rtc->periodic_timer);
}

static void rtc_fire(void *dev)
{
    catch_up(dev);
    arm_timers(dev);
}

/* --- registers --- */

/* Runs a change that may stop or start the clock; the time goes on from where it stood. */
static void rtc_write_control(struct mc146818 *rtc, unsigned index, uint8_t value)
{
    catch_up(rtc);
    bool ran = running(rtc);
    bool divider_ran = (rtc->ram[RTC_A] & A_DIVIDER) == A_RUN;
    uint64_t old_period = period_ns(rtc);
    if (ran) {
        rtc->held_s = rtc->seen_s;
        show_time(rtc, rtc->held_s); /* in the old format: SET freezes what was there */
    }
    if (index == RTC_A)
        rtc->ram[RTC_A] = value & (uint8_t)~A_UIP;
    else
        rtc->ram[RTC_B] = value & B_SET ? value & (uint8_t)~B_UIE : value; /* SET clears UIE */
    if (!ran && running(rtc)) {
        int64_t start = shown_time(rtc);
        /* The first update comes half a second after the divider is released; SET alone leaves the
         * divider running, so that the fraction of the second goes on. */
        int64_t fraction =
            divider_ran ? (int64_t)(((uint64_t)unix_ns(rtc)) % NS_PER_S) : (int64_t)NS_PER_S / 2;
        rtc->base_ns = start * (int64_t)NS_PER_S + fraction - (int64_t)clock_ns(rtc->machine);
        rtc->seen_s = start;
    }
    if (period_ns(rtc) != old_period)
        rtc->periodic_from_ns = clock_ns(rtc->machine);
    catch_up(rtc);
    arm_timers(rtc);
}

static void write_time(struct mc146818 *rtc, unsigned index, uint8_t value)
{
    if (!running(rtc)) {
        rtc->ram[index] = value;
        return;
    }
    catch_up(rtc);
    show_time(rtc, rtc->seen_s);
    rtc->ram[index] = value;
    int64_t change = shown_time(rtc) - rtc->seen_s;
    rtc->base_ns += change * (int64_t)NS_PER_S;
    rtc->seen_s += change;
    arm_timers(rtc);
}

static bool is_time(unsigned index)
{
    return index == RTC_CENTURY || index == RTC_SECONDS || index == RTC_MINUTES ||
           index == RTC_HOURS || (index >= RTC_WEEKDAY && index <= RTC_YEAR);
}

static void rtc_write_register(struct mc146818 *rtc, unsigned index, uint8_t value)
{
    if (index == RTC_A || index == RTC_B) {
        rtc_write_control(rtc, index, value);
    } else if (index == RTC_C || index == RTC_D) {
        return; /* read-only */
    } else if (is_time(index)) {
        write_time(rtc, index, value);
    } else if (index <= RTC_HOURS_ALARM) {
        catch_up(rtc);
        rtc->ram[index] = value;
        arm_timers(rtc);
    } else {
        rtc->ram[index] = value;
    }
}

static uint8_t read_a(const struct mc146818 *rtc)
{
    bool uip = running(rtc) && (uint64_t)unix_ns(rtc) % NS_PER_S >= NS_PER_S - UIP_NS;
    return rtc->ram[RTC_A] | (uip ? A_UIP : 0);
}

static uint8_t rtc_read_register(struct mc146818 *rtc, unsigned index)
{
    if (index == RTC_A)
        return read_a(rtc);
    if (index == RTC_C) {
        catch_up(rtc);
        uint8_t flags = rtc->ram[RTC_C];
        rtc->ram[RTC_C] = 0;
        rtc_update_irq(rtc);
        arm_timers(rtc);
        return flags;
    }
    if (is_time(index) && running(rtc))
        show_time(rtc, now_s(rtc));
    return rtc->ram[index];
}

static uint64_t rtc_read(void *dev, uint64_t offset, unsigned size)
{
    (void)size;
    struct mc146818 *rtc = dev;
    return offset ? rtc_read_register(rtc, rtc->index) : 0xffu; /* the index cannot be read back */
}

static void rtc_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    (void)size;
    struct mc146818 *rtc = dev;
    if (offset)
        rtc_write_register(rtc, rtc->index, (uint8_t)value);
    else
        rtc->index = value & (CMOS_SIZE - 1); /* bit 7 gates NMI; nothing here raises one */
}

void mc146818_set(struct mc146818 *rtc, uint8_t index, uint8_t value)
{
    if (index > RTC_D && index < CMOS_SIZE)
        rtc->ram[index] = value;
}

void mc146818_checksum(struct mc146818 *rtc)
{
    unsigned sum = 0;
    for (unsigned i = 0x10; i <= 0x2d; i++)
        sum += rtc->ram[i];
    rtc->ram[0x2e] = (uint8_t)(sum >> 8);
    rtc->ram[0x2f] = (uint8_t)sum;
}

/* The RESET pin leaves time and CMOS alone, and clears interrupt enables and flags. */
void mc146818_reset(struct mc146818 *rtc)
{
    rtc->ram[RTC_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE);
    rtc->ram[RTC_C] = 0;
    rtc_update_irq(rtc);
    arm_timers(rtc);
}

void mc146818_init(struct mc146818 *rtc, struct machine *machine, int64_t start_unix_ns)
{
    static const struct region_ops ops = {rtc_read, rtc_write};
    memset(rtc, 0, sizeof *rtc);
    rtc->machine = machine;
    rtc->ram[RTC_A] = A_RUN | 6; /* 1024 Hz, as firmware leaves it */
    rtc->ram[RTC_B] = B_24;
    rtc->ram[RTC_D] = D_VRT;
    rtc->base_ns = start_unix_ns - (int64_t)clock_ns(machine);
    rtc->seen_s = now_s(rtc);
    rtc->periodic_from_ns = clock_ns(machine);
    rtc->update_timer = (struct dev_timer){.fire = rtc_fire, .dev = rtc};
    rtc->periodic_timer = (struct dev_timer){.fire = rtc_fire, .dev = rtc};
    show_time(rtc, rtc->seen_s);
    mc146818_reset(rtc);
    rtc->region = (struct pio_region){
        .base = 0x70, .count = 2, .max_size = 1, .ops = &ops, .dev = rtc, .name = "mc146818"};
    pio_add(machine, &rtc->region);
}
