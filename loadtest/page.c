/*
 * report.html: one file that an operator can mail, print and open in ten
 * years. It needs no script and no network, and forbids itself both.
 *
 * The verdict comes first, in a sentence; then what was run, what was allowed,
 * the charts, the tables behind them, and what the tool says of itself.
 */

#include "page.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

static int
take_second(void *owner, const lp_second_t *second, double target)
{
    lp_page_run_t *run;

    run = owner;
    lp_series_put(&run->points, second, target);
    lp_series_put(&run->rows, second, target);

    return 0;
}

int
lp_page_run_open(lp_page_run_t *run, const lp_result_t *result,
                 const char *folder)
{
    memset(run, 0, sizeof(*run));
    run->result = result;

    if (lp_series_begin(&run->points, LP_PAGE_POINTS) == -1
        || lp_series_begin(&run->rows, LP_PAGE_ROWS) == -1)
    {
        lp_page_run_close(run);
        return -1;
    }

    run->no_seconds = lp_seconds_read(folder, take_second, run) == -1;
    lp_series_end(&run->points);
    lp_series_end(&run->rows);

    return 0;
}

void
lp_page_run_close(lp_page_run_t *run)
{
    lp_series_free(&run->points);
    lp_series_free(&run->rows);
}

void
lp_page_verdict(FILE *out, const lp_result_t *result, const char *tag)
{
    static const char *const class[] = {
        [LP_PASS] = "pass", [LP_FAIL] = "fail", [LP_INVALID] = "invalid"};
    lp_pass_t   pass;
    const char *says, *word;
    size_t      len;

    pass = result->conclusion.pass;
    word = lp_page_word(pass);

    /* The word stands alone already. */
    says = result->conclusion.sentence;
    len = strlen(word);
    if (strncmp(says, word, len) == 0 && strncmp(says + len, ": ", 2) == 0) {
        says += len + 2;
    }

    (void) fprintf(out, "<%s class=\"verdict %s\">", tag,
                   class[pass == LP_PASS || pass == LP_FAIL ? pass
                                                            : LP_INVALID]);
    lp_page_shape(out, pass);
    lp_html_element(out, "span", "word", "%s", word);
    (void) fputs(" <span class=\"says\">", out);
    lp_html_text(out, says);
    (void) fprintf(out, "</span></%s>\n", tag);
}

static void
note(FILE *out, const char *says, const char *more)
{
    lp_html_element(out, "p", "note", "%s%s", says, more);
    (void) fputc('\n', out);
}

/* What a reader must know before any number. */
static void
write_notes(FILE *out, const lp_page_run_t *run)
{
    const lp_result_t *result;

    result = run->result;

    if (result->trouble[0] != '\0') {
        note(out, "Results are lacking: ", result->trouble);
    }
    if (result->shards > 1) {
        note(out, "This is one machine's part of a run. The verdict of the "
                  "whole is that of leerpoort-load merge.", "");
    }
    if (result->interrupted) {
        note(out, "The run was ended before the plan was over.", "");
    }
    if (result->stopped_early) {
        note(out, "The run was stopped early: a threshold could not be kept "
                  "any more.", "");
    }
    if (run->no_seconds) {
        note(out, "The run's seconds can't be read; there are no charts over "
                  "time.", "");
    }
}

static void
figure(FILE *out, const char *name, const char *value)
{
    (void) fputs("<div>", out);
    lp_html_element(out, "dt", NULL, "%s", name);
    lp_html_element(out, "dd", NULL, "%s", value);
    (void) fputs("</div>\n", out);
}

static void
write_figures(FILE *out, const lp_result_t *result)
{
    const lp_counts_t *counts;
    char               text[LP_FIGURE_MAX];
    double             none;

    counts = &result->counts;
    none = lp_counts_ended(counts) > 0 ? 0 : NAN;

    (void) fputs("<dl class=\"figures\">\n", out);
    figure(out, "clicks were due", lp_figure_count(text, counts->scheduled));
    figure(out, "ended right",
           lp_figure_share(text, (double) counts->ended[LP_END_RIGHT],
                           (double) counts->scheduled));
    figure(out, "wrong redirects",
           lp_figure_count(text, counts->ended[LP_END_WRONG_REDIRECT]));
    figure(out, "missed",
           lp_figure_share(text, (double) counts->ended[LP_END_MISSED],
                           (double) counts->scheduled));
    figure(out, "p50 from schedule",
           lp_figure_time(text,
                          none + 1000 * lp_result_quantile_ms(result, 0.5)));
    figure(out, "p99 from schedule",
           lp_figure_time(text,
                          none + 1000 * lp_result_quantile_ms(result, 0.99)));
    (void) fputs("</dl>\n", out);
}

