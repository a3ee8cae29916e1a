/*
 * Events one after the other, numbered, at moments that follow a curve: single
 * clicks, or classes. Of n shards each gets every n-th; the others' cost a
 * number each.
 */

#ifndef LP_STREAM_H
#define LP_STREAM_H

#include <stdint.h>

#include "segments.h"

typedef struct {
    lp_segments_t       segments;
    lp_segments_place_t place;
    uint64_t seed;
    int      even;
    unsigned shard, shards;

    uint64_t next;  /* number of the next event to draw, of any shard */
    double   count; /* at the last drawn one, in the unit of events */

    /* Events until t are base_count + factor * (clicks(t) - base_clicks). */
    double   factor, base_count, base_clicks;

    /* The event in hand; moment: INFINITY where there is none. */
    uint64_t number;
    double   moment;
} lp_stream_t;

/* Takes the segments, which must have been made. */
void lp_stream_begin(lp_stream_t *stream, uint64_t seed, int even,
                     unsigned shard, unsigned shards);

/* Goes on to this shard's next event. */
void lp_stream_next(lp_stream_t *stream);

/* How many events are expected until t. */
double lp_stream_expected(const lp_stream_t *stream, double t);

/* From t on factor (above 0) times the curve. */
void lp_stream_factor(lp_stream_t *stream, double factor, double t);

#endif
