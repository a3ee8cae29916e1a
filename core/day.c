/*
 * Days in Europe/Amsterdam by arithmetic alone. Dates are counted in years
 * that begin on 1 March, so that the leap day is the last of its year and the
 * lengths of the months before it follow one formula; 400 of those years are
 * always 146097 days. Day 0 is 1 January 1970, a Thursday.
 *
 * Both changes of the clock fall at 01:00 UTC, which is never midnight in
 * Amsterdam: a day has 23, 24 or 25 hours, but its first moment is never
 * ambiguous.
 */

#include "day.h"

#include <stddef.h>

#define DAY_S        86400
#define HOUR_S       3600
#define ERA_DAYS     146097 /* of 400 years */
#define EPOCH_OFFSET 719468 /* days from 0000-03-01 to 1970-01-01 */

typedef struct {
    int64_t  year;
    unsigned month; /* 1 to 12 */
    unsigned day;   /* 1 to 31 */
} date_t;

static int64_t day_number(int64_t t);
static int64_t days_of(date_t date);
static date_t date_of(int64_t days);
static int summer(int64_t t);
static int64_t last_sunday(int64_t year, unsigned month);

uint32_t
lp_day_amsterdam(int64_t t, int64_t *until)
{
    date_t  date;
    int64_t days, midnight;

    days = day_number(t + lp_day_ahead(t));
    date = date_of(days);

    if (until != NULL) {
        midnight = (days + 1) * DAY_S - 2 * HOUR_S;
        *until = summer(midnight) ? midnight : midnight + HOUR_S;
    }

    return (uint32_t) (date.year * 10000 + date.month * 100 + date.day);
}

int
lp_day_ahead(int64_t t)
{
    return (summer(t) ? 2 : 1) * HOUR_S;
}

int64_t
lp_day_number(uint32_t day)
{
    return days_of((date_t) {day / 10000, day / 100 % 100, day % 100});
}

uint32_t
lp_day_numbered(int64_t number)
{
    date_t date;

    date = date_of(number);

    return (uint32_t) (date.year * 10000 + date.month * 100 + date.day);
}

int
lp_day_valid(uint32_t day)
{
    static const unsigned char lengths[] = {31, 29, 31, 30, 31, 30,
                                            31, 31, 30, 31, 30, 31};
    uint32_t year, month, of_month;

    year = day / 10000;
    month = day / 100 % 100;
    of_month = day % 100;

    if (year < 1900 || year > 9999 || month < 1 || month > 12 || of_month < 1
        || of_month > lengths[month - 1]) {
        return 0;
    }

    if (month == 2 && of_month == 29) {
        return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    }

    return 1;
}

/* The day of 86400 seconds that holds t, from 1970-01-01. */
static int64_t
day_number(int64_t t)
{
    return t >= 0 ? t / DAY_S : -((DAY_S - 1 - t) / DAY_S);
}

static int64_t
days_of(date_t date)
{
    int64_t  year, era, of_era;
    unsigned of_year;

    year = date.month > 2 ? date.year : date.year - 1;
    era = year / 400;
    of_era = year % 400;

    /* (153 m + 2) / 5: the days before month m, March being month 0 */
    of_year = (153 * ((date.month + 9) % 12) + 2) / 5 + date.day - 1;

    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year
           - EPOCH_OFFSET;
}

static date_t
date_of(int64_t days)
{
    date_t  date;
    int64_t era, of_era, year, of_year, month;

    days += EPOCH_OFFSET;
    era = days / ERA_DAYS;
    of_era = days % ERA_DAYS;

    /* takes out the leap days of 4, 100 and 400 years before dividing */
    year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * year + year / 4 - year / 100);
    month = (5 * of_year + 2) / 153;

    date.day = (unsigned) (of_year - (153 * month + 2) / 5 + 1);
    date.month = (unsigned) (month < 10 ? month + 3 : month - 9);
    date.year = era * 400 + year + (date.month <= 2);

    return date;
}

/* 1 where clocks in Amsterdam are two hours ahead of UTC. */
static int
summer(int64_t t)
{
    int64_t year;

    year = date_of(day_number(t)).year;

    return t >= last_sunday(year, 3) * DAY_S + HOUR_S
           && t < last_sunday(year, 10) * DAY_S + HOUR_S;
}

/* The last Sunday of a month of 31 days, as a day number. */
static int64_t
last_sunday(int64_t year, unsigned month)
{
    int64_t last;

    last = days_of((date_t) {year, month, 31});

    return last - (last + 4) % 7;
}
