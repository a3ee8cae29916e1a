/*
 * Days as a school in the Netherlands counts them: YYYYMMDD in
 * Europe/Amsterdam. The rule of daylight saving time (Directive 2000/84/EC:
 * from the last Sunday of March to that of October, changes at 01:00 UTC) is
 * written out, because the C library's time zone is one for the whole process.
 */

#ifndef LP_DAY_H
#define LP_DAY_H

#include <stdint.h>

/*
 * The day at Unix time t (1996 to 9999); *until, unless NULL, becomes the
 * first Unix time that belongs to the next day.
 */
uint32_t lp_day_amsterdam(int64_t t, int64_t *until);

/* Seconds by which clocks in Amsterdam are ahead of UTC at Unix time t. */
int lp_day_ahead(int64_t t);

/* Days from 19700101 to day, a day of the calendar; and back. */
int64_t lp_day_number(uint32_t day);
uint32_t lp_day_numbered(int64_t number);

/* 1 where day is a day of the calendar from 19000101 to 99991231. */
int lp_day_valid(uint32_t day);

#endif
