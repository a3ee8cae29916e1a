/*
 * How long an activation lasts: the product's field "licence", in days of a
 * school in the Netherlands.
 */

#ifndef LP_LICENCE_H
#define LP_LICENCE_H

#include <stdint.h>

#include "span.h"

/*
 * The last day (YYYYMMDD, inclusive) of a licence that begins today.
 * licence: "schoolyear" (31 July that is today or next to come), "month",
 * "quarter", "year" (the day before the same day so much later; a day that the
 * month lacks becomes its last), "date:YYYYMMDD"; empty or unknown: as
 * "schoolyear". minimum: the entitlement's own, 0 for none; never shorter than
 * that, nor than today.
 */
uint32_t lp_licence_until(lp_span_t licence, uint32_t today, uint32_t minimum);

/* 1 where licence is one of the above. */
int lp_licence_valid(lp_span_t licence);

/* The day n days later (or earlier). */
uint32_t lp_day_add(uint32_t day, int n);

/* "2026-W36": the ISO week (ISO 8601) of a day; dst has room for 9 bytes. */
const char *lp_day_week(char *dst, uint32_t day);

#endif
