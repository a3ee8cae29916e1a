/*
 * A result and a comparison on a terminal: the sentence, then the figures that
 * it is made from, in columns. From the schedule and from sending side by side:
 * where they differ, clicks had to wait.
 */

#include "compare.h"

#include <math.h>
#include <stdio.h>

#include "figure.h"
#include "verdict.h"

#define ROW_NAME 26

static const struct {
    const char *name;
    double      share;
} shares[] = {{"p50", 0.5},     {"p90", 0.9},       {"p99", 0.99},
              {"p99.9", 0.999}, {"p99.99", 0.9999}, {"highest", 1}};

#define SHARES (sizeof(shares) / sizeof(shares[0]))

static void print_load(const lp_result_t *result, FILE *out);
static void print_times(const lp_result_t *result, FILE *out);
static void print_ends(const lp_result_t *result, FILE *out);
static void print_checks(const lp_result_t *result, FILE *out);
static void print_rest(const lp_result_t *result, FILE *out);
static void print_count(FILE *out, const char *name, uint64_t n, uint64_t all);
static const char *ms_text(char dst[24], double ms);
static double ms_of(const lp_histogram_t *histogram, double share);
static void compare_row(FILE *out, const char *name, double a, double b,
                        int more_is_worse);


void
lp_result_print(const lp_result_t *result, FILE *out)
{
    fprintf(out, "%s\n\n", result->conclusion.sentence);
    print_load(result, out);
    print_times(result, out);
    print_ends(result, out);
    print_checks(result, out);
    print_rest(result, out);
}


static void
print_load(const lp_result_t *result, FILE *out)
{
    const lp_counts_t *counts = &result->counts;
    double             seconds = result->seconds > 0 ? result->seconds : 1;
    char               n[LP_FIGURE_MAX], m[LP_FIGURE_MAX];
    char               retried[LP_FIGURE_MAX];

    fprintf(out, "%-*s %s, %.0f s, to %s\n", ROW_NAME, "plan",
            result->plan.name, result->seconds, result->target);
    fprintf(out, "%-*s %s, %s\n", ROW_NAME, "when, and from where",
            result->started, result->machine);
    fprintf(out, "%-*s %s (%.1f/s)\n", ROW_NAME, "clicks scheduled",
            lp_figure_count(n, counts->scheduled),
            (double) counts->scheduled / seconds);
    fprintf(out, "%-*s %s (%.1f/s)\n", ROW_NAME, "sent",
            lp_figure_count(n, counts->sent), (double) counts->sent / seconds);
    fprintf(out, "%-*s %s new, %s open at most, %s retried\n", ROW_NAME,
            "connections", lp_figure_count(n, counts->connected),
            lp_figure_count(m, result->most_open),
            lp_figure_count(retried, counts->retried));
}


/* Of all clicks; of those that were sent; of those that activated. */
static void
print_times(const lp_result_t *result, FILE *out)
{
    char     all[24], service[24], activation[24], connect[24];
    unsigned i;

    fprintf(out, "\n%-*s %14s %14s %14s %14s\n", ROW_NAME, "times in ms",
            "from schedule", "from sending", "first uses", "connecting");
    for (i = 0; i < SHARES; i++) {
        fprintf(out, "  %-*s %14s %14s %14s %14s\n", ROW_NAME - 2,
                shares[i].name,
                ms_text(all, lp_result_quantile_ms(result, shares[i].share)),
                ms_text(service, ms_of(&result->service.h, shares[i].share)),
                ms_text(activation,
                        ms_of(&result->activation.h, shares[i].share)),
                ms_text(connect, ms_of(&result->connect.h, shares[i].share)));
    }
}


static const char *
ms_text(char dst[24], double ms)
{
    if (isnan(ms)) {
        snprintf(dst, 24, "-");
    } else if (isinf(ms)) {
        snprintf(dst, 24, "never");
    } else {
        snprintf(dst, 24, "%.3f", ms);
    }

    return dst;
}


/* NAN where there is none. */
static double
ms_of(const lp_histogram_t *histogram, double share)
{
    return histogram->total == 0
               ? NAN : (double) lp_histogram_quantile(histogram, share) / 1000;
}


static void
print_ends(const lp_result_t *result, FILE *out)
{
    const lp_counts_t *counts = &result->counts;
    uint64_t           all = lp_counts_ended(counts);
    unsigned           i;

    fprintf(out, "\nhow clicks ended\n");
    for (i = 0; i < LP_ENDS; i++) {
        print_count(out, lp_end_name((lp_end_t) i), counts->ended[i], all);
    }

    fprintf(out, "\nwhat the target said\n");
    for (i = 0; i < LP_OUTCOMES; i++) {
        print_count(out, lp_outcome_name((lp_outcome_t) i),
                    counts->outcome[i], all);
    }
    print_count(out, "without an outcome", counts->other, all);
    print_count(out, "first uses, answered right", counts->activated, all);
}


static void
print_count(FILE *out, const char *name, uint64_t n, uint64_t all)
{
    char text[LP_FIGURE_MAX];

    if (n > 0) {
        fprintf(out, "  %-*s %14s %13.3f%%\n", ROW_NAME - 2, name,
                lp_figure_count(text, n),
                all > 0 ? (double) n / (double) all * 100 : 0);
    }
}


