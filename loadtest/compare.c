/*
 * Whether B is worse than A, with care: two runs of the same system differ too.
 *
 * Figures of whole runs say by how much, not whether it is chance. So the runs
 * are cut into the same stretches of BLOCK seconds, which with the same plan
 * had the same load, and the quantile of each stretch of A is paired with that
 * of B. Seconds alone would not do: a slow moment lasts for several, and each
 * would count as another witness. B is slower where these pairs say so beyond
 * Z_LEAST standard deviations and the whole runs differ by more than what
 * anybody should care about, which is far beyond the histograms' error of a
 * thousandth (a hundredth in a stretch).
 *
 * Runs of different plans are shown, and their times not judged.
 */

#include "compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../workers/say.h"
#include "result_members.h"
#include "verdict.h"

#define BLOCK      5    /* seconds */
#define BLOCKS_MIN 8    /* pairs below which nothing is said */
#define BLOCKS_MAX (2 * LP_PLAN_SECONDS_MAX / BLOCK + 1)
#define Z_LEAST    3    /* by chance once in 740 comparisons */
#define SHIFT_LEAST 0.05 /* of A's time */
#define SHIFT_MS   0.1
#define SHARE_LEAST 0.0005 /* of clicks that were not answered right */

/* The quantiles of each block of a run; NAN where it had no click. */
typedef struct {
    double *value[LP_SHIFTS];
} blocks_t;

static const struct {
    const char *name;
    double      share;
} watched[LP_SHIFTS] = {{"p50_ms", 0.5}, {"p99_ms", 0.99}};

static int is_same_plan(const lp_result_t *a, const lp_result_t *b);
static int judge_times(lp_comparison_t *comparison, const char *folder_a,
                       const char *folder_b);
static int fill(blocks_t *blocks);
static void drop(blocks_t *blocks);
static int read_blocks(blocks_t *blocks, const char *folder);
static void end_block(blocks_t *blocks, const lp_second_t *block);
static void judge_shift(lp_shift_t *shift, double *a, double *b);
static void conclude(lp_comparison_t *comparison, const lp_result_t *a,
                     const lp_result_t *b);
static const char *worse_by_counts(const lp_result_t *a, const lp_result_t *b,
                                   char *why, size_t size);
static void say_shifts(lp_comparison_t *comparison);


int
lp_compare(lp_comparison_t *comparison, const lp_result_t *a,
           const lp_result_t *b, const char *folder_a, const char *folder_b)
{
    lp_shift_t *shift;
    unsigned    i;

    memset(comparison, 0, sizeof(*comparison));
    comparison->same_plan = is_same_plan(a, b);

    for (i = 0; i < LP_SHIFTS; i++) {
        shift = &comparison->shift[i];
        shift->name = watched[i].name;
        shift->share = watched[i].share;
        shift->a = lp_result_quantile_ms(a, shift->share);
        shift->b = lp_result_quantile_ms(b, shift->share);
    }

    if (comparison->same_plan
        && judge_times(comparison, folder_a, folder_b) != 0)
    {
        return -1;
    }

    conclude(comparison, a, b);

    return 0;
}


/* The seed, limits and texts of a plan do not change its load; a rate that was
   changed by hand does. */
static int
is_same_plan(const lp_result_t *a, const lp_result_t *b)
{
    static const char *const aside[] = {"name", "about", "seed", "thresholds",
                                        "honesty"};
    json_t  *one = lp_plan_json(&a->plan), *two = lp_plan_json(&b->plan);
    unsigned i;
    int      same;

    for (i = 0; i < sizeof(aside) / sizeof(aside[0]); i++) {
        json_object_del(one, aside[i]);
        json_object_del(two, aside[i]);
    }

    same = one != NULL && two != NULL && json_equal(one, two)
           && a->shards == b->shards && a->factor == 1 && b->factor == 1
           && a->lowest >= 1 && b->lowest >= 1;
    json_decref(one);
    json_decref(two);

    return same;
}


static int
judge_times(lp_comparison_t *comparison, const char *folder_a,
            const char *folder_b)
{
    blocks_t a, b;
    unsigned i;
    int      rc = 0;

    if ((fill(&a) | fill(&b)) != 0) {
        lp_say("no memory left to compare runs");
        rc = -1;
    } else if (read_blocks(&a, folder_a) != 0
               || read_blocks(&b, folder_b) != 0)
    {
        rc = -1;
    }

    for (i = 0; i < LP_SHIFTS && rc == 0; i++) {
        judge_shift(&comparison->shift[i], a.value[i], b.value[i]);
    }

    drop(&a);
    drop(&b);

    return rc;
}


