/*
 * compare.html: two runs side by side, A before and B after. The same charts
 * with the lines of both, A dashed and B solid, and a table of what differs.
 */

#include "page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../workers/say.h"

/* A figure of a run, for the table: how it is written, and whether less of it
   is better. */
typedef enum { COUNT, SHARE, TIME, RATE } lp_kind_t;

typedef struct {
    const char *name;
    lp_kind_t   kind;
    int         less_is_better; /* 0: neither is */
    double (*value)(const lp_result_t *result);
} lp_difference_t;

static double
share(const lp_result_t *result, uint64_t part)
{
    uint64_t all;

    all = lp_counts_ended(&result->counts);

    return all > 0 ? (double) part / (double) all : NAN;
}

static double
due(const lp_result_t *result)
{
    return (double) result->counts.scheduled;
}

static double
peak(const lp_result_t *result)
{
    return lp_plan_peak(&result->plan);
}

static double
wrong_redirects(const lp_result_t *result)
{
    return (double) result->counts.ended[LP_END_WRONG_REDIRECT];
}

static double
errors(const lp_result_t *result)
{
    return share(result, lp_counts_errors(&result->counts));
}

static double
missed(const lp_result_t *result)
{
    return share(result, result->counts.ended[LP_END_MISSED]);
}

static double
quantile(const lp_result_t *result, double of)
{
    return lp_counts_ended(&result->counts) > 0
               ? 1000 * lp_result_quantile_ms(result, of)
               : NAN;
}

static double
p50(const lp_result_t *result)
{
    return quantile(result, 0.5);
}

static double
p90(const lp_result_t *result)
{
    return quantile(result, 0.9);
}

static double
p99(const lp_result_t *result)
{
    return quantile(result, 0.99);
}

static double
p999(const lp_result_t *result)
{
    return quantile(result, 0.999);
}

static double
of_histogram(const lp_histogram_t *histogram)
{
    return histogram->total > 0
               ? (double) lp_histogram_quantile(histogram, 0.99)
               : NAN;
}

static double
service(const lp_result_t *result)
{
    return of_histogram(&result->service.h);
}

static double
connecting(const lp_result_t *result)
{
    return of_histogram(&result->connect.h);
}

static double
activation(const lp_result_t *result)
{
    return of_histogram(&result->activation.h);
}

static double
slip(const lp_result_t *result)
{
    return of_histogram(&result->slip.h);
}

static double
processor(const lp_result_t *result)
{
    return result->cpu;
}

static const lp_difference_t differences[] = {
    {"Clicks that were due", COUNT, 0, due},
    {"Highest rate of the plan, clicks a second", RATE, 0, peak},
    {"Wrong redirects", COUNT, 1, wrong_redirects},
    {"Clicks that ended wrong", SHARE, 1, errors},
    {"Clicks missed", SHARE, 1, missed},
    {"p50 from schedule", TIME, 1, p50},
    {"p90 from schedule", TIME, 1, p90},
    {"p99 from schedule", TIME, 1, p99},
    {"p99.9 from schedule", TIME, 1, p999},
    {"p99 from sending, of answers", TIME, 1, service},
    {"p99 of connecting and TLS", TIME, 1, connecting},
    {"p99 of first activations", TIME, 1, activation},
    {"The tool's own lateness, p99", TIME, 0, slip},
    {"The tool's processor, of one core", SHARE, 0, processor},
};

static const char *
amount(char dst[LP_FIGURE_MAX], lp_kind_t kind, double value)
{
    switch (kind) {
    case TIME:
        return lp_figure_time(dst, value);
    case SHARE:
        return lp_figure_share(dst, value, 1);
    default:
        return lp_figure_number(dst, value, 0);
    }
}

/* "+12 %", "the same", "-": of B against A. */
static void
change_cell(FILE *out, double a, double b)
{
    double ratio;

    if (a == b) {
        lp_html_element(out, "td", "n", "the same");

    } else if (!isfinite(a) || !isfinite(b) || a <= 0) {
        lp_html_element(out, "td", "n", "-");

    } else {
        ratio = b / a;
        if (ratio >= 10) {
            lp_html_element(out, "td", "n", "× %.0f", ratio);
        } else {
            lp_html_element(out, "td", "n", "%+.1f %%", 100 * (ratio - 1));
        }
    }
}

