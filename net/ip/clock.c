/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/ip/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include "user/program.h"

#define NS_PER_S  1000000000ull
#define S_PER_DAY 86400u

struct date {
    uint32_t year, month, day, hour, minute, second, weekday; /* month, day from 1; Sunday is 0 */
};

static uint64_t base_ns, base_tsc;

void clock_init(uint64_t unix_s, uint64_t tsc)
{
    clock_set(unix_s * NS_PER_S, tsc);
}

void clock_set(uint64_t unix_ns, uint64_t tsc)
{
    base_ns = unix_ns;
    base_tsc = tsc;
}

uint64_t clock_unix_ns(void)
{
    return base_ns ? base_ns + time_tsc_to_ns(time_tsc() - base_tsc) : 0;
}

static bool is_leap(uint32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static struct date date_of(uint64_t unix_s)
{
    static const uint8_t lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t days = unix_s / S_PER_DAY;
    uint32_t rest = (uint32_t)(unix_s % S_PER_DAY);
    struct date date = {.year = 1970,
                        .hour = rest / 3600,
                        .minute = rest / 60 % 60,
                        .second = rest % 60,
                        .weekday = (uint32_t)((days + 4) % 7)};
    for (uint32_t n; days >= (n = is_leap(date.year) ? 366 : 365); days -= n)
        date.year++;
    for (;; date.month++) {
        uint32_t n = lengths[date.month] + (date.month == 1 && is_leap(date.year) ? 1u : 0u);
        if (days < n)
            break;
        days -= n;
    }
    date.month++;
    date.day = (uint32_t)days + 1;
    return date;
}

void clock_http(uint64_t unix_ns, char out[CLOCK_HTTP])
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct date d = date_of(unix_ns / NS_PER_S);
    snprintf(out, CLOCK_HTTP, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[d.weekday],
             (unsigned)d.day % 100, months[d.month - 1], (unsigned)d.year % 10000,
             (unsigned)d.hour % 100, (unsigned)d.minute % 100, (unsigned)d.second % 100);
}

void clock_syslog(uint64_t unix_ns, char out[CLOCK_SYSLOG])
{
    struct date d = date_of(unix_ns / NS_PER_S);
    snprintf(out, CLOCK_SYSLOG, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ", (unsigned)d.year % 10000,
             (unsigned)d.month % 100, (unsigned)d.day % 100, (unsigned)d.hour % 100,
             (unsigned)d.minute % 100, (unsigned)d.second % 100,
             (unsigned)(unix_ns % NS_PER_S / 1000) % 1000000);
}
