/*
 * Days and times as a seller writes them.
 */

#ifndef LP_WRITTEN_TIME_H
#define LP_WRITTEN_TIME_H

#include <stdint.h>

#define LP_DATE_LEN 10 /* YYYY-MM-DD */

/* The day, YYYYMMDD, of LP_DATE_LEN bytes at text; 0: none of the calendar. */
uint32_t lp_date_read(const char *text);

/* The Unix time of a date-time of RFC 3339, section 5.6, seconds and all; a
   fraction is passed over. -1: it is none. */
int64_t lp_date_time_read(const char *text);

#endif