static void
direction_cell(FILE *out, const lp_difference_t *difference, double a,
               double b)
{
    if (!difference->less_is_better || isnan(a) || isnan(b) || a == b) {
        (void) fputs("<td></td>", out);

    } else if (b < a) {
        lp_html_element(out, "td", "tag pass", "▼ less");

    } else {
        lp_html_element(out, "td", "tag fail", "▲ more");
    }
}

static void
write_differences(FILE *out, const lp_result_t *a, const lp_result_t *b)
{
    const lp_difference_t *difference;
    char                   figure[LP_FIGURE_MAX];
    double                 of_a, of_b;
    size_t                 i;

    (void) fputs("<section>\n<h2>What differs</h2>\n<div class=\"wide\" "
                 "role=\"region\" tabindex=\"0\" aria-label=\"Differences\">\n"
                 "<table>\n<caption>Run A and run B. Small differences of "
                 "latencies are chance.</caption>\n<thead><tr>"
                 "<th scope=\"col\">What</th>"
                 "<th scope=\"col\" class=\"n\">A</th>"
                 "<th scope=\"col\" class=\"n\">B</th>"
                 "<th scope=\"col\" class=\"n\">B against A</th>"
                 "<th scope=\"col\">B has</th></tr></thead>\n<tbody>\n",
                 out);

    for (i = 0; i < sizeof(differences) / sizeof(differences[0]); i++) {
        difference = &differences[i];
        of_a = difference->value(a);
        of_b = difference->value(b);

        (void) fputs("<tr>", out);
        lp_html_heading(out, "row", "%s", difference->name);
        lp_html_element(out, "td", "n", "%s",
                        amount(figure, difference->kind, of_a));
        lp_html_element(out, "td", "n", "%s",
                        amount(figure, difference->kind, of_b));
        change_cell(out, of_a, of_b);
        direction_cell(out, difference, of_a, of_b);
        (void) fputs("</tr>\n", out);
    }

    (void) fputs("</tbody>\n</table>\n</div>\n</section>\n", out);
}

/* --- charts --- */

typedef struct {
    const char     *id;
    const char     *title;
    const char     *unit;
    const char     *caption;
    int             is_time;
    const char     *name[2];
    lp_page_value_t value;
} lp_overlay_t;

static const lp_overlay_t overlays[] = {
    {"rate", "Clicks a second", "clicks a second",
     "Clicks that were sent, in the second for which they were scheduled.", 0,
     {"A, sent", "B, sent"}, lp_page_sent},
    {"p99", "How long clicks took: p99", "from schedule, logarithmic",
     "From the scheduled moment: what a pupil waits, also while the server "
     "did not answer. 99 of 100 clicks were answered within it.", 1,
     {"A, p99", "B, p99"}, lp_page_p99},
    {"p50", "How long clicks took: p50", "from schedule, logarithmic",
     "From the scheduled moment. Half of the clicks were answered within it.",
     1, {"A, p50", "B, p50"}, lp_page_p50},
    {"wrong", "Clicks that did not end right", "clicks a second",
     "Errors and missed clicks together.", 0, {"A", "B"}, lp_page_not_right},
};

static void
overlay_words(char words[512], const lp_overlay_t *overlay,
              const lp_page_run_t *const run[2])
{
    char   value[2][LP_FIGURE_MAX], clock[2][LP_FIGURE_MAX];
    double high;
    size_t at;
    int    i;

    for (i = 0; i < 2; i++) {
        high = lp_page_never(&run[i]->points, overlay->value, &at)
                   ? INFINITY
                   : lp_page_highest(&run[i]->points, overlay->value, &at);
        (void) amount(value[i], overlay->is_time ? TIME : RATE, high);
        (void) lp_figure_clock(clock[i],
                               (double) at * run[i]->points.width);
    }

    (void) snprintf(words, 512,
                    "Highest of A: %s, at %s. Highest of B: %s, at %s.",
                    value[0], clock[0], value[1], clock[1]);
}

/* Axes that both runs fit on. */
static void
overlay_axes(lp_chart_t *chart, const lp_overlay_t *overlay,
             const lp_page_run_t *const run[2])
{
    double lowest, highest, last;
    size_t at;
    int    i, never;

    lowest = INFINITY;
    highest = last = 0;
    never = 0;

    for (i = 0; i < 2; i++) {
        last = fmax(last,
                    (double) run[i]->points.n * run[i]->points.width);
        highest = fmax(highest, lp_page_highest(&run[i]->points,
                                                overlay->value, &at));
        lowest = fmin(lowest,
                      lp_page_lowest(&run[i]->points, overlay->value));
        never |= lp_page_never(&run[i]->points, overlay->value, &at);
    }

    lp_axis_clock(&chart->x, last);
    chart->along = lp_page_along(&chart->x);
    if (overlay->is_time) {
        lp_axis_times(&chart->y, lowest, highest, never);
    } else {
        lp_axis_counts(&chart->y, highest);
    }
}