static void
fact(FILE *out, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
fact(FILE *out, const char *name, const char *format, ...)
{
    char    text[LP_HTML_TEXT_MAX];
    va_list args;

    va_start(args, format);
    (void) vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    lp_html_element(out, "dt", NULL, "%s", name);
    lp_html_element(out, "dd", NULL, "%s", text);
    (void) fputc('\n', out);
}

static void
write_plan(FILE *out, const lp_result_t *result)
{
    char took[LP_FIGURE_MAX], planned[LP_FIGURE_MAX], peak[LP_FIGURE_MAX];

    fact(out, "Plan", "%s (seed %llu)", result->plan.name,
         (unsigned long long) result->plan.seed);
    if (result->plan.about[0] != '\0') {
        fact(out, "About", "%s", result->plan.about);
    }
    fact(out, "Length", "%s of %s planned",
         lp_figure_length(took, result->seconds),
         lp_figure_length(planned, lp_plan_seconds(&result->plan)));
    fact(out, "Highest rate", "%s clicks a second, scale %.6g",
         lp_figure_number(peak, lp_plan_peak(&result->plan), 0),
         result->scale);
    if (fabs(result->factor - 1) > 0.0005) {
        fact(out, "By hand", "%.4g times the plan's rate at the end",
             result->factor);
    }
}

static void
write_facts(FILE *out, const lp_result_t *result)
{
    char pupils[LP_FIGURE_MAX], products[LP_FIGURE_MAX];

    (void) fputs("<section class=\"keep\">\n<h2>What was run</h2>\n"
                 "<dl class=\"facts\">\n",
                 out);
    write_plan(out, result);
    fact(out, "Population", "%s pupils, %s products (seed %llu)",
         lp_figure_count(pupils, result->pupils),
         lp_figure_count(products, result->products),
         (unsigned long long) result->population_seed);
    fact(out, "Target", "%s", result->target);
    fact(out, "Started", "%s", result->started);
    fact(out, "Machine", "%s, %u %s", result->machine, result->engines,
         result->engines == 1 ? "engine" : "engines");
    if (result->shards > 1) {
        fact(out, "Part", "%u of %u", result->shard + 1, result->shards);
    }
    (void) fputs("</dl>\n</section>\n", out);
}

static int
write_charts(FILE *out, const lp_page_run_t *run)
{
    int rc;

    (void) fputs("<section>\n<h2>Over time</h2>\n", out);

    if (run->points.n == 0) {
        (void) fputs("<p>There are no seconds to show.</p>\n", out);
        rc = 0;
    } else {
        if (run->result->n_marks > 0) {
            (void) fputs("<p class=\"over\">Numbered lines are faults on "
                         "purpose; a table below explains them.</p>\n",
                         out);
        }
        rc = lp_page_time_charts(out, run);
    }

    (void) fputs("</section>\n<section>\n<h2>Latencies</h2>\n", out);
    rc = rc == -1 || lp_page_percentiles(out, run->result) == -1 ? -1 : 0;
    (void) fputs("</section>\n", out);

    return rc;
}

static int
write_page(FILE *out, const lp_page_run_t *run)
{
    const lp_result_t *result;

    result = run->result;

    (void) fputs("<p class=\"over\">", out);
    lp_html_textf(out, "Rehearsal %s", result->plan.name);
    (void) fputs("</p>\n", out);
    lp_page_verdict(out, result, "h1");
    write_notes(out, run);
    write_figures(out, result);
    write_facts(out, result);
    lp_page_thresholds(out, result);

    if (write_charts(out, run) == -1) {
        return -1;
    }

    lp_page_marks(out, result);
    lp_page_outcomes(out, result);
    lp_page_ends(out, result);
    lp_page_api(out, result);
    lp_page_honesty(out, result);

    (void) fputs("<p class=\"soft\">Written by leerpoort-load. All pupils, "
                 "schools and products of a rehearsal are made up. The same "
                 "numbers for machines: run.json, seconds.csv, latency.hgrm."
                 "</p>\n",
                 out);

    return 0;
}

int
lp_page_write(const lp_result_t *result, const char *folder)
{
    lp_page_run_t run;
    lp_html_t     html;
    char          title[128];
    int           rc;

    (void) snprintf(title, sizeof(title), "%s: rehearsal %s",
                    lp_page_word(result->conclusion.pass), result->plan.name);

    if (lp_page_run_open(&run, result, folder) == -1) {
        return -1;
    }

    rc = lp_html_open(&html, title);
    if (rc == 0) {
        rc = write_page(html.out, &run) == 0
                 ? lp_html_close(&html, folder, "report.html")
                 : lp_html_drop(&html);
    }
    lp_page_run_close(&run);

    return rc;
}
