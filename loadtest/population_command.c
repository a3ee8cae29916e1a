/*
 * leerpoort-load population: from options to a folder. Begun again it goes on
 * where it stopped; for another population it wants another folder, so that
 * no tokens are ever mixed.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "../core/day.h"
#include "../workers/say.h"
#include "decimal.h"
#include "issuer.h"
#include "load_commands.h"
#include "mint.h"
#include "mix.h"
#include "population_file.h"
#include "population_inside.h"

#define PRODUCTS 500
#define DAY_MAX  99991231

static int
read_numbers(const lp_args_t *args, lp_census_t *census)
{
    int64_t seed = 1, pupils = 0, products = PRODUCTS, day = 0;
    int     rc;

    rc = lp_args_number(args, LP_LOAD_PUPILS, LP_PUPILS_MAX, &pupils);
    if (rc == LP_YES) {
        rc = lp_args_number(args, LP_LOAD_SEED, LP_SEED_MAX, &seed);
    }
    if (rc == LP_YES) {
        rc = lp_args_number(args, LP_LOAD_PRODUCTS, LP_PRODUCTS_MAX,
                            &products);
    }
    if (rc == LP_YES) {
        rc = lp_args_number(args, LP_LOAD_DAY, DAY_MAX, &day);
    }
    census->seed = (uint64_t) seed;
    census->pupils = (uint32_t) pupils;
    census->products = (uint32_t) products;
    census->day = (uint32_t) day;
    return rc;
}

static int
read_texts(const lp_args_t *args, lp_census_t *census)
{
    const char *zipf = args->value[LP_LOAD_ZIPF];
    const char *algs = args->value[LP_LOAD_ALGS];
    const char *mix = args->value[LP_LOAD_MIX];

    census->zipf = 1.0;
    if (zipf != NULL
        && lp_decimal_read(&census->zipf, zipf, strlen(zipf)) != 0) {
        return lp_args_refuse(args, "--zipf takes a number from 0 to 3");
    }
    algs = algs == NULL ? "ES256" : algs;
    if (strlen(algs) >= sizeof(census->algs)) {
        return lp_args_refuse(args, "--alg takes " LP_TOKEN_ALGS_ALLOWED);
    }
    memcpy(census->algs, algs, strlen(algs) + 1);
    lp_mix_usual(census->share);
    if (mix != NULL && lp_mix_read(census->share, mix) != 0) {
        return LP_USAGE;
    }
    return LP_YES;
}

/* day 0: not given. */
static int
read_census(const lp_args_t *args, lp_census_t *census)
{
    lp_census_t checked;
    const char *fault;
    int         rc;

    memset(census, 0, sizeof(*census));
    rc = read_numbers(args, census);
    if (rc == LP_YES) {
        rc = read_texts(args, census);
    }
    if (rc != LP_YES) {
        return rc;
    }
    checked = *census;
    if (args->value[LP_LOAD_DAY] == NULL) {
        checked.day = lp_day_amsterdam((int64_t) time(NULL), NULL);
    }
    fault = lp_census_fault(&checked);
    return fault[0] == '\0' ? LP_YES : lp_args_refuse(args, "--%s", fault);
}

/*
 * Whether DIR may be of this census. Takes the day from there where none was
 * given: the command that is repeated tomorrow is the same.
 * LP_YES; *found: it is there already.
 */
static int
meet(lp_census_t *census, const lp_args_t *args, int *found)
{
    lp_census_t there;
    const char *field;
    int         rc = lp_census_read(&there, args->operand);

    *found = rc == 0;
    if (rc == -1) {
        return LP_NO;
    }
    if (args->value[LP_LOAD_DAY] == NULL) {
        census->day = rc == 0 ? there.day
                              : lp_day_amsterdam((int64_t) time(NULL), NULL);
    }
    field = rc == 0 ? lp_census_differs(census, &there) : NULL;
    if (field != NULL) {
        lp_say("%s holds another population: it differs in %s. Give another "
               "folder, or remove this one", args->operand, field);
        return LP_NO;
    }
    return LP_YES;
}

static void
tell(const lp_population_t *population, const char *dir)
{
    const lp_census_t *census = lp_population_census(population);
    int64_t            until = lp_population_tokens_until(population);
    char               when[LP_WHEN_MAX];

    printf("%s: %" PRIu32 " pupils and %" PRIu32 " teachers in %" PRIu32
           " classes of %" PRIu32 " schools, %" PRIu32 " products, about %"
           PRIu32 "\n", dir, census->pupils, lp_population_classes(population),
           lp_population_classes(population),
           lp_population_schools(population), census->products, census->day);
    printf("tokens: %" PRIu32 " (%s), until %s; expired ones: %" PRIu32 "\n",
           lp_population_members(population), census->algs,
           lp_when(when, until, (int64_t) time(NULL)),
           lp_population_expired(population));
    if (until <= (int64_t) time(NULL)) {
        printf("The tokens have expired: leerpoort-load mint %s\n", dir);
    }
    printf("for the edge: %s/issuer.conf\n", dir);
}

static int
tell_folder(const char *dir)
{
    lp_population_t *population = lp_population_open(dir);

    if (population == NULL) {
        return LP_NO;
    }
    tell(population, dir);
    lp_population_close(population);
    return LP_YES;
}

static int
make_folder(const char *dir, const lp_census_t *census,
            const lp_mint_t *mint, int found)
{
    lp_population_t *population = lp_population_of(census);
    int              rc = LP_NO;

    if (population == NULL) {
        lp_say("out of memory");
        return LP_NO;
    }
    if ((found || lp_census_write(population, dir) == 0)
        && lp_issuer_make(dir, census) == 0) {
        rc = lp_mint(dir, population, mint, 0);
    }
    lp_population_close(population);
    return rc == LP_YES ? tell_folder(dir) : rc;
}

int
lp_load_population(const lp_args_t *args)
{
    lp_census_t census;
    lp_mint_t   mint;
    int         rc, found;

    rc = read_census(args, &census);
    if (rc == LP_YES) {
        rc = lp_mint_options(&mint, args);
    }
    if (rc != LP_YES) {
        return rc;
    }
    if (mkdir(args->operand, 0700) != 0 && errno != EEXIST) {
        lp_say("%s cannot be made: %s", args->operand, strerror(errno));
        return LP_NO;
    }
    if (lp_mint_lock(args->operand) != 0) {
        return LP_NO;
    }
    rc = meet(&census, args, &found);
    return rc == LP_YES ? make_folder(args->operand, &census, &mint, found)
                        : rc;
}
