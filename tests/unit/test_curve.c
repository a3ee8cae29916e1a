/*
 * Protects the curve: the clicks until a moment are the integral of the rate,
 * for every shape and for all of them in a row; the inverse finds the moment
 * back; what is expected with classes on their way adds up.
 */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../loadtest/curve.h"
#include "../../loadtest/plan.h"
#include "../../loadtest/segments.h"

static const lp_stage_t stages[] = {
    {.shape = LP_SHAPE_CONSTANT, .seconds = 30, .rate = 7},
    {.shape = LP_SHAPE_LINEAR, .seconds = 40, .from = 5, .to = 90},
    {.shape = LP_SHAPE_LINEAR, .seconds = 40, .from = 90, .to = 0},
    {.shape = LP_SHAPE_STEP, .seconds = 35, .from = 4, .to = 44, .steps = 5},
    {.shape = LP_SHAPE_SPIKE, .seconds = 30, .rate = 3, .peak = 80, .at = 11,
     .width = 2.5},
    {.shape = LP_SHAPE_BELL, .seconds = 100, .rate = 2, .peak = 60, .at = 50,
     .sigma = 9},
    {.shape = LP_SHAPE_BELL, .seconds = 50, .rate = 0, .peak = 30, .at = 5,
     .sigma = 20},
    {.shape = LP_SHAPE_CONSTANT, .seconds = 12, .rate = 0},
    {.shape = LP_SHAPE_CONSTANT, .seconds = 5, .rate = 10},
};

#define N_STAGES (sizeof(stages) / sizeof(stages[0]))

static lp_plan_t plan;

static void
all_in_a_row(void)
{
    memset(&plan, 0, sizeof(plan));
    memcpy(plan.stages, stages, sizeof(stages));
    plan.n_stages = N_STAGES;
    plan.n_spikes = 2;
    plan.spikes[0] = (lp_spike_t) {.at = 60, .seconds = 30, .rate = 25};
    plan.spikes[1] = (lp_spike_t) {.at = 80, .seconds = 150, .rate = 5.5};
    plan.classes.seconds = 45;
}

static void
near(double value, double expected, double within)
{
    if (!(fabs(value - expected) <= within)) {
        fail_msg("%.12g, not %.12g within %g", value, expected, within);
    }
}

/* The midpoint rule from a to b; corners cost it a step's width. */
static double
integral(double (*rate)(const lp_plan_t *, double), double a, double b)
{
    enum { STEPS = 20000 };
    unsigned i;
    double   sum = 0;

    for (i = 0; i < STEPS; i++) {
        sum += rate(&plan, a + (b - a) * (i + 0.5) / STEPS);
    }
    return sum * (b - a) / STEPS;
}

static void
test_clicks_are_the_integral_of_the_rate(void **state)
{
    unsigned i, step;
    double   t;

    (void) state;
    for (i = 0; i < N_STAGES; i++) {
        memset(&plan, 0, sizeof(plan));
        plan.stages[0] = stages[i];
        plan.n_stages = 1;
        for (step = 0; step <= 7; step++) {
            t = step * stages[i].seconds / 7;
            near(lp_plan_clicks(&plan, t), integral(lp_plan_rate, 0, t),
                 0.2);
        }
    }
    all_in_a_row();
    for (step = 0; step < 50; step++) {
        t = step * 7.3;
        near(lp_plan_clicks(&plan, t), integral(lp_plan_rate, 0, t), 2);
        near(lp_plan_clicks(&plan, t),
             lp_stages_clicks(&plan, t) + lp_spikes_clicks(&plan, t), 1e-9);
    }
}

static void
test_known_areas(void **state)
{
    (void) state;
    near(lp_stage_clicks(&stages[0], 30), 210, 1e-9);
    near(lp_stage_clicks(&stages[1], 40), 40 * 95 / 2.0, 1e-9);
    near(lp_stage_clicks(&stages[3], 35), 7 * (4 + 14 + 24 + 34 + 44), 1e-9);
    near(lp_stage_clicks(&stages[4], 30), 30 * 3 + 2.5 * 77, 1e-9);
    /* a bell of which all but 3e-8 is inside: height sigma sqrt(2 pi) */
    near(lp_stage_clicks(&stages[5], 100),
         200 + 58 * 9 * sqrt(2 * 3.14159265358979), 1e-4);
    near(lp_stage_rate(&stages[3], 0), 4, 0);
    near(lp_stage_rate(&stages[3], 6.999), 4, 0);
    near(lp_stage_rate(&stages[3], 7.001), 14, 0);
    near(lp_stage_rate(&stages[3], 35), 44, 0);
    near(lp_stage_rate(&stages[5], 59), 2 + 58 * exp(-0.5), 1e-9);
}

