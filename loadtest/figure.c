/*
 * Numbers as people read them. Latencies go from microseconds to an hour, and
 * shares from one in a million to all but one in a million: a fixed number of
 * digits would show either as nothing.
 */

#include "figure.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Writes the digits of a number with a comma before every third. */
static void
apart(char dst[LP_FIGURE_MAX], const char *plain)
{
    size_t whole, i, at;

    at = 0;
    if (*plain == '-') {
        dst[at++] = *plain++;
    }

    whole = strcspn(plain, ".");
    for (i = 0; plain[i] != '\0' && at + 2 < LP_FIGURE_MAX; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0) {
            dst[at++] = ',';
        }
        dst[at++] = plain[i];
    }

    dst[at] = '\0';
}

const char *
lp_figure_count(char dst[LP_FIGURE_MAX], uint64_t count)
{
    char plain[32];

    (void) snprintf(plain, sizeof(plain), "%" PRIu64, count);
    apart(dst, plain);

    return dst;
}

const char *
lp_figure_noun(uint64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

const char *
lp_figure_number(char dst[LP_FIGURE_MAX], double value, int digits)
{
    char plain[64];

    if (!isfinite(value) || fabs(value) > 1e15) {
        (void) snprintf(dst, LP_FIGURE_MAX, "-");
        return dst;
    }

    (void) snprintf(plain, sizeof(plain), "%.*f", digits, value);
    apart(dst, plain);

    return dst;
}

const char *
lp_figure_rate(char dst[LP_FIGURE_MAX], double value)
{
    return lp_figure_number(dst, value, value < 10 && value != floor(value));
}

/* Takes zeros away that end it behind the point. */
static void
trim(char *figure)
{
    size_t len;

    if (strchr(figure, '.') == NULL) {
        return;
    }

    len = strlen(figure);
    while (figure[len - 1] == '0') {
        len--;
    }
    figure[figure[len - 1] == '.' ? len - 1 : len] = '\0';
}

const char *
lp_figure_short(char dst[LP_FIGURE_MAX], double value)
{
    (void) lp_figure_number(dst, value,
                            fabs(value) < 0.9995  ? 3
                            : fabs(value) < 9.995 ? 2
                            : fabs(value) < 99.95 ? 1
                                                  : 0);
    trim(dst);

    return dst;
}

const char *
lp_figure_time(char dst[LP_FIGURE_MAX], double us)
{
    const char *unit;
    double      value;
    int         digits;

    if (isinf(us)) {
        (void) snprintf(dst, LP_FIGURE_MAX, "never");
        return dst;
    }

    if (isnan(us)) {
        return lp_figure_number(dst, us, 0);
    }

    if (fabs(us) < 99.5) {
        unit = "µs";
        value = us;
        digits = us != floor(us) && fabs(us) < 10 ? 1 : 0;

    } else if (fabs(us) < 999500) {
        unit = "ms";
        value = us / 1000;
        digits = fabs(value) < 9.995 ? 2 : fabs(value) < 99.95 ? 1 : 0;

    } else {
        unit = "s";
        value = us / 1e6;
        digits = fabs(value) < 9.995 ? 2 : fabs(value) < 99.95 ? 1 : 0;
    }

    (void) lp_figure_number(dst, value, digits);
    (void) snprintf(dst + strlen(dst), LP_FIGURE_MAX - strlen(dst), " %s",
                    unit);

    return dst;
}

/* So many digits that two of them say something, of what is less: the part, or
   what is left of the whole. */
static int
digits_of(double percent)
{
    int digits;

    if (percent >= 9.95) {
        return 1;
    }

    for (digits = 2; digits < 8 && percent < 9.95 * pow(10, -digits);) {
        digits++;
    }

    return digits;
}

const char *
lp_figure_share(char dst[LP_FIGURE_MAX], double part, double whole)
{
    double percent, rest;

    if (!(whole > 0) || !isfinite(part)) {
        return lp_figure_number(dst, NAN, 0);
    }

    percent = 100 * part / whole;
    rest = 100 * (whole - part) / whole;

    if (part <= 0 || rest <= 0) {
        (void) lp_figure_number(dst, percent, 0);

    } else if (percent < 0.000001) {
        (void) snprintf(dst, LP_FIGURE_MAX, "< 0.000001");

    } else if (rest < 0.000001) {
        (void) snprintf(dst, LP_FIGURE_MAX, "> 99.999999");

    } else {
        (void) lp_figure_number(dst, percent,
                                digits_of(percent < rest ? percent : rest));
        trim(dst);
    }

    (void) snprintf(dst + strlen(dst), LP_FIGURE_MAX - strlen(dst), " %%");

    return dst;
}

const char *
lp_figure_clock(char dst[LP_FIGURE_MAX], double seconds)
{
    unsigned long s;

    if (!(seconds >= 0) || seconds > 1e9) {
        return lp_figure_number(dst, NAN, 0);
    }

    s = (unsigned long) seconds;
    if (s >= 3600) {
        (void) snprintf(dst, LP_FIGURE_MAX, "%lu:%02lu:%02lu", s / 3600,
                        s / 60 % 60, s % 60);
    } else {
        (void) snprintf(dst, LP_FIGURE_MAX, "%lu:%02lu", s / 60, s % 60);
    }

    return dst;
}

const char *
lp_figure_length(char dst[LP_FIGURE_MAX], double seconds)
{
    unsigned long s, large, small;
    const char   *of_large, *of_small;

    if (!(seconds >= 0) || seconds > 1e9) {
        return lp_figure_number(dst, NAN, 0);
    }

    if (seconds < 59.95) {
        (void) lp_figure_number(dst, seconds,
                                fabs(seconds - round(seconds)) < 0.05 ? 0 : 1);
        (void) snprintf(dst + strlen(dst), LP_FIGURE_MAX - strlen(dst), " s");
        return dst;
    }

    s = (unsigned long) (seconds + 0.5);
    large = s >= 3600 ? s / 3600 : s / 60;
    small = s >= 3600 ? s / 60 % 60 : s % 60;
    of_large = s >= 3600 ? "h" : "min";
    of_small = s >= 3600 ? "min" : "s";

    if (small == 0) {
        (void) snprintf(dst, LP_FIGURE_MAX, "%lu %s", large, of_large);
    } else {
        (void) snprintf(dst, LP_FIGURE_MAX, "%lu %s %lu %s", large, of_large,
                        small, of_small);
    }

    return dst;
}
