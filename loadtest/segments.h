/*
 * A curve as pieces that can be inverted: in each the rate is a straight line,
 * or a constant and a bell. Beyond the plan's beginning and end the first and
 * the last rate may go on for a while.
 */

#ifndef LP_SEGMENTS_H
#define LP_SEGMENTS_H

#include "plan.h"

typedef struct {
    double from;  /* seconds since the run began */
    double to;
    double clicks; /* until `from` */
    double ends;   /* until `to` */
    double rate;   /* at `from`, without the bell */
    double slope;  /* of a line */
    double height; /* of a bell above rate; 0: none */
    double at;
    double sigma;
} lp_segment_t;

typedef struct {
    lp_segment_t *list; /* without gaps, in order */
    unsigned      n;
} lp_segments_t;

/* Where an inversion was; the next is not before it. Zeroed at first. */
typedef struct {
    unsigned i;
    double   t;
} lp_segments_place_t;

/*
 * stages and spikes: what the plan's rates are multiplied by; before, after:
 * seconds that the first and the last rate go on. 0; -1: out of memory.
 */
int lp_segments_make(lp_segments_t *segments, const lp_plan_t *plan,
                     double stages, double spikes, double before,
                     double after);
void lp_segments_free(lp_segments_t *segments);

/* Clicks from the first segment's beginning until t. */
double lp_segments_clicks(const lp_segments_t *segments, double t);

/* The moment at which there have been so many; INFINITY where there never
   are. Place may be NULL. */
double lp_segments_moment(const lp_segments_t *segments, double clicks,
                          lp_segments_place_t *place);

#endif
