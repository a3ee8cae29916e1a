/*
 * Axes of charts: what they reach over, where their ticks are and how these
 * read, and where on them a value is.
 */

#ifndef LP_AXIS_H
#define LP_AXIS_H

#include "figure.h"

#define LP_TICKS_MAX 24

typedef struct {
    double at;                    /* in the axis' own unit */
    char   label[LP_FIGURE_MAX];  /* "": a line without a text */
    int    spare;                 /* may go where there is little room */
} lp_tick_t;

typedef struct {
    double    low, high; /* low < high */
    int       logarithmic;
    unsigned  n_ticks;
    lp_tick_t tick[LP_TICKS_MAX];
} lp_axis_t;

/* From 0 to at least highest, in steps of 1, 2 or 5 times a power of ten. */
void lp_axis_counts(lp_axis_t *axis, double highest);

/* Times in us, logarithmic: from at most low to at least high; with never, the
   highest tick is of what never ended: INFINITY. */
void lp_axis_times(lp_axis_t *axis, double low, double high, int never);

/* Seconds since the beginning, up to and including last. Its ticks read min:s,
   or h:min where lp_axis_hours() says so: from an hour on. */
void lp_axis_clock(lp_axis_t *axis, double last);
int lp_axis_hours(const lp_axis_t *axis);

/* Shares of so many values as percentiles, as wide as 1 / (1 - share): 90, 99
   and 99.9 % are as far from each other. A value on it is 1 / (1 - share). */
void lp_axis_percentiles(lp_axis_t *axis, double values);

/* Where a value is: 0 at low, 1 at high; what lies beyond is at the edge. */
double lp_axis_place(const lp_axis_t *axis, double value);

#endif
