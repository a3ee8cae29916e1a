/*
 * The generator, and the few distributions that a rehearsal needs. Whoever
 * wants others adds them here, with a test against their formula.
 */

#include "random.h"

#include <math.h>
#include <stdlib.h>

#define GOLDEN 0x9e3779b97f4a7c15U /* 2^64 / phi: steps that fill all bits */

static uint64_t
scramble(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdU;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53U;
    x ^= x >> 33;
    return x;
}

uint64_t
lp_random_of(uint64_t seed, uint64_t i)
{
    return scramble(scramble(seed + GOLDEN) ^ (i * GOLDEN + 1));
}

void
lp_random_seed(lp_random_t *random, uint64_t seed, uint64_t stream)
{
    unsigned i;
    uint64_t own = lp_random_of(seed, stream);

    for (i = 0; i < 4; i++) {
        random->word[i] = lp_random_of(own, i);
    }
}

static uint64_t
rotate(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

uint64_t
lp_random_next(lp_random_t *random)
{
    uint64_t *s = random->word;
    uint64_t  result = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double
lp_random_unit_of(uint64_t number)
{
    return (double) (number >> 11) * 0x1p-53;
}

double
lp_random_unit(lp_random_t *random)
{
    return lp_random_unit_of(lp_random_next(random));
}

/* Lemire's multiplication; the bias, below n / 2^64, is nobody's concern. */
uint64_t
lp_random_below(lp_random_t *random, uint64_t n)
{
    return (uint64_t) (((unsigned __int128) lp_random_next(random) * n) >> 64);
}

double
lp_random_exponential(lp_random_t *random)
{
    return -log1p(-lp_random_unit(random));
}

int
lp_zipf_make(lp_zipf_t *zipf, uint32_t n, double s)
{
    uint32_t i;
    double   sum = 0;

    zipf->n = n;
    zipf->cumulated = calloc(n, sizeof(*zipf->cumulated));
    if (zipf->cumulated == NULL) {
        return -1;
    }
    for (i = 0; i < n; i++) {
        sum += pow(i + 1.0, -s);
        zipf->cumulated[i] = sum;
    }
    for (i = 0; i < n; i++) {
        zipf->cumulated[i] /= sum;
    }
    return 0;
}

void
lp_zipf_free(lp_zipf_t *zipf)
{
    free(zipf->cumulated);
    zipf->cumulated = NULL;
}

uint32_t
lp_zipf_rank(const lp_zipf_t *zipf, double unit)
{
    uint32_t low = 0, high = zipf->n - 1, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (zipf->cumulated[middle] > unit) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}
