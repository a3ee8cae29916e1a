/*
 * Wilcoxon's test of pairs (Biometrics Bulletin 1, 1945): whether one run is
 * slower than the other in the same stretches of the same plan. It asks for no
 * shape of the times, which are skewed, and a stretch in which something odd
 * happened counts for its rank alone.
 */

#include "compare.h"

#include <math.h>
#include <stdlib.h>

static unsigned keep_differences(double *a, const double *b, unsigned n);
static int by_size(const void *a, const void *b);


/*
 * The differences that are not 0 get ranks by size, equal ones the mean of
 * theirs. By chance the ranks of the positive ones sum up to n(n+1)/4, with a
 * variance of n(n+1)(2n+1)/24, less (t^3-t)/48 for each t equal ones.
 */
double
lp_signed_ranks(double *a, double *b, unsigned *n)
{
    double   sum = 0, variance, rank, t;
    unsigned i, j, k;

    *n = keep_differences(a, b, *n);
    if (*n == 0) {
        return 0;
    }

    qsort(a, *n, sizeof(a[0]), by_size);
    variance = (double) *n * (*n + 1.0) * (2.0 * *n + 1) / 24;

    for (i = 0; i < *n; i = j) {
        j = i + 1;
        while (j < *n && fabs(a[j]) == fabs(a[i])) {
            j++;
        }

        rank = (i + 1 + j) / 2.0;
        t = j - i;
        variance -= (t * t * t - t) / 48;
        for (k = i; k < j; k++) {
            sum += a[k] > 0 ? rank : 0;
        }
    }

    return variance > 0
               ? (sum - (double) *n * (*n + 1.0) / 4) / sqrt(variance) : 0;
}


/* b minus a, into a; two that were never answered do not differ. */
static unsigned
keep_differences(double *a, const double *b, unsigned n)
{
    unsigned i, kept = 0;

    for (i = 0; i < n; i++) {
        if (a[i] != b[i]) {
            a[kept++] = b[i] - a[i];
        }
    }

    return kept;
}


static int
by_size(const void *a, const void *b)
{
    double x = fabs(*(const double *) a), y = fabs(*(const double *) b);

    return (x > y) - (x < y);
}
