/*
 * A plan's curve: the rate at a moment and the clicks until then, both in
 * closed form, so that a schedule can be drawn from it by inversion and a
 * report can compare counts with it exactly.
 *
 * Shapes over x seconds of a stage: constant r: r x. Linear: a trapezoid. Step:
 * equal parts of the stage, the first at `from`, the last at `to`. Spike: the
 * floor and a rectangle. Bell: the floor and (peak - floor) times
 * exp(-(x - at)^2 / (2 sigma^2)), whose integral is
 * sigma sqrt(pi / 2) erf((x - at) / (sigma sqrt 2)).
 */

#include "curve.h"

#include <math.h>

#define SQRT_HALF    0.70710678118654752440
#define SQRT_HALF_PI 1.25331413731550025121

/* Points at which a second of the expected curve is looked at. The curve has
   corners, so more of them are better than cleverer ones. */
#define POINTS 64

double
lp_bell_area(double at, double sigma, double a, double b)
{
    double scale = SQRT_HALF / sigma;

    return sigma * SQRT_HALF_PI
           * (erf((b - at) * scale) - erf((a - at) * scale));
}

static double
step_level(const lp_stage_t *stage, unsigned i)
{
    return stage->from
           + (stage->to - stage->from) * (double) i
                 / (double) (stage->steps - 1);
}

static unsigned
step_at(const lp_stage_t *stage, double t)
{
    unsigned i = (unsigned) (t / stage->seconds * (double) stage->steps);

    return i < stage->steps ? i : stage->steps - 1;
}

double
lp_stage_rate(const lp_stage_t *stage, double t)
{
    double z;

    switch (stage->shape) {
    case LP_SHAPE_LINEAR:
        return stage->from + (stage->to - stage->from) * t / stage->seconds;
    case LP_SHAPE_STEP:
        return step_level(stage, step_at(stage, t));
    case LP_SHAPE_SPIKE:
        return t >= stage->at && t < stage->at + stage->width ? stage->peak
                                                              : stage->rate;
    case LP_SHAPE_BELL:
        z = (t - stage->at) / stage->sigma;
        return stage->rate + (stage->peak - stage->rate) * exp(-z * z / 2);
    default:
        return stage->rate;
    }
}

static double
step_clicks(const lp_stage_t *stage, double t)
{
    double   part = stage->seconds / (double) stage->steps;
    unsigned i = step_at(stage, t);

    /* i whole steps, an arithmetic series, and what there is of the next */
    return part * (double) i * (step_level(stage, 0)
                                + (i > 0 ? step_level(stage, i - 1) : 0)) / 2
           + (t - part * (double) i) * step_level(stage, i);
}

/* How much of from until from + width has passed at t. */
static double
passed(double t, double from, double width)
{
    return fmin(fmax(t - from, 0), width);
}

double
lp_stage_clicks(const lp_stage_t *stage, double t)
{
    switch (stage->shape) {
    case LP_SHAPE_LINEAR:
        return t * (stage->from
                    + (stage->to - stage->from) * t / stage->seconds / 2);
    case LP_SHAPE_STEP:
        return step_clicks(stage, t);
    case LP_SHAPE_SPIKE:
        return stage->rate * t
               + (stage->peak - stage->rate)
                     * passed(t, stage->at, stage->width);
    case LP_SHAPE_BELL:
        return stage->rate * t
               + (stage->peak - stage->rate)
                     * lp_bell_area(stage->at, stage->sigma, 0, t);
    default:
        return stage->rate * t;
    }
}

double
lp_stages_rate(const lp_plan_t *plan, double t)
{
    unsigned i;

    if (t < 0) {
        return 0;
    }
    for (i = 0; i < plan->n_stages; i++) {
        if (t < plan->stages[i].seconds) {
            return lp_stage_rate(&plan->stages[i], t);
        }
        t -= plan->stages[i].seconds;
    }
    return 0;
}