static void
test_nothing_before_and_after(void **state)
{
    double end;

    (void) state;
    all_in_a_row();
    end = lp_plan_seconds(&plan);
    near(end, 342, 1e-9);
    near(lp_plan_rate(&plan, -0.001), 0, 0);
    near(lp_plan_rate(&plan, end), 0, 0);
    near(lp_plan_clicks(&plan, -5), 0, 0);
    near(lp_plan_clicks(&plan, end + 99), lp_plan_clicks(&plan, end), 0);
    near(lp_plan_expected(&plan, -1.0), 0, 0);
    near(lp_plan_expected(&plan, end), 0, 0);
}

static void
test_peak_is_the_highest_rate(void **state)
{
    double   most = 0;
    unsigned ms;

    (void) state;
    all_in_a_row();
    for (ms = 0; ms < 342000; ms++) {
        most = fmax(most, lp_plan_rate(&plan, ms / 1e3));
    }
    near(lp_plan_peak(&plan), most, 0.01);
    assert_true(lp_plan_peak(&plan) >= most - 1e-6);
    near(lp_plan_peak(&plan), 90 + 25, 1e-6);
}

static void
test_inverse_finds_the_moment(void **state)
{
    lp_segments_t       segments;
    lp_segments_place_t place;
    double              t, clicks, total, back;
    unsigned            step;

    (void) state;
    all_in_a_row();
    assert_int_equal(lp_segments_make(&segments, &plan, 0.4, 1.5, 3, 4), 0);
    total = lp_segments_clicks(&segments, 346);
    near(total, 0.4 * (lp_stages_clicks(&plan, 342) + 3 * 7 + 4 * 10)
                    + 1.5 * lp_spikes_clicks(&plan, 342), 1e-6);
    place = (lp_segments_place_t) {0, -3};
    for (step = 0; step * 0.37 < total; step++) {
        clicks = step * 0.37;
        t = lp_segments_moment(&segments, clicks, &place);
        near(lp_segments_clicks(&segments, t), clicks, 1e-7);
        back = lp_segments_moment(&segments, clicks, NULL);
        /* where the rate is all but nothing, many moments have that count */
        near(lp_segments_clicks(&segments, back), clicks, 1e-7);
    }
    for (step = 0; step * 1.7 < 342; step++) {
        t = step * 1.7;
        near(lp_segments_clicks(&segments, t),
             0.4 * (lp_stages_clicks(&plan, t) + 3 * 7)
                 + 1.5 * lp_spikes_clicks(&plan, t), 1e-6);
    }
    assert_true(isinf(lp_segments_moment(&segments, total + 0.01, &place)));
    lp_segments_free(&segments);
}

/* Without classes what is expected in a second is the curve's; with them the
   curve is smeared, and loses nothing where it is level at both ends. */
static void
test_expected_adds_up(void **state)
{
    unsigned t;
    double   sum;

    (void) state;
    all_in_a_row();
    for (t = 0; t < 342; t++) {
        near(lp_plan_expected(&plan, t),
             lp_plan_clicks(&plan, t + 1) - lp_plan_clicks(&plan, t), 1e-9);
    }
    memset(&plan, 0, sizeof(plan));
    plan.stages[0] = (lp_stage_t) {.shape = LP_SHAPE_SPIKE, .seconds = 300,
                                   .rate = 10, .peak = 110, .at = 140,
                                   .width = 10};
    plan.n_stages = 1;
    plan.classes.share = 1;
    plan.classes.seconds = 40;
    for (sum = 0, t = 0; t < 300; t++) {
        sum += lp_plan_expected(&plan, t);
    }
    near(sum, 4000, 0.5);
    near(lp_plan_expected(&plan, 0), 10, 1e-9);
    near(lp_plan_expected(&plan, 100), 10, 1e-9);
    near(lp_plan_expected(&plan, 145), 10 + 1000 / 40.0, 1e-6);
    plan.classes.share = 0.25;
    near(lp_plan_expected(&plan, 145), 0.75 * 110 + 0.25 * 35, 1e-6);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clicks_are_the_integral_of_the_rate),
        cmocka_unit_test(test_known_areas),
        cmocka_unit_test(test_nothing_before_and_after),
        cmocka_unit_test(test_peak_is_the_highest_rate),
        cmocka_unit_test(test_inverse_finds_the_moment),
        cmocka_unit_test(test_expected_adds_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
