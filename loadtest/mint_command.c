/*
 * leerpoort-load mint: the same people, new tokens.
 */

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "../workers/say.h"
#include "load_commands.h"
#include "mint.h"
#include "population_file.h"

static int
tell(const char *dir)
{
    lp_population_t *population = lp_population_open(dir);
    char             when[LP_WHEN_MAX];

    if (population == NULL) {
        return LP_NO;
    }
    printf("%" PRIu32 " tokens, until %s\n",
           lp_population_members(population),
           lp_when(when, lp_population_tokens_until(population),
                   (int64_t) time(NULL)));
    lp_population_close(population);
    return LP_YES;
}

static int
mint_census(const char *dir, const lp_census_t *census, const lp_mint_t *mint)
{
    lp_population_t *population = lp_population_of(census);
    int              rc;

    if (population == NULL) {
        lp_say("out of memory");
        return LP_NO;
    }
    rc = lp_mint(dir, population, mint, 1);
    lp_population_close(population);
    return rc == LP_YES ? tell(dir) : rc;
}

/* Tokens that are there are not looked at: they may be what is wrong. */
int
lp_load_mint(const lp_args_t *args)
{
    lp_census_t census;
    lp_mint_t   mint;
    int         rc = lp_mint_options(&mint, args);

    if (rc != LP_YES) {
        return rc;
    }
    rc = lp_census_read(&census, args->operand);
    if (rc == 1) {
        lp_say("%s holds no population: leerpoort-load population makes one",
               args->operand);
    }
    if (rc != 0 || lp_mint_lock(args->operand) != 0) {
        return LP_NO;
    }
    return mint_census(args->operand, &census, &mint);
}
