/*
 * Lengths of licences, and the calendar that they need. Days are added to the
 * number of a day; months are added to the date itself, because a month is no
 * number of days.
 */

#include "licence.h"

#include "chars.h"
#include "day.h"

#define DATE_MARK   "date:"
#define DATE_LEN    (sizeof(DATE_MARK) - 1 + 8)
#define LAST_DAY    99991231
#define SCHOOL_END  731 /* 31 July: the school year ends (SEM 3.3) */
#define MONDAY      (7 * 10000 + 3) /* day 0 was a Thursday; days of 1900 are
                                       negative, and must not stay so */
#define ERA_DAYS    146097 /* of 400 years */
#define EPOCH_OFFSET 719468 /* days from 0000-03-01 to 1970-01-01 */

static uint32_t school_year(uint32_t today);
static uint32_t months_later(uint32_t today, unsigned months);
static uint32_t fixed_day(lp_span_t licence);

uint32_t
lp_licence_until(lp_span_t licence, uint32_t today, uint32_t minimum)
{
    uint32_t until;

    if (lp_span_equal(licence, lp_span("month"))) {
        until = months_later(today, 1);
    } else if (lp_span_equal(licence, lp_span("quarter"))) {
        until = months_later(today, 3);
    } else if (lp_span_equal(licence, lp_span("year"))) {
        until = months_later(today, 12);
    } else {
        until = fixed_day(licence);
        if (until == 0) {
            until = school_year(today);
        }
    }

    if (until < minimum) {
        until = minimum;
    }

    return until < today ? today : until;
}

int
lp_licence_valid(lp_span_t licence)
{
    return lp_span_equal(licence, lp_span("schoolyear"))
           || lp_span_equal(licence, lp_span("month"))
           || lp_span_equal(licence, lp_span("quarter"))
           || lp_span_equal(licence, lp_span("year"))
           || fixed_day(licence) != 0;
}

uint32_t
lp_day_add(uint32_t day, int n)
{
    return lp_day_numbered(lp_day_number(day) + n);
}

/* A week belongs to the year that has its Thursday. */
const char *
lp_day_week(char *dst, uint32_t day)
{
    int64_t  number, thursday;
    uint32_t year, week;
    char    *p;

    number = lp_day_number(day);
    thursday = number - (number + MONDAY) % 7 + 3;
    year = lp_day_numbered(thursday) / 10000;
    week = (uint32_t) (thursday - lp_day_number(year * 10000 + 101)) / 7 + 1;

    p = dst + 4;
    *p = '-';
    p[1] = 'W';
    p[2] = (char) ('0' + week / 10);
    p[3] = (char) ('0' + week % 10);
    p[4] = '\0';

    while (p > dst) {
        *--p = (char) ('0' + year % 10);
        year /= 10;
    }

    return dst;
}

static uint32_t
school_year(uint32_t today)
{
    uint32_t year;

    year = today / 10000;
    if (today % 10000 > SCHOOL_END) {
        year++;
    }

    return year > 9999 ? LAST_DAY : year * 10000 + SCHOOL_END;
}

/*
 * The day before the same day of a later month: from 15 September a month
 * lasts until 14 October. Where the month lacks that day, its last day stands
 * for it, and is the last day of the licence: from 31 January until 28
 * February.
 */
static uint32_t
months_later(uint32_t today, unsigned months)
{
    uint32_t month, year, same;

    month = today / 100 % 100 - 1 + months;
    year = today / 10000 + month / 12;
    if (year > 9999) {
        return LAST_DAY;
    }

    same = year * 10000 + (month % 12 + 1) * 100 + today % 100;
    if (lp_day_valid(same)) {
        return lp_day_add(same, -1);
    }

    while (!lp_day_valid(same)) {
        same--;
    }

    return same;
}

/* Of "date:YYYYMMDD"; 0: licence is no such thing. */
static uint32_t
fixed_day(lp_span_t licence)
{
    uint32_t day;
    size_t   i;

    if (licence.len != DATE_LEN
        || memcmp(licence.data, DATE_MARK, sizeof(DATE_MARK) - 1) != 0) {
        return 0;
    }

    day = 0;
    for (i = sizeof(DATE_MARK) - 1; i < DATE_LEN; i++) {
        if (!lp_char_is((unsigned char) licence.data[i], LP_CHAR_DIGIT)) {
            return 0;
        }

        day = day * 10 + (uint32_t) (licence.data[i] - '0');
    }

    return lp_day_valid(day) ? day : 0;
}
