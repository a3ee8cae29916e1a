/*
 * The corners of stages and spikes cut the time into pieces. A Poisson process
 * whose rate follows the curve is one of rate 1 seen through the inverse of
 * the curve's integral; in a piece that inverse is a division, a root, or a
 * few steps of Newton's method from the click before, which is near.
 */

#include "segments.h"

#include <math.h>
#include <stdlib.h>

#include "curve.h"

#define NEWTON_MAX 60
#define SAME       1e-12 /* seconds: corners nearer than this are one */

static int
in_order(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

static unsigned
stage_corners(double *corners, const lp_stage_t *stage, double start)
{
    unsigned i, n = 0;

    corners[n++] = start;
    if (stage->shape == LP_SHAPE_SPIKE) {
        corners[n++] = start + stage->at;
        corners[n++] = start + stage->at + stage->width;
    }
    for (i = 1; stage->shape == LP_SHAPE_STEP && i < stage->steps; i++) {
        corners[n++] = start + stage->seconds * i / stage->steps;
    }
    return n;
}

static unsigned
most_corners(const lp_plan_t *plan)
{
    unsigned i, n = 2 * plan->n_spikes + 3 * plan->n_stages + 3;

    for (i = 0; i < plan->n_stages; i++) {
        n += plan->stages[i].shape == LP_SHAPE_STEP ? plan->stages[i].steps
                                                    : 0;
    }
    return n;
}

/* All corners within the plan, ascending, none twice. */
static unsigned
find_corners(double *corners, const lp_plan_t *plan, double end)
{
    unsigned i, kept, n = 0;
    double   start = 0;

    for (i = 0; i < plan->n_stages; i++) {
        n += stage_corners(corners + n, &plan->stages[i], start);
        start += plan->stages[i].seconds;
    }
    for (i = 0; i < plan->n_spikes; i++) {
        corners[n++] = plan->spikes[i].at;
        corners[n++] = plan->spikes[i].at + plan->spikes[i].seconds;
    }
    corners[n++] = end;
    qsort(corners, n, sizeof(*corners), in_order);
    for (i = 1, kept = 1; i < n; i++) {
        if (corners[i] > corners[kept - 1] + SAME && corners[i] <= end) {
            corners[kept++] = corners[i];
        }
    }
    return kept;
}

/* The piece between two corners, of the stage that is then. */
static void
fill_segment(lp_segment_t *segment, const lp_plan_t *plan, double stages,
             double spikes)
{
    double            middle = segment->from
                    + (segment->to - segment->from) / 2, start = 0;
    unsigned          i = 0;
    const lp_stage_t *stage;

    while (i + 1 < plan->n_stages
           && middle >= start + plan->stages[i].seconds) {
        start += plan->stages[i++].seconds;
    }
    stage = &plan->stages[i];
    segment->rate = spikes * lp_spikes_rate(plan, middle);
    if (stage->shape == LP_SHAPE_BELL) {
        segment->rate += stages * stage->rate;
        segment->height = stages * (stage->peak - stage->rate);
        segment->at = start + stage->at;
        segment->sigma = stage->sigma;
    } else if (stage->shape == LP_SHAPE_LINEAR) {
        segment->rate += stages * lp_stage_rate(stage, segment->from - start);
        segment->slope = stages * (stage->to - stage->from) / stage->seconds;
    } else {
        segment->rate += stages * lp_stage_rate(stage, middle - start);
    }
}

/* Clicks of a segment in its first x seconds. */
static double
clicks_in(const lp_segment_t *segment, double x)
{
    double clicks = x * (segment->rate + segment->slope * x / 2);

    if (segment->height > 0) {
        clicks += segment->height
                  * lp_bell_area(segment->at, segment->sigma, segment->from,
                                 segment->from + x);
    }
    return clicks;
}

static double
rate_in(const lp_segment_t *segment, double x)
{
    double z;

    if (segment->height <= 0) {
        return segment->rate + segment->slope * x;
    }
    z = (segment->from + x - segment->at) / segment->sigma;
    return segment->rate + segment->height * exp(-z * z / 2);
}

/* A flat piece at the edge. */
static void
extend(lp_segments_t *segments, double from, double to, double rate)
{
    if (to > from) {
        segments->list[segments->n++] =
            (lp_segment_t) {.from = from, .to = to, .rate = rate};
    }
}

static void
fill_list(lp_segments_t *segments, const lp_plan_t *plan, double stages,
          double spikes, double before, double after, const double *corners,
          unsigned n)
{
    const lp_stage_t *last = &plan->stages[plan->n_stages - 1];
    lp_segment_t     *segment;
    unsigned          i;
    double            clicks = 0, end = corners[n - 1];

    extend(segments, -before, 0, stages * lp_stages_rate(plan, 0)
                                     + spikes * lp_spikes_rate(plan, 0));
    for (i = 0; i + 1 < n; i++) {
        segment = &segments->list[segments->n++];
        *segment = (lp_segment_t) {.from = corners[i], .to = corners[i + 1]};
        fill_segment(segment, plan, stages, spikes);
    }
    extend(segments, end, end + after,
           stages * lp_stage_rate(last, last->seconds));
    for (i = 0; i < segments->n; i++) {
        segment = &segments->list[i];
        segment->clicks = clicks;
        clicks += clicks_in(segment, segment->to - segment->from);
        segment->ends = clicks;
    }
}

int
lp_segments_make(lp_segments_t *segments, const lp_plan_t *plan,
                 double stages, double spikes, double before, double after)
{
    unsigned most = most_corners(plan), n;
    double  *corners = calloc(most, sizeof(*corners));

    segments->n = 0;
    segments->list = calloc(most + 2, sizeof(*segments->list));
    if (corners == NULL || segments->list == NULL) {
        free(corners);
        lp_segments_free(segments);
        return -1;
    }
    n = find_corners(corners, plan, lp_plan_seconds(plan));
    fill_list(segments, plan, stages, spikes, before, after, corners, n);
    free(corners);
    return 0;
}

void
lp_segments_free(lp_segments_t *segments)
{
    free(segments->list);
    segments->list = NULL;
    segments->n = 0;
}

double
lp_segments_clicks(const lp_segments_t *segments, double t)
{
    const lp_segment_t *segment;
    unsigned            low = 0, high = segments->n - 1, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (t > segments->list[middle].to) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    segment = &segments->list[low];
    return segment->clicks
           + clicks_in(segment, fmin(fmax(t, segment->from), segment->to)
                                    - segment->from);
}

/* The root of rate x + slope x^2 / 2 = clicks, in the form that does not
   subtract nearly equal numbers. */
static double
invert_line(const lp_segment_t *segment, double clicks)
{
    double root = segment->rate * segment->rate
                  + 2 * segment->slope * clicks;
    double below = segment->rate + sqrt(fmax(root, 0));

    return below > 0 ? 2 * clicks / below : 0;
}

/* Newton from x, kept between bounds that close in. */
static double
invert_bell(const lp_segment_t *segment, double clicks, double x)
{
    double   low = 0, high = segment->to - segment->from, off, next;
    unsigned i;

    for (i = 0; i < NEWTON_MAX; i++) {
        off = clicks_in(segment, x) - clicks;
        next = x - off / rate_in(segment, x);
        /* what is still wrong then is of the order of this step squared */
        if (off == 0 || fabs(next - x) < 1e-6 * fmin(segment->sigma, 1)) {
            return off == 0 ? x : fmax(next, 0);
        }
        if (off > 0) {
            high = x;
        } else {
            low = x;
        }
        x = next > low && next < high ? next : low + (high - low) / 2;
    }
    return x;
}

double
lp_segments_moment(const lp_segments_t *segments, double clicks,
                   lp_segments_place_t *place)
{
    lp_segments_place_t start = {0, segments->list[0].from};
    const lp_segment_t *segment;
    double              x, wide;

    if (place == NULL) {
        place = &start;
    }
    while (clicks > segments->list[place->i].ends
           && place->i + 1 < segments->n) {
        place->i++;
    }
    segment = &segments->list[place->i];
    wide = segment->to - segment->from;
    if (clicks > segment->ends) {
        return INFINITY;
    }
    clicks = fmax(clicks - segment->clicks, 0);
    x = fmin(fmax(place->t - segment->from, 0), wide);
    x = segment->height > 0 ? invert_bell(segment, clicks, x)
                            : invert_line(segment, clicks);
    /* what two roundings make of two clicks stays in order */
    place->t = fmax(segment->from + fmin(x, wide), place->t);
    return place->t;
}
