/*
 * The words of the page: what an end, an outcome or a threshold is called, and
 * what it means to who runs the edges.
 */

#include "page.h"

#include <math.h>
#include <string.h>

typedef struct {
    const char *name;
    const char *words;
} lp_word_t;

static const lp_word_t ends[LP_ENDS] = {
    [LP_END_RIGHT] = {"right", "What this pupil had to get: the outcome and "
                               "the status, and of a redirect the exact "
                               "address."},
    [LP_END_WRONG_REDIRECT] = {"wrong redirect",
                               "Sent to another place than this pupil's. It "
                               "must never happen."},
    [LP_END_WRONG_OUTCOME] = {"wrong outcome",
                              "Another outcome or status than this pupil had "
                              "to get."},
    [LP_END_UNAVAILABLE] = {"unavailable",
                            "503 or another 5xx: the edge could not decide."},
    [LP_END_LIMITED] = {"limited", "429: a limit of the edge's refused it."},
    [LP_END_NO_CONNECTION] = {"no connection",
                              "Refused, or the target was out of reach."},
    [LP_END_TLS] = {"TLS failed", "The handshake or the certificate."},
    [LP_END_RESET] = {"broken off",
                      "Closed or reset before the answer was whole."},
    [LP_END_MALFORMED] = {"malformed", "The answer was no HTTP/1.1, or too "
                                       "long."},
    [LP_END_LATE] = {"too late", "A time limit of the plan passed."},
    [LP_END_MISSED] = {"missed", "Never sent: no connection was free in time, "
                                 "or this tool was behind."},
};

/* Thresholds and limits: names as in the plan, and what they are of. */
static const lp_word_t checks[] = {
    {"p50_ms", "Half of all clicks (p50), from schedule"},
    {"p90_ms", "90 % of all clicks (p90), from schedule"},
    {"p99_ms", "99 % of all clicks (p99), from schedule"},
    {"p999_ms", "99.9 % of all clicks (p99.9), from schedule"},
    {"max_ms", "The slowest click, from schedule"},
    {"activation_p99_ms", "99 % of first activations, from schedule"},
    {"api_p99_ms", "99 % of the sellers' requests, from schedule"},
    {"errors", "Clicks that ended wrong"},
    {"wrong_redirects", "Redirects to a wrong place"},
    {"missed", "Clicks that were never sent"},
    {"api_errors", "Sellers' requests that failed"},
    {"slip_p99_ms", "The tool's own lateness (p99)"},
};

const char *
lp_page_along(const lp_axis_t *clock)
{
    return lp_axis_hours(clock) ? "since the beginning, h:min"
                                : "since the beginning, min:s";
}

const char *
lp_page_end_name(lp_end_t end)
{
    return ends[end].name;
}

const char *
lp_page_end_words(lp_end_t end)
{
    return ends[end].words;
}

const char *
lp_page_check_name(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (strcmp(checks[i].name, name) == 0) {
            return checks[i].words;
        }
    }

    return name;
}

/* By the end of its name: times, shares, and counts. Times stay in ms, so that
   limit and value can be compared. */
const char *
lp_page_check_value(char dst[LP_FIGURE_MAX], const char *name, double value)
{
    size_t len;

    len = strlen(name);
    if (len > 3 && strcmp(name + len - 3, "_ms") == 0) {
        if (isinf(value)) {
            return lp_figure_time(dst, value);
        }
        (void) lp_figure_short(dst, value);
        (void) snprintf(dst + strlen(dst), LP_FIGURE_MAX - strlen(dst),
                        " ms");
        return dst;
    }

    if (strcmp(name, "wrong_redirects") == 0) {
        return lp_figure_number(dst, value, 0);
    }

    return lp_figure_share(dst, value, 1);
}

const char *
lp_page_word(lp_pass_t pass)
{
    return pass == LP_PASS ? "PASS" : pass == LP_FAIL ? "FAIL" : "INVALID";
}

void
lp_page_shape(FILE *out, lp_pass_t pass)
{
    static const char passed[] =
        "<circle class=\"shape\" cx=\"32\" cy=\"32\" r=\"27\"/>"
        "<path class=\"shape\" d=\"M19 33l9 10l18-21\"/>";
    static const char failed[] =
        "<path class=\"shape\" d=\"M21 5H43L59 21V43L43 59H21L5 43V21Z\"/>"
        "<path class=\"shape\" d=\"M22 22L42 42M42 22L22 42\"/>";
    static const char invalid[] =
        "<path class=\"shape\" d=\"M32 6L60 56H4Z\"/>"
        "<path class=\"shape\" "
        "d=\"M26 30c0-8 12-8 12 0c0 5-6 5-6 10M32 48v.5\"/>";

    (void) fputs("<svg aria-hidden=\"true\" viewBox=\"0 0 64 64\">", out);
    (void) fputs(pass == LP_PASS   ? passed
                 : pass == LP_FAIL ? failed
                                   : invalid,
                 out);
    (void) fputs("</svg>", out);
}
