/*
 * Histograms: what is not in a click's path. The buckets are HdrHistogram's:
 * bucket i of those below 2^bits holds the value i alone; above them, each
 * doubling is cut into 2^(bits - 1) equal parts, so that a bucket is never
 * wider than a share of 10^-digits of its values. The index of a value is
 * continuous over the doublings (see lp_histogram_index()), so that everything
 * here walks one array.
 *
 * The text form is for result files that travel between machines: it is read
 * with suspicion. A histogram that is read back can be added up and asked for
 * quantiles like one that was recorded, so what does not fit together
 * (a total that is not the sum, a highest value outside the last bucket) is
 * refused.
 */

#include "histogram.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TICKS 5 /* lines of a .hgrm for each halving of what is above */

/* Totals of a text's head. */
typedef struct {
    uint64_t digits, total, min, max;
    double   sum, squares;
} head_t;

static unsigned bits_of(const lp_histogram_t *histogram);
static unsigned shift_of(const lp_histogram_t *histogram, uint32_t i);
static int64_t middle(const lp_histogram_t *histogram, uint32_t i);
static uint64_t rank_of(const lp_histogram_t *histogram, double share);
static int read_head(head_t *head, const char **at);
static int read_buckets(lp_histogram_t *histogram, const char *at,
                        const head_t *head);
static int read_whole(uint64_t *number, const char **at);
static int read_real(double *number, const char **at);
static int fits(const lp_histogram_t *histogram, const head_t *head,
                uint32_t first, uint32_t last);
static void hgrm_lines(const lp_histogram_t *histogram, FILE *stream);
static double next_level(double level);


void
lp_histogram_reset(lp_histogram_t *histogram, lp_digits_t digits)
{
    histogram->digits = digits;
    histogram->n_buckets = digits == LP_FINE ? LP_FINE_BUCKETS
                                             : LP_COARSE_BUCKETS;
    histogram->total = 0;
    histogram->min = INT64_MAX;
    histogram->max = 0;
    histogram->sum = 0;
    histogram->squares = 0;
    memset(histogram->bucket, 0,
           histogram->n_buckets * sizeof(histogram->bucket[0]));
}


void
lp_histogram_add(lp_histogram_t *into, const lp_histogram_t *from)
{
    uint32_t i, to;

    for (i = 0; i < from->n_buckets; i++) {
        if (from->bucket[i] == 0) {
            continue;
        }

        to = into->digits == from->digits
                 ? i : lp_histogram_index(into, middle(from, i));
        into->bucket[to] += from->bucket[i];
    }

    into->total += from->total;
    into->sum += from->sum;
    into->squares += from->squares;
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
}


int64_t
lp_histogram_quantile(const lp_histogram_t *histogram, double share)
{
    uint64_t rank, seen;
    uint32_t i;
    int64_t  high;

    if (histogram->total == 0) {
        return 0;
    }
    if (!(share > 0)) {
        return histogram->min;
    }

    rank = rank_of(histogram, share);
    seen = 0;

    for (i = 0; i < histogram->n_buckets; i++) {
        seen += histogram->bucket[i];
        if (seen >= rank) {
            high = lp_histogram_high(histogram, i);
            return high < histogram->max ? high : histogram->max;
        }
    }

    return histogram->max;
}


/* Which value it is, in order, the first 1: HdrHistogram's rounding up, which
   takes a product that is one unit too high in its last bit for exact. */
static uint64_t
rank_of(const lp_histogram_t *histogram, double share)
{
    double rank;

    rank = (share < 1 ? share : 1) * (double) histogram->total;
    rank = ceil(nextafter(rank, 0));
    if (rank < 1) {
        return 1;
    }

    return rank < (double) histogram->total ? (uint64_t) rank
                                            : histogram->total;
}


double
lp_histogram_mean(const lp_histogram_t *histogram)
{
    return histogram->total == 0 ? 0
                                 : histogram->sum / (double) histogram->total;
}