static int
draw_overlay(FILE *out, const lp_overlay_t *overlay,
             const lp_page_run_t *const run[2], lp_chart_t *chart)
{
    double *x[2], *y[2];
    char    words[512];
    int     i, rc;

    memset(chart, 0, sizeof(*chart));
    chart->id = overlay->id;
    chart->title = overlay->title;
    chart->unit = overlay->unit;
    chart->words = words;
    overlay_words(words, overlay, run);
    overlay_axes(chart, overlay, run);

    /* A last: through its dashes B can be seen. */
    chart->last_first = 1;
    rc = 0;
    for (i = 1; i >= 0; i--) {
        x[i] = lp_page_times(&run[i]->points);
        y[i] = lp_page_values(&run[i]->points, overlay->value);
        rc = x[i] == NULL || y[i] == NULL ? -1 : rc;
        lp_chart_trace(chart, overlay->name[i], i == 0 ? LP_LOOK_A : LP_LOOK_B,
                       x[i], y[i], NULL, run[i]->points.n);
    }

    if (rc == 0) {
        lp_html_element(out, "h3", NULL, "%s", overlay->title);
        (void) fputs("\n<figure>\n", out);
        lp_chart_draw(out, chart);
        lp_html_element(out, "figcaption", NULL, "%s", overlay->caption);
        (void) fputs("\n</figure>\n", out);
    }

    for (i = 0; i < 2; i++) {
        free(x[i]);
        free(y[i]);
    }

    return rc;
}

typedef struct {
    double x[2][LP_PAGE_CURVE];
    double y[2][LP_PAGE_CURVE];
} lp_pair_t;

static void
draw_percentiles(FILE *out, const lp_page_run_t *const run[2],
                 lp_chart_t *chart, lp_pair_t *pair)
{
    const lp_result_t *result;
    double             lowest, highest, most;
    uint64_t           all;
    size_t             n;
    int                i, never;

    memset(chart, 0, sizeof(*chart));
    chart->id = "percentiles";
    chart->title = "Percentile curves, from schedule";
    chart->words = "The table of differences has these numbers.";
    chart->unit = "answered within, logarithmic";
    chart->along = "share of the clicks";
    chart->last_first = 1;

    lowest = INFINITY;
    highest = most = 0;
    never = 0;

    for (i = 1; i >= 0; i--) {
        result = run[i]->result;
        all = lp_counts_ended(&result->counts);
        n = lp_page_curve(&result->schedule.h, all, pair->x[i], pair->y[i]);
        lp_chart_trace(chart, i == 0 ? "A" : "B",
                       i == 0 ? LP_LOOK_A : LP_LOOK_B, pair->x[i],
                       pair->y[i], NULL, n);

        never |= all > result->schedule.h.total;
        most = fmax(most, (double) all);
        if (n > 0) {
            highest = fmax(highest, (double) result->schedule.h.max);
            lowest = fmin(lowest, (double) lp_histogram_quantile(
                                      &result->schedule.h, 0.05));
        }
    }

    lp_axis_percentiles(&chart->x, most);
    lp_axis_times(&chart->y, lowest, highest, never);
    lp_html_element(out, "h3", NULL, "%s", "How many clicks were how fast");
    (void) fputs("\n<figure>\n", out);
    lp_chart_draw(out, chart);
    lp_html_element(out, "figcaption", NULL, "%s",
                    "From the scheduled moment, of all clicks. Every step to "
                    "the right leaves a tenth of them.");
    (void) fputs("\n</figure>\n", out);
}

static int
write_overlays(FILE *out, const lp_page_run_t *const run[2])
{
    lp_chart_t *chart;
    lp_pair_t  *pair;
    size_t      i;
    int         rc;

    chart = malloc(sizeof(*chart));
    pair = malloc(sizeof(*pair));
    rc = chart == NULL || pair == NULL ? -1 : 0;

    if (rc == -1) {
        lp_say("no memory left for the page");

    } else {
        (void) fputs("<section>\n<h2>Over time, and by percentile</h2>\n"
                     "<p class=\"over\">A is dashed, B is solid.</p>\n",
                     out);
        for (i = 0; i < sizeof(overlays) / sizeof(overlays[0]); i++) {
            rc = rc == -1 ? -1 : draw_overlay(out, &overlays[i], run, chart);
        }
        draw_percentiles(out, run, chart, pair);
        (void) fputs("</section>\n", out);
    }

    free(chart);
    free(pair);

    return rc;
}

