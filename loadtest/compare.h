/*
 * Two runs side by side, before and after: what is different, and whether the
 * second is worse than chance explains.
 */

#ifndef LP_COMPARE_H
#define LP_COMPARE_H

#include <jansson.h>

#include "result.h"

typedef enum {
    LP_COMPARED = 0,    /* B is not worse */
    LP_COMPARED_WORSE,
    LP_COMPARED_INVALID /* one of them says nothing */
} lp_compared_t;

/* How one quantile moved, over blocks of seconds that both runs have. */
typedef struct {
    const char *name;  /* "p99_ms" */
    double      share;
    double      a, b;  /* ms, of the whole runs */
    unsigned    blocks;
    double      z;     /* of Wilcoxon's signed ranks; above 0: B is slower */
    int         judged; /* 0: too short, or the plans differ */
    int         worse, better;
} lp_shift_t;

#define LP_SHIFTS 2

typedef struct {
    lp_compared_t verdict;
    int           same_plan;
    char          sentence[512];
    lp_shift_t    shift[LP_SHIFTS];
} lp_comparison_t;

/* Returns 0; -1 after lp_say(). */
int lp_compare(lp_comparison_t *comparison, const lp_result_t *a,
               const lp_result_t *b, const char *folder_a,
               const char *folder_b);

/* For a terminal (compare_table.c). */
void lp_compare_print(const lp_comparison_t *comparison, const lp_result_t *a,
                      const lp_result_t *b, FILE *out);

/* For machines; NULL: out of memory. */
json_t *lp_compare_json(const lp_comparison_t *comparison,
                        const lp_result_t *a, const lp_result_t *b);

/* Wilcoxon's signed ranks of pairs: how many standard deviations the sum of
   ranks is above what chance expects; n counts down to the pairs that differ.
   Both arrays are changed. */
double lp_signed_ranks(double *a, double *b, unsigned *n);

#endif
