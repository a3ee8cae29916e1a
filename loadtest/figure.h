/*
 * Numbers as people read them: thousands apart, a unit behind them, as many
 * digits as say something. Each writes into dst (LP_FIGURE_MAX bytes) and
 * returns it.
 */

#ifndef LP_FIGURE_H
#define LP_FIGURE_H

#include <stdint.h>

#define LP_FIGURE_MAX 48

/* "1,234,567" */
const char *lp_figure_count(char dst[LP_FIGURE_MAX], uint64_t count);

/* The word for so many. */
const char *lp_figure_noun(uint64_t count, const char *one, const char *many);

/* "1,234.50": so many digits (0 to 6) behind the point; "-" for what is no
   number. */
const char *lp_figure_number(char dst[LP_FIGURE_MAX], double value,
                             int digits);

/* "1,234", "0.5": a digit behind the point only of what is below ten. */
const char *lp_figure_rate(char dst[LP_FIGURE_MAX], double value);

/* "1,234", "50", "4.1", "0.25": three digits that say something, no zero at the
   end behind the point. */
const char *lp_figure_short(char dst[LP_FIGURE_MAX], double value);

/* A time in us: "84 µs", "0.84 ms", "12.3 ms", "911 ms", "1.24 s", "133 s";
   INFINITY: "never"; NAN: "-". */
const char *lp_figure_time(char dst[LP_FIGURE_MAX], double us);

/* "0.12 %". What is not nothing never reads 0 %, and what is not all of it
   never 100 %. Nothing of nothing: "-". */
const char *lp_figure_share(char dst[LP_FIGURE_MAX], double part,
                            double whole);

/* Seconds since the beginning: "2:05", "1:02:05". */
const char *lp_figure_clock(char dst[LP_FIGURE_MAX], double seconds);

/* "3 min", "1 min 5 s", "4 h", "12.5 s" */
const char *lp_figure_length(char dst[LP_FIGURE_MAX], double seconds);

#endif