static int
fill(blocks_t *blocks)
{
    unsigned i, j;
    int      rc = 0;

    for (i = 0; i < LP_SHIFTS; i++) {
        blocks->value[i] = malloc(BLOCKS_MAX * sizeof(double));
        if (blocks->value[i] == NULL) {
            rc = -1;
            continue;
        }
        for (j = 0; j < BLOCKS_MAX; j++) {
            blocks->value[i][j] = NAN;
        }
    }

    return rc;
}


static void
drop(blocks_t *blocks)
{
    unsigned i;

    for (i = 0; i < LP_SHIFTS; i++) {
        free(blocks->value[i]);
    }
}


typedef struct {
    blocks_t   *blocks;
    lp_second_t block; /* its number, and the sum of its seconds */
} summing_t;


static int
take_second(void *owner, const lp_second_t *second, double target)
{
    summing_t *summing = owner;

    (void) target;

    if (second->second / BLOCK != summing->block.second) {
        end_block(summing->blocks, &summing->block);
        memset(&summing->block.counts, 0, sizeof(summing->block.counts));
        lp_histogram_reset(&summing->block.latency.h, LP_COARSE);
        summing->block.second = second->second / BLOCK;
    }

    lp_counts_add(&summing->block.counts, &second->counts);
    lp_histogram_add(&summing->block.latency.h, &second->latency.h);

    return 0;
}


static int
read_blocks(blocks_t *blocks, const char *folder)
{
    summing_t *summing = calloc(1, sizeof(*summing));
    int        rc;

    if (summing == NULL) {
        lp_say("no memory left to compare runs");
        return -1;
    }

    summing->blocks = blocks;
    summing->block.second = -1;
    lp_histogram_reset(&summing->block.latency.h, LP_COARSE);
    rc = lp_seconds_read(folder, take_second, summing);
    end_block(blocks, &summing->block);
    free(summing);

    return rc;
}


static void
end_block(blocks_t *blocks, const lp_second_t *block)
{
    unsigned i;

    if (block->second < 0 || lp_counts_ended(&block->counts) == 0) {
        return;
    }

    for (i = 0; i < LP_SHIFTS; i++) {
        blocks->value[i][block->second] =
            lp_second_quantile_ms(block, watched[i].share);
    }
}


static void
judge_shift(lp_shift_t *shift, double *a, double *b)
{
    unsigned i, n = 0;
    double   least;

    for (i = 0; i < BLOCKS_MAX; i++) {
        if (!isnan(a[i]) && !isnan(b[i])) {
            a[n] = a[i];
            b[n] = b[i];
            n++;
        }
    }

    shift->blocks = n;
    shift->judged = n >= BLOCKS_MIN;
    if (!shift->judged || shift->a == shift->b) {
        return;
    }

    shift->z = lp_signed_ranks(a, b, &n);
    least = fmax(SHIFT_MS, SHIFT_LEAST * fmin(shift->a, shift->b));
    shift->worse = shift->z > Z_LEAST && shift->b - shift->a > least;
    shift->better = shift->z < -Z_LEAST && shift->a - shift->b > least;
}


static void
conclude(lp_comparison_t *comparison, const lp_result_t *a,
         const lp_result_t *b)
{
    char  *sentence = comparison->sentence, why[256];
    size_t size = sizeof(comparison->sentence);

    if (a->conclusion.pass == LP_INVALID || b->conclusion.pass == LP_INVALID) {
        comparison->verdict = LP_COMPARED_INVALID;
        snprintf(sentence, size, "These can't be compared: %s is INVALID.",
                 b->conclusion.pass == LP_INVALID ? "B" : "A");
        return;
    }

    if (worse_by_counts(a, b, why, sizeof(why)) != NULL) {
        comparison->verdict = LP_COMPARED_WORSE;
        snprintf(sentence, size, "B is worse: %s.", why);
        return;
    }

    say_shifts(comparison);
}


