/*
 * The tables of the report: what was allowed and what became of it, latencies,
 * outcomes, ends, faults, and what the tool says of itself.
 */

#include "page.h"

#include <math.h>
#include <string.h>

/* A table opens with its caption and the heads of its columns; those that
   begin with '#' are of numbers. */
static void
open_table(FILE *out, const char *caption, const char *const *columns)
{
    (void) fputs("<div class=\"wide\" role=\"region\" tabindex=\"0\" "
                 "aria-label=\"",
                 out);
    lp_html_text(out, caption);
    (void) fputs("\">\n<table>\n", out);
    lp_html_element(out, "caption", NULL, "%s", caption);
    (void) fputs("\n<thead><tr>", out);

    for (; *columns != NULL; columns++) {
        (void) fputs(**columns == '#' ? "<th scope=\"col\" class=\"n\">"
                                      : "<th scope=\"col\">",
                     out);
        lp_html_text(out, **columns == '#' ? *columns + 1 : *columns);
        (void) fputs("</th>", out);
    }

    (void) fputs("</tr></thead>\n<tbody>\n", out);
}

static void
close_table(FILE *out)
{
    (void) fputs("</tbody>\n</table>\n</div>\n", out);
}

static void
row(FILE *out, const char *name)
{
    (void) fputs("<tr>", out);
    lp_html_heading(out, "row", "%s", name);
}

static void
end_row(FILE *out)
{
    (void) fputs("</tr>\n", out);
}

static void
count_cell(FILE *out, uint64_t count)
{
    char figure[LP_FIGURE_MAX];

    lp_html_element(out, "td", "n", "%s", lp_figure_count(figure, count));
}

static void
share_cell(FILE *out, uint64_t part, uint64_t whole)
{
    char figure[LP_FIGURE_MAX];

    lp_html_element(out, "td", "n", "%s",
                    lp_figure_share(figure, (double) part, (double) whole));
}

void
lp_page_thresholds(FILE *out, const lp_result_t *result)
{
    static const char *const columns[] = {"What", "#Allowed, at most",
                                          "#Reached", "Verdict", NULL};
    const lp_check_t        *check;
    char                     figure[LP_FIGURE_MAX];
    unsigned                 i;

    (void) fputs("<section class=\"keep\">\n<h2>Thresholds</h2>\n", out);

    if (result->conclusion.n_checks == 0) {
        (void) fputs("<p>The plan has none.</p>\n</section>\n", out);
        return;
    }

    open_table(out, "What the plan allows, and what was measured", columns);

    for (i = 0; i < result->conclusion.n_checks && i < LP_CHECKS_MAX; i++) {
        check = &result->conclusion.checks[i];

        row(out, lp_page_check_name(check->name));
        lp_html_element(out, "td", "n", "%s",
                        lp_page_check_value(figure, check->name,
                                            check->limit));
        lp_html_element(out, "td", "n", "%s",
                        lp_page_check_value(figure, check->name,
                                            check->value));
        lp_html_element(out, "td", check->broken ? "tag fail" : "tag pass",
                        "%s", check->broken ? "✗ broken" : "✓ kept");
        end_row(out);
    }

    close_table(out);
    (void) fputs("</section>\n", out);
}

/* A quantile of each of the histograms; below 0: the mean. */
static void
latency_row(FILE *out, const char *name, const lp_result_t *result,
            double quantile)
{
    const lp_histogram_t *of[4];
    uint64_t              all;
    char                  figure[LP_FIGURE_MAX];
    double                us;
    unsigned              i;

    of[0] = &result->schedule.h;
    of[1] = &result->service.h;
    of[2] = &result->connect.h;
    of[3] = &result->activation.h;

    row(out, name);
    for (i = 0; i < (of[3]->total > 0 ? 4 : 3); i++) {
        all = i == 0 ? lp_counts_ended(&result->counts) : of[i]->total;
        us = of[i]->total == 0 ? NAN
             : quantile < 0
                 ? lp_histogram_mean(of[i])
                 : 1000 * lp_quantile_of_all_ms(of[i], all, quantile);
        lp_html_element(out, "td", "n", "%s", lp_figure_time(figure, us));
    }
    end_row(out);
}

void
lp_page_latencies(FILE *out, const lp_result_t *result)
{
    static const struct {
        const char *name;
        double      quantile;
    } rows[] = {{"half (p50)", 0.5},       {"90 % (p90)", 0.9},
                {"95 %", 0.95},            {"99 % (p99)", 0.99},
                {"99.9 % (p99.9)", 0.999}, {"99.99 %", 0.9999},
                {"all", 1},                {"answers on average", -1}};
    static const char *const columns[] = {
        "Done within", "#from schedule, of all clicks",
        "#from sending, of answers",
        "#connecting and TLS", NULL, NULL};
    const char *heads[6];
    unsigned    i;

    memcpy(heads, columns, sizeof(heads));
    if (result->activation.h.total > 0) {
        heads[4] = "#first activations, from schedule";
    }

    open_table(out, "Latencies of the whole run", heads);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        latency_row(out, rows[i].name, result, rows[i].quantile);
    }

    row(out, "answers measured");
    count_cell(out, result->schedule.h.total);
    count_cell(out, result->service.h.total);
    count_cell(out, result->connect.h.total);
    if (heads[4] != NULL) {
        count_cell(out, result->activation.h.total);
    }
    end_row(out);
    close_table(out);
}

