/*
 * Histograms of times, log-linear: as exact as so many decimal digits, in
 * memory that never grows, and added up exactly. The same buckets and the same
 * quantiles as HdrHistogram's (hdrhistogram.org: lowest value 1, highest
 * LP_HISTOGRAM_HIGHEST), so that its plotters and libraries read ours.
 *
 * Values are whole microseconds. One that is higher than the highest counts as
 * the highest; a negative one as 0.
 */

#ifndef LP_HISTOGRAM_H
#define LP_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LP_HISTOGRAM_HIGHEST 3600000000 /* an hour, in us */

/* Of the three digits of totals, and the two of a single second. */
#define LP_FINE_BUCKETS   23552
#define LP_COARSE_BUCKETS 3328

typedef enum {
    LP_COARSE = 2, /* digits */
    LP_FINE = 3
} lp_digits_t;

/*
 * Values below 2^bits have a bucket each (bits: 11 of three digits, 8 of two,
 * the first power of two beyond 2 * 10^digits). Each doubling above them shares
 * 2^(bits - 1) buckets.
 */
#define LP_FINE_BITS   11
#define LP_COARSE_BITS 8
#define LP_HISTOGRAM_TOP 32 /* bits of LP_HISTOGRAM_HIGHEST */

_Static_assert(LP_HISTOGRAM_HIGHEST >> (LP_HISTOGRAM_TOP - 1) == 1,
               "the bits of the highest value");
_Static_assert(LP_FINE_BUCKETS == (LP_HISTOGRAM_TOP - LP_FINE_BITS + 2)
                                      << (LP_FINE_BITS - 1),
               "HdrHistogram's countsArrayLength of 3 digits");
_Static_assert(LP_COARSE_BUCKETS == (LP_HISTOGRAM_TOP - LP_COARSE_BITS + 2)
                                        << (LP_COARSE_BITS - 1),
               "HdrHistogram's countsArrayLength of 2 digits");

/* Its room is known where it lies in another struct: lp_fine_t, lp_coarse_t. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-variable-sized-type-not-at-end"
#endif

/*
 * May lie in shared memory: no pointer. One writer. Use lp_fine_t and
 * lp_coarse_t; the functions take the part that both begin with.
 */
typedef struct {
    uint32_t digits; /* lp_digits_t */
    uint32_t n_buckets;
    uint64_t total;  /* values recorded */
    int64_t  min;    /* of them; INT64_MAX where there are none */
    int64_t  max;
    double   sum;    /* for the mean */
    double   squares; /* for the deviation */
    uint64_t bucket[]; /* n_buckets */
} lp_histogram_t;

typedef union {
    lp_histogram_t h;
    char room[sizeof(lp_histogram_t) + LP_FINE_BUCKETS * sizeof(uint64_t)];
} lp_fine_t;

typedef union {
    lp_histogram_t h;
    char room[sizeof(lp_histogram_t) + LP_COARSE_BUCKETS * sizeof(uint64_t)];
} lp_coarse_t;

/* Empties it; must come before anything else. */
void lp_histogram_reset(lp_histogram_t *histogram, lp_digits_t digits);

/* The bucket of a value that is neither negative nor too high. */
static inline uint32_t
lp_histogram_index(const lp_histogram_t *histogram, int64_t us)
{
    unsigned bits, shift;

    bits = histogram->digits == LP_FINE ? LP_FINE_BITS : LP_COARSE_BITS;
    shift = 64 - bits
            - (unsigned) __builtin_clzll((uint64_t) us
                                         | ((UINT64_C(1) << bits) - 1));

    return (shift << (bits - 1)) + (uint32_t) (us >> shift);
}

/* In a click's path: no call, no loop, some twenty instructions. */
static inline void
lp_histogram_record(lp_histogram_t *histogram, int64_t us)
{
    double value;

    us = us < 0 ? 0 : us;
    us = us > LP_HISTOGRAM_HIGHEST ? LP_HISTOGRAM_HIGHEST : us;
    value = (double) us;

    histogram->bucket[lp_histogram_index(histogram, us)]++;
    histogram->total++;
    histogram->sum += value;
    histogram->squares += value * value;
    if (us < histogram->min) {
        histogram->min = us;
    }
    if (us > histogram->max) {
        histogram->max = us;
    }
}

/* Adds from to into, of the same digits; of others each bucket by its middle.
 */
void lp_histogram_add(lp_histogram_t *into, const lp_histogram_t *from);

/* The value below or at which the share (0 to 1) of all values lies: the
   highest that its bucket stands for, at most max; min of share 0; 0 where
   there are none. */
int64_t lp_histogram_quantile(const lp_histogram_t *histogram, double share);

double lp_histogram_mean(const lp_histogram_t *histogram);
double lp_histogram_deviation(const lp_histogram_t *histogram);

/* How many values are above us, as far as the buckets tell. */
uint64_t lp_histogram_above(const lp_histogram_t *histogram, int64_t us);

/* Lowest and highest value of the i-th bucket. */
int64_t lp_histogram_low(const lp_histogram_t *histogram, uint32_t i);
int64_t lp_histogram_high(const lp_histogram_t *histogram, uint32_t i);

/*
 * The text form "i:count i:count ..." of what is not 0, with digits, total,
 * min, max, sum and squares before it: for result files. Reading checks
 * everything, and that the text has the digits with which the histogram was
 * reset. lp_histogram_write returns -1 where the stream refuses;
 * lp_histogram_read returns -1 for a text that is none, and then the histogram
 * is empty.
 */
int lp_histogram_write(const lp_histogram_t *histogram, FILE *stream);
int lp_histogram_read(lp_histogram_t *histogram, const char *text);

/* The percentile table that HdrHistogram's plotters read (.hgrm), in ms. */
int lp_histogram_hgrm(const lp_histogram_t *histogram, FILE *stream);

#endif