double
lp_histogram_deviation(const lp_histogram_t *histogram)
{
    double mean, variance;

    if (histogram->total == 0) {
        return 0;
    }

    mean = lp_histogram_mean(histogram);
    variance = histogram->squares / (double) histogram->total - mean * mean;

    return variance > 0 ? sqrt(variance) : 0;
}


uint64_t
lp_histogram_above(const lp_histogram_t *histogram, int64_t us)
{
    uint64_t n;
    uint32_t i;

    if (us < 0) {
        return histogram->total;
    }
    if (us >= LP_HISTOGRAM_HIGHEST) {
        return 0;
    }

    n = 0;
    for (i = lp_histogram_index(histogram, us) + 1; i < histogram->n_buckets;
         i++)
    {
        n += histogram->bucket[i];
    }

    return n;
}


int64_t
lp_histogram_low(const lp_histogram_t *histogram, uint32_t i)
{
    unsigned shift = shift_of(histogram, i);

    return (int64_t) (i - (shift << (bits_of(histogram) - 1))) << shift;
}


int64_t
lp_histogram_high(const lp_histogram_t *histogram, uint32_t i)
{
    return lp_histogram_low(histogram, i)
           + ((int64_t) 1 << shift_of(histogram, i)) - 1;
}


static unsigned
bits_of(const lp_histogram_t *histogram)
{
    return histogram->digits == LP_FINE ? LP_FINE_BITS : LP_COARSE_BITS;
}


/* Of a bucket that is 2^shift wide. */
static unsigned
shift_of(const lp_histogram_t *histogram, uint32_t i)
{
    unsigned part = i >> (bits_of(histogram) - 1);

    return part > 1 ? part - 1 : 0;
}


static int64_t
middle(const lp_histogram_t *histogram, uint32_t i)
{
    return lp_histogram_low(histogram, i)
           + (((int64_t) 1 << shift_of(histogram, i)) >> 1);
}


int
lp_histogram_write(const lp_histogram_t *histogram, FILE *stream)
{
    uint32_t i;

    fprintf(stream, "%" PRIu32 " %" PRIu64 " %" PRId64 " %" PRId64
            " %.17g %.17g", histogram->digits, histogram->total,
            histogram->total > 0 ? histogram->min : 0, histogram->max,
            histogram->sum, histogram->squares);

    for (i = 0; i < histogram->n_buckets; i++) {
        if (histogram->bucket[i] > 0) {
            fprintf(stream, " %" PRIu32 ":%" PRIu64, i, histogram->bucket[i]);
        }
    }

    return ferror(stream) ? -1 : 0;
}


int
lp_histogram_read(lp_histogram_t *histogram, const char *text)
{
    const char *at = text;
    lp_digits_t digits = (lp_digits_t) histogram->digits;
    head_t      head;

    lp_histogram_reset(histogram, digits);

    if (read_head(&head, &at) != 0 || head.digits != digits
        || head.max > LP_HISTOGRAM_HIGHEST || head.min > head.max
        || read_buckets(histogram, at, &head) != 0)
    {
        lp_histogram_reset(histogram, digits);
        return -1;
    }

    return 0;
}


static int
read_head(head_t *head, const char **at)
{
    return read_whole(&head->digits, at) != 0
                   || read_whole(&head->total, at) != 0
                   || read_whole(&head->min, at) != 0
                   || read_whole(&head->max, at) != 0
                   || read_real(&head->sum, at) != 0
                   || read_real(&head->squares, at) != 0
               ? -1 : 0;
}


static int
read_buckets(lp_histogram_t *histogram, const char *at, const head_t *head)
{
    uint64_t i, n, last = 0;
    uint32_t first = 0;

    while (*at != '\0') {
        if (read_whole(&i, &at) != 0 || *at++ != ':'
            || read_whole(&n, &at) != 0 || (*at != ' ' && *at != '\0'))
        {
            return -1;
        }
        if (i >= histogram->n_buckets || n == 0
            || (histogram->total > 0 && i <= last)
            || n > head->total - histogram->total)
        {
            return -1;
        }

        if (histogram->total == 0) {
            first = (uint32_t) i;
        }
        last = i;
        histogram->bucket[i] = n;
        histogram->total += n;
    }

    if (!fits(histogram, head, first, (uint32_t) last)) {
        return -1;
    }
    if (head->total == 0) {
        return 0;
    }

    histogram->min = (int64_t) head->min;
    histogram->max = (int64_t) head->max;
    histogram->sum = head->sum;
    histogram->squares = head->squares;

    return 0;
}


