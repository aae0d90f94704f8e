/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's real-time clock, read once: what guests' clocks start from. */
#ifndef MANAGER_HOST_RTC_H
#define MANAGER_HOST_RTC_H

#include <stdint.h>

/* Raw registers of an MC146818. */
struct rtc_raw {
    uint8_t second, minute, hour, day, month, year, century, status_b;
};

/* Seconds since 1970 of a reading; 0 if the registers hold no date. */
uint64_t rtc_decode(const struct rtc_raw *raw);
/* Reads the clock through ports 0x70 and 0x71, which must be enabled. *tsc: when that was. */
uint64_t rtc_read(uint64_t *tsc);

#endif
