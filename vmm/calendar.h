/* SPDX-License-Identifier: BSD-2-Clause */
/* Dates of the proleptic Gregorian calendar. */
#ifndef VMM_CALENDAR_H
#define VMM_CALENDAR_H

#include <stdint.h>

struct calendar {
    int year;
    unsigned month, day; /* 1..12, 1..31 */
    unsigned hour, minute, second;
    unsigned weekday; /* 1 = Sunday, as the MC146818 counts */
};

/* Unix seconds to date. Years 0..9999 only; what is outside is clamped. */
void calendar_from_unix(struct calendar *date, int64_t seconds);
/* Fields out of their range count on (32 January is 1 February). weekday is ignored. */
int64_t calendar_to_unix(const struct calendar *date);

#endif
