/*
 * Random numbers that are the same for the same seed on every machine: a
 * rehearsal can be repeated, and five machines agree about who clicks when.
 * For no secret.
 */

#ifndef LP_RANDOM_H
#define LP_RANDOM_H

#include <stdint.h>

/* xoshiro256++ (Blackman and Vigna 2019). */
typedef struct {
    uint64_t word[4];
} lp_random_t;

/*
 * A number for a pair of numbers, as good as a random one: properties of the
 * i-th of something, without a table (the finaliser of MurmurHash3, twice).
 */
uint64_t lp_random_of(uint64_t seed, uint64_t i);

/* stream: different streams of one seed have nothing to do with each other. */
void lp_random_seed(lp_random_t *random, uint64_t seed, uint64_t stream);

uint64_t lp_random_next(lp_random_t *random);

/* From 0 up to, not including, 1; of a number that is given. */
double lp_random_unit_of(uint64_t number);
double lp_random_unit(lp_random_t *random);

/* A whole number below n; n at least 1. */
uint64_t lp_random_below(lp_random_t *random, uint64_t n);

/* Gaps of a Poisson process of rate 1: exponential, mean 1. */
double lp_random_exponential(lp_random_t *random);

/*
 * Zipf's law over n ranks, the first the most frequent: P(k) ~ 1 / (k+1)^s.
 * A table of cumulated shares, made once; drawing is a binary search.
 */
typedef struct {
    double  *cumulated; /* n; the last is 1 */
    uint32_t n;
} lp_zipf_t;

/* 0; -1: out of memory. */
int lp_zipf_make(lp_zipf_t *zipf, uint32_t n, double s);
void lp_zipf_free(lp_zipf_t *zipf);

/* The rank, from 0, for a number from 0 up to 1. */
uint32_t lp_zipf_rank(const lp_zipf_t *zipf, double unit);

#endif