void
lp_page_outcomes(FILE *out, const lp_result_t *result)
{
    static const char *const columns[] = {"Outcome", "#Answers", "#Share",
                                          NULL};
    uint64_t                 whole;
    unsigned                 i;

    whole = result->counts.other;
    for (i = 0; i < LP_OUTCOMES; i++) {
        whole += result->counts.outcome[i];
    }

    (void) fputs("<section class=\"keep\">\n<h2>What the edge answered</h2>\n"
                 "<p class=\"over\">Every whole answer, by its outcome. "
                 "Refusals belong to a rehearsal too: whether each pupil got "
                 "the right one is in the next table.</p>\n",
                 out);
    open_table(out, "Whole answers by outcome", columns);

    for (i = 0; i < LP_OUTCOMES; i++) {
        if (result->counts.outcome[i] == 0) {
            continue;
        }
        row(out, lp_outcome_name((lp_outcome_t) i));
        count_cell(out, result->counts.outcome[i]);
        share_cell(out, result->counts.outcome[i], whole);
        end_row(out);
    }

    if (result->counts.other > 0) {
        row(out, "without an outcome of Leerpoort's");
        count_cell(out, result->counts.other);
        share_cell(out, result->counts.other, whole);
        end_row(out);
    }

    row(out, "together");
    count_cell(out, whole);
    share_cell(out, whole, whole);
    end_row(out);
    close_table(out);
    (void) fputs("</section>\n", out);
}

/* What the plan allows of an end: a share, a count, or nothing of its own. */
static void
allowed_cell(FILE *out, const lp_thresholds_t *thresholds, lp_end_t end)
{
    char figure[LP_FIGURE_MAX];

    if (end == LP_END_WRONG_REDIRECT && thresholds->wrong_redirects >= 0) {
        lp_html_element(out, "td", "n", "%s",
                        lp_figure_number(figure, thresholds->wrong_redirects,
                                         0));

    } else if (end == LP_END_MISSED && thresholds->missed >= 0) {
        lp_html_element(out, "td", "n", "%s",
                        lp_figure_share(figure, thresholds->missed, 1));

    } else {
        (void) fputs("<td class=\"n\"></td>", out);
    }
}

void
lp_page_ends(FILE *out, const lp_result_t *result)
{
    static const char *const columns[] = {"How it ended", "#Clicks", "#Share",
                                          "#Allowed", "What it means", NULL};
    const lp_counts_t       *counts;
    char                     figure[LP_FIGURE_MAX];
    unsigned                 i;

    counts = &result->counts;

    (void) fputs("<section>\n<h2>How clicks ended</h2>\n"
                 "<p class=\"over\">Each answer was compared with what this "
                 "pupil had to get.</p>\n",
                 out);
    open_table(out, "Clicks by how they ended", columns);

    for (i = 0; i < LP_ENDS; i++) {
        row(out, lp_page_end_name((lp_end_t) i));
        count_cell(out, counts->ended[i]);
        share_cell(out, counts->ended[i], counts->scheduled);
        allowed_cell(out, &result->plan.thresholds, (lp_end_t) i);
        lp_html_element(out, "td", NULL, "%s",
                        lp_page_end_words((lp_end_t) i));
        end_row(out);
    }

    row(out, "errors together");
    count_cell(out, lp_counts_errors(counts));
    share_cell(out, lp_counts_errors(counts), counts->scheduled);
    lp_html_element(out, "td", "n", "%s",
                    result->plan.thresholds.errors >= 0
                        ? lp_figure_share(figure,
                                          result->plan.thresholds.errors, 1)
                        : "");
    lp_html_element(out, "td", NULL, "All but right and missed.");
    end_row(out);

    row(out, "clicks that were due");
    count_cell(out, counts->scheduled);
    share_cell(out, counts->scheduled, counts->scheduled);
    (void) fputs("<td></td><td></td>", out);
    end_row(out);
    close_table(out);
    (void) fputs("</section>\n", out);
}

static void
mark_row(FILE *out, const lp_fault_mark_t *mark, unsigned number)
{
    char figure[LP_FIGURE_MAX];

    (void) fprintf(out, "<tr><th scope=\"row\">%u</th>", number);
    lp_html_element(out, "td", "n", "%s", lp_figure_clock(figure, mark->at));
    lp_html_element(out, "td", NULL, "%s", mark->name);

    if (mark->status == 0) {
        lp_html_element(out, "td", NULL, "done (exit status 0)");
    } else if (mark->status == -1) {
        lp_html_element(out, "td", "tag fail", "✗ could not run");
    } else if (mark->status == -2) {
        lp_html_element(out, "td", "tag invalid", "? still ran at the end");
    } else {
        lp_html_element(out, "td", "tag fail", "✗ exit status %d",
                        mark->status);
    }
    end_row(out);
}