/* --- the page --- */

static void
write_run(FILE *out, const lp_result_t *result, const char *letter)
{
    char pupils[LP_FIGURE_MAX], took[LP_FIGURE_MAX];

    (void) fputs("<section class=\"keep\">\n", out);
    lp_html_element(out, "h2", NULL, "Run %s: %s", letter, result->plan.name);
    (void) fputc('\n', out);
    lp_page_verdict(out, result, "p");

    (void) fputs("<dl class=\"facts\">\n", out);
    lp_html_element(out, "dt", NULL, "Started");
    lp_html_element(out, "dd", NULL, "%s, took %s", result->started,
                    lp_figure_length(took, result->seconds));
    lp_html_element(out, "dt", NULL, "Target");
    lp_html_element(out, "dd", NULL, "%s", result->target);
    lp_html_element(out, "dt", NULL, "Population");
    lp_html_element(out, "dd", NULL, "%s pupils (seed %llu)",
                    lp_figure_count(pupils, result->pupils),
                    (unsigned long long) result->population_seed);
    lp_html_element(out, "dt", NULL, "Machine");
    lp_html_element(out, "dd", NULL, "%s", result->machine);
    (void) fputs("</dl>\n</section>\n", out);
}

/* What makes a difference a difference of something else. */
static void
write_warnings(FILE *out, const lp_result_t *a, const lp_result_t *b)
{
    if (a->conclusion.pass == LP_INVALID || b->conclusion.pass == LP_INVALID) {
        lp_html_element(out, "p", "note",
                        "A run that is INVALID measured its own tool: its "
                        "latencies can't be compared.");
    }
    if (strcmp(a->plan.name, b->plan.name) != 0
        || a->plan.seed != b->plan.seed || a->scale != b->scale)
    {
        lp_html_element(out, "p", "note",
                        "The two runs had different plans, seeds or scales.");
    }
    if (a->pupils != b->pupils || a->products != b->products
        || a->population_seed != b->population_seed)
    {
        lp_html_element(out, "p", "note",
                        "The two runs had different populations.");
    }
    if (strcmp(a->machine, b->machine) != 0) {
        lp_html_element(out, "p", "note",
                        "The two runs were driven by different machines.");
    }
}

/* Where folder and name of a path part. */
static const char *
part(char folder[4096], const char *file)
{
    const char *slash;

    slash = strrchr(file, '/');
    if (slash == NULL) {
        (void) snprintf(folder, 4096, ".");
        return file;
    }

    (void) snprintf(folder, 4096, "%.*s",
                    slash == file ? 1 : (int) (slash - file), file);

    return slash + 1;
}

static int
write_comparison(const lp_page_run_t *const run[2], const char *file)
{
    const lp_result_t *a, *b;
    lp_html_t          html;
    char               title[192], folder[4096];
    const char        *name;

    a = run[0]->result;
    b = run[1]->result;
    name = part(folder, file);

    (void) snprintf(title, sizeof(title), "Comparison: %s and %s",
                    a->plan.name, b->plan.name);
    if (lp_html_open(&html, title) == -1) {
        return -1;
    }

    lp_html_element(html.out, "h1", NULL, "%s", "Two runs side by side");
    (void) fputc('\n', html.out);
    write_warnings(html.out, a, b);
    write_run(html.out, a, "A");
    write_run(html.out, b, "B");
    write_differences(html.out, a, b);

    return write_overlays(html.out, run) == 0
               ? lp_html_close(&html, folder, name)
               : lp_html_drop(&html);
}

int
lp_page_compare(const lp_result_t *a, const lp_result_t *b,
                const char *folder_a, const char *folder_b, const char *file)
{
    lp_page_run_t        run[2];
    const lp_page_run_t *both[2] = {&run[0], &run[1]};
    int                  rc;

    if (lp_page_run_open(&run[0], a, folder_a) == -1) {
        return -1;
    }

    rc = lp_page_run_open(&run[1], b, folder_b);
    if (rc == 0) {
        rc = write_comparison(both, file);
        lp_page_run_close(&run[1]);
    }
    lp_page_run_close(&run[0]);

    return rc;
}
