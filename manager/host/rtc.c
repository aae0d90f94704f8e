/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/host/rtc.h"

#include <stdbool.h>
#include <string.h>
#include "user/program.h"

#define STATUS_A_UIP    0x80u /* an update is in progress */
#define STATUS_B_24H    0x02u
#define STATUS_B_BINARY 0x04u
#define HOUR_PM         0x80u

static uint8_t cmos(uint8_t index)
{
    uint8_t value;
    __asm__ volatile("outb %1, $0x70; inb $0x71, %0" : "=a"(value) : "0"(index));
    return value;
}

static uint32_t number(uint8_t value, bool binary)
{
    return binary ? value : (uint32_t)(value >> 4) * 10 + (value & 15);
}

/* Days since 1970-01-01 in the Gregorian calendar. */
static uint64_t days(uint32_t year, uint32_t month, uint32_t day)
{
    static const uint16_t before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    uint64_t y = year - 1;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    uint64_t total = y * 365 + y / 4 - y / 100 + y / 400 - 719162;
    return total + before[month - 1] + (month > 2 && leap) + day - 1;
}

uint64_t rtc_decode(const struct rtc_raw *raw)
{
    bool binary = raw->status_b & STATUS_B_BINARY;
    bool pm = !(raw->status_b & STATUS_B_24H) && (raw->hour & HOUR_PM);
    uint32_t hour = number(raw->status_b & STATUS_B_24H ? raw->hour : raw->hour & 0x7f, binary);
    uint32_t year = number(raw->year, binary), century = number(raw->century, binary);
    uint32_t month = number(raw->month, binary), day = number(raw->day, binary);
    uint32_t minute = number(raw->minute, binary), second = number(raw->second, binary);
    if (!(raw->status_b & STATUS_B_24H))
        hour = hour % 12 + (pm ? 12 : 0);
    /* Not every machine has the century at 0x32; no Mullion runs before 2000. */
    year += (century >= 20 && century <= 29) ? century * 100 : 2000;
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59)
        return 0;
    return days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

static void read_raw(struct rtc_raw *raw)
{
    /* An update takes 2 ms at most; a clock that never ends one is not waited for. */
    uint64_t give_up = time_tsc() + time_ns_to_tsc(10000000);
    while ((cmos(0x0a) & STATUS_A_UIP) && time_tsc() < give_up)
        ;
    raw->second = cmos(0x00);
    raw->minute = cmos(0x02);
    raw->hour = cmos(0x04);
    raw->day = cmos(0x07);
    raw->month = cmos(0x08);
    raw->year = cmos(0x09);
    raw->century = cmos(0x32);
    raw->status_b = cmos(0x0b);
}

uint64_t rtc_read(uint64_t *tsc)
{
    struct rtc_raw first, second;
    read_raw(&second);
    /* Two readings alike: none of them was torn by an update. */
    for (int tries = 0; tries < 8; tries++) {
        first = second;
        read_raw(&second);
        if (!memcmp(&first, &second, sizeof(first)))
            break;
    }
    *tsc = time_tsc();
    return rtc_decode(&second);
}