/* NULL: B is not. */
static const char *
worse_by_counts(const lp_result_t *a, const lp_result_t *b, char *why,
                size_t size)
{
    double n, m, wrong_a, wrong_b, all;

    if (a->conclusion.pass == LP_PASS && b->conclusion.pass == LP_FAIL) {
        snprintf(why, size, "A passed its thresholds, B did not");
        return why;
    }
    if (b->counts.ended[LP_END_WRONG_REDIRECT]
        > a->counts.ended[LP_END_WRONG_REDIRECT])
    {
        snprintf(why, size, "more pupils were sent to somebody else's book");
        return why;
    }

    n = (double) lp_counts_ended(&a->counts);
    m = (double) lp_counts_ended(&b->counts);
    if (n == 0 || m == 0) {
        return NULL;
    }

    /* two proportions, by their common one */
    wrong_a = 1 - (double) a->counts.ended[LP_END_RIGHT] / n;
    wrong_b = 1 - (double) b->counts.ended[LP_END_RIGHT] / m;
    all = (wrong_a * n + wrong_b * m) / (n + m);
    if (wrong_b - wrong_a > SHARE_LEAST
        && wrong_b - wrong_a
               > Z_LEAST * sqrt(all * (1 - all) * (1 / n + 1 / m)))
    {
        snprintf(why, size, "%.3g %% of clicks were not answered right, of A "
                 "%.3g %%", wrong_b * 100, wrong_a * 100);
        return why;
    }

    return NULL;
}


static void
say_shifts(lp_comparison_t *comparison)
{
    const lp_shift_t *shift, *worst = NULL, *best = NULL;
    char              a[LP_AMOUNT_MAX], b[LP_AMOUNT_MAX];
    unsigned          i;

    for (i = 0; i < LP_SHIFTS; i++) {
        shift = &comparison->shift[i];
        worst = shift->worse ? shift : worst;
        best = shift->better ? shift : best;
    }

    shift = worst != NULL ? worst : best;
    if (shift != NULL) {
        lp_check_amount(a, shift->name, shift->a);
        lp_check_amount(b, shift->name, shift->b);
    }

    if (worst != NULL) {
        comparison->verdict = LP_COMPARED_WORSE;
        snprintf(comparison->sentence, sizeof(comparison->sentence),
                 "B is worse: %.3s from schedule is %s, of A %s, and %u "
                 "stretches of %d s say that this is no chance.", shift->name,
                 b, a, shift->blocks, BLOCK);
    } else if (best != NULL) {
        snprintf(comparison->sentence, sizeof(comparison->sentence),
                 "B is better: %.3s from schedule is %s, of A %s.",
                 shift->name, b, a);
    } else if (!comparison->same_plan) {
        snprintf(comparison->sentence, sizeof(comparison->sentence),
                 "B is not worse by its counts; times are not judged, for the "
                 "plans differ, or a rate was changed by hand.");
    } else if (!comparison->shift[0].judged) {
        snprintf(comparison->sentence, sizeof(comparison->sentence),
                 "B is not worse by its counts; times are not judged, for "
                 "that takes runs of %d s.", BLOCK * BLOCKS_MIN);
    } else {
        snprintf(comparison->sentence, sizeof(comparison->sentence),
                 "B is not worse: chance explains the differences.");
    }
}


json_t *
lp_compare_json(const lp_comparison_t *comparison, const lp_result_t *a,
                const lp_result_t *b)
{
    static const char *const verdicts[] = {"not-worse", "worse", "invalid"};
    const lp_shift_t        *shift;
    json_t                  *object, *list = json_array();
    unsigned                 i;

    for (i = 0; i < LP_SHIFTS; i++) {
        shift = &comparison->shift[i];
        json_array_append_new(
            list,
            json_pack("{s:s, s:o, s:o, s:i, s:f, s:b, s:b, s:b}", "name",
                      shift->name, "a",
                      isfinite(shift->a) ? json_real(shift->a) : json_null(),
                      "b",
                      isfinite(shift->b) ? json_real(shift->b) : json_null(),
                      "stretches", (int) shift->blocks, "z", shift->z,
                      "judged", shift->judged, "worse", shift->worse,
                      "better", shift->better));
    }

    object = json_pack("{s:s, s:s, s:b, s:o, s:o, s:o}", "verdict",
                       verdicts[comparison->verdict], "sentence",
                       comparison->sentence, "same_plan",
                       comparison->same_plan, "times", list, "a",
                       lp_result_summary(a), "b", lp_result_summary(b));

    return object;
}