void
lp_page_marks(FILE *out, const lp_result_t *result)
{
    static const char *const columns[] = {"Number in the charts", "#When",
                                          "What", "How its hook ended", NULL};
    unsigned                 i, n;

    n = sizeof(result->marks) / sizeof(result->marks[0]);
    n = result->n_marks < n ? result->n_marks : n;
    if (n == 0) {
        return;
    }

    (void) fputs("<section class=\"keep\">\n<h2>Faults on purpose</h2>\n",
                 out);
    open_table(out, "What was done to the target, min:s since the beginning",
               columns);
    for (i = 0; i < n; i++) {
        mark_row(out, &result->marks[i], i + 1);
    }
    close_table(out);
    (void) fputs("</section>\n", out);
}

static void
fact(FILE *out, const char *name, const char *value, const char *words)
{
    row(out, name);
    lp_html_element(out, "td", "n", "%s", value);
    lp_html_element(out, "td", NULL, "%s", words);
    end_row(out);
}

static void
count_fact(FILE *out, const char *name, uint64_t count, const char *words)
{
    char figure[LP_FIGURE_MAX];

    fact(out, name, lp_figure_count(figure, count), words);
}

/* Its own lateness: whether the schedule was kept. */
static void
slip_facts(FILE *out, const lp_result_t *result)
{
    const lp_histogram_t *slip;
    char                  figure[LP_FIGURE_MAX], limit[LP_FIGURE_MAX];
    char                  words[160];

    slip = &result->slip.h;
    (void) snprintf(words, sizeof(words),
                    "99 %% of clicks were handled so soon after their moment. "
                    "Beyond %s the run would be INVALID.",
                    lp_page_check_value(limit, "slip_p99_ms",
                                        result->plan.honesty.slip_p99_ms));

    fact(out, "own lateness, p99",
         lp_figure_time(figure,
                        slip->total == 0
                            ? NAN
                            : (double) lp_histogram_quantile(slip, 0.99)),
         words);
    fact(out, "own lateness, highest",
         lp_figure_time(figure,
                        slip->total == 0 ? NAN : (double) slip->max), "");
    fact(out, "its processor",
         lp_figure_share(figure, result->cpu, 1),
         "Of one core, on average, by the busiest engine. Near 100 % the tool "
         "is the bottleneck.");
    count_fact(out, "missed by the tool", result->missed_by_tool,
               "Clicks that it could not send because it was behind itself.");
}

void
lp_page_honesty(FILE *out, const lp_result_t *result)
{
    static const char *const columns[] = {"What", "#Value", "What it means",
                                          NULL};
    const lp_counts_t       *counts;
    char                     figure[LP_FIGURE_MAX], step[LP_FIGURE_MAX + 8];

    counts = &result->counts;

    (void) fputs("<section>\n<h2>Can this run be trusted?</h2>"
                 "\n<p class=\"over\">What the tool says of itself. A tool "
                 "that is late measures itself, not the edge.</p>\n",
                 out);
    open_table(out, "The tool's own work", columns);

    slip_facts(out, result);
    count_fact(out, "new connections", counts->connected, "");
    count_fact(out, "most connections at once", result->most_open, "");
    count_fact(out, "TLS handshakes, full", counts->tls_full, "");
    count_fact(out, "TLS handshakes, resumed", counts->tls_resumed, "");
    count_fact(out, "sent once more", counts->retried,
               "A reused connection was closed before it was used; browsers "
               "do the same.");
    count_fact(out, "first activations", counts->activated,
               "Rights that a click used first, and was answered right.");

    (void) snprintf(step, sizeof(step), "%s s",
                    lp_figure_number(figure, result->clock_step, 3));
    fact(out, "step of the wall clock", step,
         "Latencies come from a clock that does not step.");

    close_table(out);
    (void) fputs("</section>\n", out);
}

void
lp_page_api(FILE *out, const lp_result_t *result)
{
    static const char *const columns[] = {"What", "#Value", "What it means",
                                          NULL};
    const lp_api_score_t    *api;
    const lp_histogram_t    *h;
    char                     figure[LP_FIGURE_MAX];

    api = &result->api;
    h = &api->latency.h;
    if (api->requests == 0 && api->missed == 0) {
        return;
    }

    (void) fputs("<section class=\"keep\">\n<h2>Sellers' traffic</h2>\n"
                 "<p class=\"over\">Entitlements that came in through the "
                 "API beside the clicks.</p>\n",
                 out);
    open_table(out, "Requests to the API", columns);

    count_fact(out, "requests", api->requests, "");
    count_fact(out, "failed", api->errors, "");
    count_fact(out, "missed", api->missed, "Due, and never sent.");
    count_fact(out, "lines of bulks", api->lines, "That were accepted.");

    if (h->total > 0) {
        fact(out, "p50",
             lp_figure_time(figure, (double) lp_histogram_quantile(h, 0.5)),
             "From the scheduled moment.");
        fact(out, "p99",
             lp_figure_time(figure, (double) lp_histogram_quantile(h, 0.99)),
             "");
        fact(out, "the slowest", lp_figure_time(figure, (double) h->max), "");
    }

    close_table(out);
    (void) fputs("</section>\n", out);
}
