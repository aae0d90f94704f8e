/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/calendar.h"

#define DAY_S          86400
#define FIRST_SECOND   (-62167219200ll) /* 0000-01-01 */
#define LAST_SECOND    253402300799ll   /* 9999-12-31 23:59:59 */
#define DAYS_400_YEARS 146097
/* Days from 0000-03-01 to 1970-01-01. Years that begin in March have the leap day at their end. */
#define EPOCH_DAYS 719468

/* Days before month m of a year that begins in March: 31 30 31 30 31, twice and a bit. */
static int days_before(int march_month)
{
    return (153 * march_month + 2) / 5;
}

void calendar_from_unix(struct calendar *date, int64_t seconds)
{
    if (seconds < FIRST_SECOND)
        seconds = FIRST_SECOND;
    if (seconds > LAST_SECOND)
        seconds = LAST_SECOND;
    int64_t days = seconds / DAY_S, rest = seconds % DAY_S;
    if (rest < 0) {
        rest += DAY_S;
        days--;
    }
    date->hour = (unsigned)(rest / 3600);
    date->minute = (unsigned)(rest / 60 % 60);
    date->second = (unsigned)(rest % 60);
    date->weekday = (unsigned)(((days + 4) % 7 + 7) % 7) + 1; /* 1970-01-01 was a Thursday */
    int64_t z = days + EPOCH_DAYS;
    int64_t era = (z >= 0 ? z : z - (DAYS_400_YEARS - 1)) / DAYS_400_YEARS;
    int day_of_era = (int)(z - era * DAYS_400_YEARS);
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month = (5 * day_of_year + 2) / 153;
    date->day = (unsigned)(day_of_year - days_before(month) + 1);
    date->month = (unsigned)(month < 10 ? month + 3 : month - 9);
    date->year = (int)(year_of_era + era * 400) + (month >= 10);
}

int64_t calendar_to_unix(const struct calendar *date)
{
    int64_t year = date->year - (date->month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int year_of_era = (int)(year - era * 400);
    int month = (int)date->month + (date->month > 2 ? -3 : 9);
    int64_t day_of_year = days_before(month) + (int64_t)date->day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    int64_t days = era * DAYS_400_YEARS + day_of_era - EPOCH_DAYS;
    return days * DAY_S + date->hour * 3600ll + date->minute * 60ll + date->second;
}
