/*
 * The verdict in one sentence, for whoever runs a school's systems: what
 * happened to pupils, in plain words, with what was allowed beside it. The
 * worst comes first: somebody who was sent to another's book.
 */

#include "verdict.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "figure.h"

typedef struct {
    char  *at;
    size_t left;
} text_t;

/* "99 of 100 clicks": what a quantile is of. */
static const struct {
    const char *name;
    const char *who;
} of_whom[] = {
    {"p50_ms", "half of the clicks"},
    {"p90_ms", "9 of 10 clicks"},
    {"p99_ms", "99 of 100 clicks"},
    {"p999_ms", "999 of 1,000 clicks"},
    {"max_ms", "every click"},
    {"activation_p99_ms", "99 of 100 first uses of a book"},
    {"api_p99_ms", "99 of 100 of the sellers' requests"},
};

static void add(text_t *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add_scope(text_t *text, const lp_result_t *result);
static void add_doubt(text_t *text, const lp_result_t *result);
static void add_pass(text_t *text, const lp_result_t *result);
static void add_right(text_t *text, const lp_result_t *result);
static void add_quantile(text_t *text, const lp_result_t *result);
static void add_broken(text_t *text, const lp_result_t *result);
static void add_check(text_t *text, const lp_result_t *result,
                      const lp_check_t *check);
static void add_errors(text_t *text, const lp_result_t *result,
                       const lp_check_t *check);
static void add_fail(text_t *text, const lp_result_t *result);
static void add_wrong(text_t *text, uint64_t n, double allowed);
static void add_end(text_t *text, const lp_result_t *result);
static const char *who_of(const char *name);


void
lp_conclusion_sentence(lp_result_t *result)
{
    lp_conclusion_t *conclusion = &result->conclusion;
    text_t           text = {conclusion->sentence,
                             sizeof(conclusion->sentence)};

    if (conclusion->pass == LP_INVALID) {
        add(&text, "INVALID: ");
        add_scope(&text, result);
        add_doubt(&text, result);
    } else if (conclusion->pass == LP_PASS) {
        add(&text, "PASS: ");
        add_scope(&text, result);
        add_pass(&text, result);
    } else {
        add(&text, "FAIL: ");
        add_scope(&text, result);
        add_fail(&text, result);
    }

    add(&text, ".");
    add_end(&text, result);
}


static void
add(text_t *text, const char *format, ...)
{
    va_list args;
    int     n;

    va_start(args, format);
    n = vsnprintf(text->at, text->left, format, args);
    va_end(args);

    if (n > 0) {
        n = (size_t) n < text->left ? n : (int) text->left - 1;
        text->at += n;
        text->left -= (size_t) n;
    }
}


static void
add_scope(text_t *text, const lp_result_t *result)
{
    if (result->shards > 1) {
        add(text, "(part %u of %u alone) ", result->shard + 1, result->shards);
    }
}


static void
add_doubt(text_t *text, const lp_result_t *result)
{
    const lp_counts_t *counts = &result->counts;
    uint64_t           ended = lp_counts_ended(counts);
    char               n[LP_FIGURE_MAX], of[LP_FIGURE_MAX];

    switch (lp_doubt_of(result)) {
    case LP_DOUBT_TROUBLE:
        add(text, "%s", result->trouble);
        break;
    case LP_DOUBT_NO_CLICK:
        add(text, "not a single click was due, so that nothing was tried");
        break;
    case LP_DOUBT_SLIP:
        add(text, "this machine was too slow to keep the schedule: 1 of 100 "
            "clicks was sent %.3g ms late or more (allowed: %.3g ms); use "
            "more --cores than %u, or more machines", lp_slip_ms(result),
            result->plan.honesty.slip_p99_ms, result->engines);
        break;
    case LP_DOUBT_MISSED:
        add(text, "this machine was too slow to keep the schedule: %s of %s "
            "clicks could not be sent in time; use more --cores than %u, or "
            "more machines", lp_figure_count(n, result->missed_by_tool),
            lp_figure_count(of, counts->scheduled), result->engines);
        break;
    case LP_DOUBT_NONE:
        if (result->interrupted) {
            add(text, "it was interrupted, so that it says nothing of the "
                "rest; until then, ");
        } else {
            add(text, "its rate was turned down by hand, to %.2f times the "
                "plan's, so that it says nothing of the plan; ",
                result->lowest);
        }
        add(text, "of %s clicks, ", lp_figure_count(of, counts->scheduled));
        add_right(text, result);
        break;
    case LP_DOUBT_LOST:
        add(text, "of %s clicks %s have no end, which is a fault of this tool",
            lp_figure_count(of, counts->scheduled),
            lp_figure_count(n, ended < counts->scheduled
                                   ? counts->scheduled - ended
                                   : ended - counts->scheduled));
        break;
    }
}


static void
add_pass(text_t *text, const lp_result_t *result)
{
    char n[LP_FIGURE_MAX], peak[LP_FIGURE_MAX];

    add(text, "%s clicks, planned peak %s/s: ",
        lp_figure_count(n, result->counts.scheduled),
        lp_figure_count(peak,
                        (uint64_t) (lp_plan_peak(&result->plan)
                                        / (result->shards > 0 ? result->shards
                                                              : 1)
                                    + 0.5)));
    add_right(text, result);
    add_quantile(text, result);
}


static void
add_right(text_t *text, const lp_result_t *result)
{
    const lp_counts_t *counts = &result->counts;
    char               n[LP_FIGURE_MAX];
    uint64_t           others;

    others = lp_counts_ended(counts) - counts->ended[LP_END_RIGHT];
    if (others == 0) {
        add(text, "every pupil got the right answer");
    } else {
        add(text, "all but %s got the right answer",
            lp_figure_count(n, others));
    }
}


/* The p99 where the plan has a limit for it, else the first that it has. */
static void
add_quantile(text_t *text, const lp_result_t *result)
{
    const lp_conclusion_t *conclusion = &result->conclusion;
    const lp_check_t      *check = NULL;
    char                   value[LP_AMOUNT_MAX], limit[LP_AMOUNT_MAX];
    unsigned               i;

    for (i = 0; i < conclusion->n_checks; i++) {
        if (who_of(conclusion->checks[i].name) != NULL
            && (check == NULL
                || strcmp(conclusion->checks[i].name, "p99_ms") == 0))
        {
            check = &conclusion->checks[i];
        }
    }

    if (check != NULL) {
        add(text, "; %s within %s (allowed: %s)", who_of(check->name),
            lp_check_amount(value, check->name, check->value),
            lp_check_amount(limit, check->name, check->limit));
    }
}


static void
add_broken(text_t *text, const lp_result_t *result)
{
    const lp_conclusion_t *conclusion = &result->conclusion;
    unsigned               i, n = 0;

    for (i = 0; i < conclusion->n_checks; i++) {
        if (conclusion->checks[i].broken) {
            add(text, "%s", n++ > 0 ? "; " : "");
            add_check(text, result, &conclusion->checks[i]);
        }
    }
}


static void
add_check(text_t *text, const lp_result_t *result, const lp_check_t *check)
{
    char value[LP_AMOUNT_MAX], limit[LP_AMOUNT_MAX];

    lp_check_amount(value, check->name, check->value);
    lp_check_amount(limit, check->name, check->limit);

    if (strcmp(check->name, "wrong_redirects") == 0) {
        add_wrong(text, (uint64_t) check->value, check->limit);
    } else if (strcmp(check->name, "errors") == 0) {
        add_errors(text, result, check);
    } else if (strcmp(check->name, "missed") == 0) {
        add(text, "%s of the clicks could not be sent, because no connection "
            "was free in time (allowed: %s)", value, limit);
    } else if (strcmp(check->name, "api_errors") == 0) {
        add(text, "%s of the sellers' requests failed (allowed: %s)", value,
            limit);
    } else if (isinf(check->value)) {
        add(text, "fewer than %s were answered at all (allowed: within %s)",
            who_of(check->name), limit);
    } else {
        add(text, "%s took up to %s (allowed: %s)", who_of(check->name),
            value, limit);
    }
}


/* With the kind that there was most of. */
static void
add_errors(text_t *text, const lp_result_t *result, const lp_check_t *check)
{
    static const char *const words[LP_ENDS] = {
        [LP_END_WRONG_REDIRECT] = "a wrong place",
        [LP_END_WRONG_OUTCOME] = "a wrong answer",
        [LP_END_UNAVAILABLE] = "\"unavailable\"",
        [LP_END_LIMITED] = "\"too many requests\"",
        [LP_END_NO_CONNECTION] = "no connection",
        [LP_END_TLS] = "no TLS",
        [LP_END_RESET] = "a connection that broke",
        [LP_END_MALFORMED] = "an answer that is no HTTP",
        [LP_END_LATE] = "no answer in time",
    };
    const uint64_t *ended = result->counts.ended;
    char            value[LP_AMOUNT_MAX], limit[LP_AMOUNT_MAX];
    unsigned        i, most = LP_END_WRONG_REDIRECT;

    for (i = 0; i < LP_ENDS; i++) {
        if (words[i] != NULL && ended[i] > ended[most]) {
            most = i;
        }
    }

    add(text, "%s of the clicks went wrong (allowed: %s), most of them with %s",
        lp_check_amount(value, check->name, check->value),
        lp_check_amount(limit, check->name, check->limit), words[most]);
}


/* Of a run that is in doubt only the wrong redirects are said. */
static void
add_fail(text_t *text, const lp_result_t *result)
{
    if (lp_doubt_of(result) == LP_DOUBT_NONE) {
        add_broken(text, result);
        return;
    }

    add_wrong(text, result->counts.ended[LP_END_WRONG_REDIRECT],
              result->plan.thresholds.wrong_redirects);
    add(text, ". All else says nothing: ");
    add_doubt(text, result);
}


static void
add_wrong(text_t *text, uint64_t n, double allowed)
{
    char number[LP_FIGURE_MAX];

    add(text, "%s %s sent to somebody else's book",
        lp_figure_count(number, n), n == 1 ? "pupil was" : "pupils were");
    if (allowed >= 0) {
        add(text, " (allowed: %.0f)", allowed);
    }
}


static void
add_end(text_t *text, const lp_result_t *result)
{
    double whole = lp_plan_seconds(&result->plan);

    if (result->stopped_early) {
        add(text, " Ended after %.0f of %.0f s, because the rest could not "
            "have changed that.", result->seconds, whole);
    } else if (result->interrupted) {
        add(text, " Interrupted after %.0f of %.0f s: only what ran is judged.",
            result->seconds, whole);
    }
    if (result->factor != 1) {
        add(text, " The rate was changed by hand (%.2f times at the end).",
            result->factor);
    }
}


static const char *
who_of(const char *name)
{
    unsigned i;

    for (i = 0; i < sizeof(of_whom) / sizeof(of_whom[0]); i++) {
        if (strcmp(of_whom[i].name, name) == 0) {
            return of_whom[i].who;
        }
    }

    return NULL;
}


const char *
lp_check_amount(char dst[LP_AMOUNT_MAX], const char *name, double value)
{
    if (strcmp(name, "wrong_redirects") == 0) {
        snprintf(dst, LP_AMOUNT_MAX, "%.0f", value);
    } else if (who_of(name) == NULL) {
        snprintf(dst, LP_AMOUNT_MAX, "%.3g %%", value * 100);
    } else if (isinf(value)) {
        snprintf(dst, LP_AMOUNT_MAX, "never");
    } else if (value >= 100) {
        snprintf(dst, LP_AMOUNT_MAX, "%.0f ms", value);
    } else {
        snprintf(dst, LP_AMOUNT_MAX, "%.3g ms", value);
    }

    return dst;
}
