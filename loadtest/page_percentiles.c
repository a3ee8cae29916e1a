/*
 * The percentile curve of a run, and the table of its latencies: from schedule
 * and from sending side by side, because the difference is what tools hide that
 * wait for each answer before they ask again.
 */

#include "page.h"

#include <math.h>
#include <stdlib.h>

#include "../workers/say.h"

#define FASTEST 0.05 /* of the clicks: where the curve's axis begins */

typedef struct {
    double x[2][LP_PAGE_CURVE];
    double y[2][LP_PAGE_CURVE];
    size_t n[2];
    char   words[1024];
    lp_chart_t chart;
} lp_curves_t;

static void
curve_words(char words[1024], const lp_result_t *result)
{
    static const double of[] = {0.5, 0.99, 0.999, 1};
    char                figure[2][4][LP_FIGURE_MAX];
    uint64_t            all[2];
    unsigned            i;

    all[0] = lp_counts_ended(&result->counts);
    all[1] = result->service.h.total;

    for (i = 0; i < 4; i++) {
        (void) lp_figure_time(
            figure[0][i],
            1000 * lp_quantile_of_all_ms(&result->schedule.h, all[0], of[i]));
        (void) lp_figure_time(
            figure[1][i],
            1000 * lp_quantile_of_all_ms(&result->service.h, all[1], of[i]));
    }

    (void) snprintf(words, 1024,
                    "From the scheduled moment, of all clicks: 50 %% within "
                    "%s, 99 %% within %s, 99.9 %% within %s, all within %s. "
                    "From sending, of all answers: 50 %% within %s, 99 %% "
                    "within %s, 99.9 %% within %s, all within %s.",
                    figure[0][0], figure[0][1], figure[0][2], figure[0][3],
                    figure[1][0], figure[1][1], figure[1][2], figure[1][3]);
}

static void
draw_curves(FILE *out, const lp_result_t *result, lp_curves_t *curves)
{
    lp_chart_t *chart;
    double      lowest;
    uint64_t    all;

    chart = &curves->chart;
    chart->id = "percentiles";
    chart->title = "Percentile curve, from schedule and from sending";
    curve_words(curves->words, result);
    chart->words = curves->words;
    chart->unit = "done within, logarithmic";
    chart->along = "share of the clicks";

    all = lp_counts_ended(&result->counts);
    curves->n[0] = lp_page_curve(&result->schedule.h, all, curves->x[0],
                                 curves->y[0]);
    curves->n[1] = lp_page_curve(&result->service.h, result->service.h.total,
                                 curves->x[1], curves->y[1]);

    /* Not from the very fastest on: they would take a third of the room. */
    lowest = (double) lp_histogram_quantile(&result->schedule.h, FASTEST);
    if (curves->n[1] > 0) {
        lowest = fmin(lowest, (double) lp_histogram_quantile(
                                  &result->service.h, FASTEST));
    }
    lp_axis_percentiles(&chart->x, (double) all);
    lp_axis_times(&chart->y, lowest,
                  fmax((double) result->schedule.h.max,
                       curves->n[1] > 0 ? (double) result->service.h.max : 0),
                  all > result->schedule.h.total);

    lp_chart_trace(chart, "from sending: what the server took", LP_LOOK_P90,
                   curves->x[1], curves->y[1], NULL, curves->n[1]);
    lp_chart_trace(chart, "from schedule: what a pupil waits", LP_LOOK_P99,
                   curves->x[0], curves->y[0], NULL, curves->n[0]);

    lp_chart_draw(out, chart);
}

int
lp_page_percentiles(FILE *out, const lp_result_t *result)
{
    lp_curves_t *curves;

    lp_html_element(out, "h3", NULL, "%s", "How many clicks were how fast");
    (void) fputc('\n', out);

    if (result->schedule.h.total > 0) {
        curves = calloc(1, sizeof(*curves));
        if (curves == NULL) {
            lp_say("out of memory");
            return -1;
        }

        (void) fputs("<figure>\n", out);
        draw_curves(out, result, curves);
        lp_html_element(out, "figcaption", NULL, "%s",
                     "Every step to the right leaves a tenth of the clicks. "
                     "Where the two lines part, clicks had to queue before "
                     "they could be sent, and a tool that waits for its "
                     "answers would not have told.");
        (void) fputs("\n</figure>\n", out);
        free(curves);
    }

    lp_page_latencies(out, result);

    return 0;
}