double
lp_stages_clicks(const lp_plan_t *plan, double t)
{
    unsigned i;
    double   sum = 0;

    for (i = 0; i < plan->n_stages && t > 0; i++) {
        sum += lp_stage_clicks(&plan->stages[i],
                               fmin(t, plan->stages[i].seconds));
        t -= plan->stages[i].seconds;
    }
    return sum;
}

double
lp_spikes_rate(const lp_plan_t *plan, double t)
{
    unsigned i;
    double   sum = 0;

    for (i = 0; i < plan->n_spikes; i++) {
        if (t >= plan->spikes[i].at
            && t < plan->spikes[i].at + plan->spikes[i].seconds) {
            sum += plan->spikes[i].rate;
        }
    }
    return sum;
}

double
lp_spikes_clicks(const lp_plan_t *plan, double t)
{
    unsigned i;
    double   sum = 0;

    for (i = 0; i < plan->n_spikes; i++) {
        sum += plan->spikes[i].rate
               * passed(t, plan->spikes[i].at, plan->spikes[i].seconds);
    }
    return sum;
}

double
lp_plan_rate(const lp_plan_t *plan, double t)
{
    return lp_stages_rate(plan, t) + lp_spikes_rate(plan, t);
}

double
lp_plan_clicks(const lp_plan_t *plan, double t)
{
    return lp_stages_clicks(plan, t) + lp_spikes_clicks(plan, t);
}

/* The rate at a corner: just before it, at it. */
static double
around(const lp_plan_t *plan, double t)
{
    return fmax(lp_plan_rate(plan, t - 1e-9), lp_plan_rate(plan, t));
}

/*
 * Between two corners the curve is constant, straight, or one side of a bell:
 * the highest is at a corner or at a bell's top.
 */
double
lp_plan_peak(const lp_plan_t *plan)
{
    const lp_stage_t *stage;
    unsigned          i;
    double            start = 0, most = 0;

    for (i = 0; i < plan->n_stages; i++) {
        stage = &plan->stages[i];
        most = fmax(most, around(plan, start));
        most = fmax(most, around(plan, start + stage->at));
        start += stage->seconds;
        most = fmax(most, around(plan, start));
    }
    for (i = 0; i < plan->n_spikes; i++) {
        most = fmax(most, around(plan, plan->spikes[i].at));
        most = fmax(most, around(plan, plan->spikes[i].at
                                           + plan->spikes[i].seconds));
    }
    return most;
}

/* Clicks of the stages until t, as if the first and the last rate held before
   the beginning and after the end: classes that are then on their way. */
static double
clicks_beyond(const lp_plan_t *plan, double t)
{
    double end = lp_plan_seconds(plan);

    if (t < 0) {
        return t * lp_stages_rate(plan, 0);
    }
    if (t > end) {
        return lp_stages_clicks(plan, end)
               + (t - end)
                     * lp_stage_rate(&plan->stages[plan->n_stages - 1],
                                     plan->stages[plan->n_stages - 1].seconds);
    }
    return lp_stages_clicks(plan, t);
}

double
lp_plan_expected(const lp_plan_t *plan, double t)
{
    unsigned i;
    double   middle, half = plan->classes.seconds / 2, sum = 0;
    double   until = fmin(t + 1, lp_plan_seconds(plan)), from = fmax(t, 0);

    if (until <= from) {
        return 0;
    }
    if (plan->classes.share > 0) {
        for (i = 0; i < POINTS; i++) {
            middle = from + (until - from) * (i + 0.5) / POINTS;
            sum += clicks_beyond(plan, middle + half)
                   - clicks_beyond(plan, middle - half);
        }
        sum *= plan->classes.share * (until - from) / POINTS / (2 * half);
    }
    return sum + lp_spikes_clicks(plan, until) - lp_spikes_clicks(plan, from)
           + (1 - plan->classes.share)
                 * (lp_stages_clicks(plan, until)
                    - lp_stages_clicks(plan, from));
}