/* Whether the head can be that of these buckets. Sums are of rounded numbers:
   a millionth of leeway. */
static int
fits(const lp_histogram_t *histogram, const head_t *head, uint32_t first,
     uint32_t last)
{
    double n = (double) head->total, low = (double) head->min,
           high = (double) head->max;

    if (histogram->total != head->total) {
        return 0;
    }
    if (head->total == 0) {
        return head->min == 0 && head->max == 0 && head->sum == 0
               && head->squares == 0;
    }

    return lp_histogram_index(histogram, (int64_t) head->min) == first
           && lp_histogram_index(histogram, (int64_t) head->max) == last
           && head->sum >= n * low * 0.999999
           && head->sum <= n * high * 1.000001
           && head->squares >= n * low * low * 0.999999
           && head->squares <= n * high * high * 1.000001;
}


/* Digits, behind one blank where there is one. */
static int
read_whole(uint64_t *number, const char **at)
{
    char *end;

    *at += **at == ' ';
    if (**at < '0' || **at > '9') {
        return -1;
    }

    errno = 0;
    *number = strtoull(*at, &end, 10);
    *at = end;

    return errno == 0 ? 0 : -1;
}


static int
read_real(double *number, const char **at)
{
    char *end;

    *at += **at == ' ';
    if (**at < '0' || **at > '9') {
        return -1;
    }

    errno = 0;
    *number = strtod(*at, &end);
    *at = end;

    return errno == 0 && isfinite(*number) && (**at == ' ' || **at == '\0')
               ? 0 : -1;
}


int
lp_histogram_hgrm(const lp_histogram_t *histogram, FILE *stream)
{
    unsigned bits = bits_of(histogram);

    fprintf(stream, "%12s %14s %10s %14s\n\n", "Value", "Percentile",
            "TotalCount", "1/(1-Percentile)");
    hgrm_lines(histogram, stream);
    fprintf(stream,
            "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n"
            "#[Max     = %12.3f, Total count    = %12" PRIu64 "]\n"
            "#[Buckets = %12u, SubBuckets     = %12u]\n",
            lp_histogram_mean(histogram) / 1000,
            lp_histogram_deviation(histogram) / 1000,
            (double) histogram->max / 1000, histogram->total,
            LP_HISTOGRAM_TOP - bits + 1, 1U << bits);

    return ferror(stream) ? -1 : 0;
}


/*
 * HdrHistogram's percentile iterator: at each bucket that holds something, all
 * levels that it reaches; levels come closer together towards 100.
 */
static void
hgrm_lines(const lp_histogram_t *histogram, FILE *stream)
{
    uint64_t seen = 0, n = histogram->total;
    uint32_t i;
    double   level = 0, value = 0;

    for (i = 0; i < histogram->n_buckets && seen < n; i++) {
        if (histogram->bucket[i] == 0) {
            continue;
        }

        seen += histogram->bucket[i];
        value = (double) lp_histogram_high(histogram, i) / 1000;

        while (level < 100 && 100.0 * (double) seen / (double) n >= level) {
            fprintf(stream, "%12.3f %2.12f %10" PRIu64 " %14.2f\n", value,
                    level / 100, seen, 1 / (1 - level / 100));
            level = next_level(level);
            if (seen == n) {
                break;
            }
        }
    }

    if (n > 0) {
        fprintf(stream, "%12.3f %2.12f %10" PRIu64 "\n", value, 1.0, n);
    }
}


static double
next_level(double level)
{
    double halvings = floor(log2(100 / (100 - level))) + 1;

    return level + 100 / (TICKS * exp2(halvings));
}