static void
print_checks(const lp_result_t *result, FILE *out)
{
    const lp_check_t *check;
    char              value[LP_AMOUNT_MAX], limit[LP_AMOUNT_MAX];
    unsigned          i;

    fprintf(out, "\n%-*s %14s %14s\n", ROW_NAME, "thresholds", "is",
            "allowed");
    for (i = 0; i < result->conclusion.n_checks; i++) {
        check = &result->conclusion.checks[i];
        fprintf(out, "  %-*s %14s %14s  %s\n", ROW_NAME - 2, check->name,
                lp_check_amount(value, check->name, check->value),
                lp_check_amount(limit, check->name, check->limit),
                check->broken ? "broken" : "kept");
    }
}


static void
print_rest(const lp_result_t *result, FILE *out)
{
    const lp_api_score_t *api = &result->api;
    char                  n[LP_FIGURE_MAX], m[LP_FIGURE_MAX];
    unsigned              i;

    fprintf(out, "\n%-*s p99 %.3f ms late (allowed: %g ms), busiest core "
            "%.0f%%\n", ROW_NAME, "this tool itself",
            (double) lp_histogram_quantile(&result->slip.h, 0.99) / 1000,
            result->plan.honesty.slip_p99_ms, result->cpu * 100);
    if (fabs(result->clock_step) >= 0.5) {
        fprintf(out, "%-*s stepped by %.1f s meanwhile; times are by another "
                "clock\n", ROW_NAME, "the wall clock", result->clock_step);
    }
    if (api->requests + api->missed > 0) {
        fprintf(out, "%-*s %s requests, %s errors, p99 %.3f ms\n", ROW_NAME,
                "sellers", lp_figure_count(n, api->requests),
                lp_figure_count(m, api->errors),
                (double) lp_histogram_quantile(&api->latency.h, 0.99) / 1000);
    }
    for (i = 0; i < result->n_marks; i++) {
        fprintf(out, "%-*s %s at %.1f s%s\n", ROW_NAME,
                i == 0 ? "faults" : "", result->marks[i].name,
                result->marks[i].at,
                result->marks[i].status == 0 ? "" : " (its hook failed)");
    }
}


void
lp_compare_print(const lp_comparison_t *comparison, const lp_result_t *a,
                 const lp_result_t *b, FILE *out)
{
    char     name[48];
    unsigned i;

    fprintf(out, "%s\n\nA: %s\nB: %s\n\n", comparison->sentence,
            a->conclusion.sentence, b->conclusion.sentence);
    fprintf(out, "%-*s %14s %14s %14s %8s\n", ROW_NAME, "", "A", "B",
            "difference", "B/A");

    compare_row(out, "clicks scheduled", (double) a->counts.scheduled,
                (double) b->counts.scheduled, 0);
    compare_row(out, "sent", (double) a->counts.sent, (double) b->counts.sent,
                0);
    for (i = 0; i < LP_ENDS; i++) {
        compare_row(out, lp_end_name((lp_end_t) i),
                    (double) a->counts.ended[i], (double) b->counts.ended[i],
                    i == LP_END_RIGHT ? 0 : 1);
    }
    for (i = 0; i < SHARES; i++) {
        snprintf(name, sizeof(name), "%s from schedule, ms", shares[i].name);
        compare_row(out, name, lp_result_quantile_ms(a, shares[i].share),
                    lp_result_quantile_ms(b, shares[i].share), 1);
    }
    compare_row(out, "p99 from sending, ms", ms_of(&a->service.h, 0.99),
                ms_of(&b->service.h, 0.99), 1);
    compare_row(out, "p99 of first uses, ms", ms_of(&a->activation.h, 0.99),
                ms_of(&b->activation.h, 0.99), 1);
    compare_row(out, "p99 of sellers, ms", ms_of(&a->api.latency.h, 0.99),
                ms_of(&b->api.latency.h, 0.99), 1);
    compare_row(out, "the tool's lateness, ms", ms_of(&a->slip.h, 0.99),
                ms_of(&b->slip.h, 0.99), 0);
}


/* An arrow where it is more or less by a twentieth; two where more is worse,
   for what went up. */
static void
compare_row(FILE *out, const char *name, double a, double b, int more_is_worse)
{
    char        ratio[24] = "-";
    const char *arrow = "";
    double      least = fmax(fabs(a), fabs(b)) * 0.05;

    if (((a == 0 || isnan(a)) && (b == 0 || isnan(b)))) {
        return;
    }
    if (a > 0 && isfinite(a) && isfinite(b)) {
        snprintf(ratio, sizeof(ratio), "%.2f", b / a);
    }
    if (b - a > least) {
        arrow = more_is_worse ? "\xe2\x86\x91 more" : "\xe2\x86\x91";
    } else if (a - b > least) {
        arrow = more_is_worse ? "\xe2\x86\x93 less" : "\xe2\x86\x93";
    }

    fprintf(out, "%-*s %14.6g %14.6g %+14.6g %8s %s\n", ROW_NAME, name, a, b,
            a == b ? 0 : b - a, ratio, arrow);
}
