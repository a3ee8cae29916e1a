/*
 * leerpoort-load seed: a population into the Leerpoort that is rehearsed, as it
 * is before the first click. Loading again takes away what a run made of it.
 */

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "../workers/outbox.h"
#include "../workers/say.h"
#include "../workers/store_args.h"
#include "json_file.h"
#include "load_commands.h"
#include "new_file.h"
#include "seed.h"
#include "told.h"
#include "usage_before.h"

#define TIMEOUT_MS 30000

static int check(const lp_args_t *args);
static int open_all(lp_seed_t *seed, const lp_args_t *args);
static int load(lp_seed_t *seed);
static int clear_all(lp_seed_t *seed);
static int clear_people(lp_seed_t *seed, uint32_t school);
static int remember(lp_seed_t *seed);
static int write_seeded(const lp_seed_t *seed);
static void close_all(lp_seed_t *seed);

int
lp_load_seed(const lp_args_t *args)
{
    lp_seed_t seed;
    int       rc;

    rc = check(args);
    if (rc != LP_YES) {
        return rc;
    }

    memset(&seed, 0, sizeof(seed));
    seed.args = args;
    rc = open_all(&seed, args);
    if (rc == LP_YES) {
        rc = lp_rehearsed_claim(&seed.rehearsed, seed.store,
                                seed.holdings.population);
    }
    if (rc == LP_YES) {
        rc = load(&seed) == 0 && remember(&seed) == 0 ? LP_YES : LP_NO;
    }
    if (rc == LP_YES) {
        printf("%" PRIu64 " rights of %" PRIu64 " people in %.1f s (%.0f/s), "
               "%s\n", seed.rights, seed.people, seed.seconds,
               seed.seconds > 0 ? (double) seed.rights / seed.seconds : 0,
               seed.rehearsed.sold ? "through the API"
                                   : "straight into Redis");
        rc = seed.refused > 0 ? LP_NO : LP_YES;
    }
    close_all(&seed);

    return rc;
}

static int
check(const lp_args_t *args)
{
    static const unsigned of_api[] = {LP_LOAD_CLIENT, LP_LOAD_CLIENT_KEY,
                                      LP_LOAD_TOKEN_URL, LP_OPT_CA,
                                      LP_LOAD_BULK};
    const char *party = args->value[LP_OPT_PARTY];
    int64_t     bulk = 0;
    unsigned    i;

    if (args->value[LP_LOAD_API] != NULL
        && (args->value[LP_LOAD_CLIENT] == NULL
            || args->value[LP_LOAD_CLIENT_KEY] == NULL)) {
        return lp_args_refuse(args, "--api needs --client and --key");
    }
    for (i = 0; i < sizeof(of_api) / sizeof(of_api[0]); i++) {
        if (args->value[LP_LOAD_API] == NULL
            && args->value[of_api[i]] != NULL) {
            return lp_args_refuse(args, "--client, --key, --token-url, --ca "
                                        "and --bulk go with --api");
        }
    }
    if (party != NULL && args->value[LP_LOAD_API] != NULL) {
        return lp_args_refuse(args, "with --api the party is the client's");
    }
    if (party != NULL && !lp_oin_valid(lp_span_of(party))) {
        return lp_args_refuse(args, "--party is an OIN, 20 digits");
    }

    return lp_args_number(args, LP_LOAD_BULK, 100000, &bulk);
}

static int
open_all(lp_seed_t *seed, const lp_args_t *args)
{
    int rc = lp_holdings_load(&seed->holdings, args->operand,
                              args->value[LP_OPT_PEPPER]);

    if (rc != LP_YES) {
        return rc;
    }

    seed->holdings.sold = args->value[LP_LOAD_API] != NULL;
    if (args->value[LP_OPT_PARTY] != NULL) {
        seed->holdings.party = lp_span_of(args->value[LP_OPT_PARTY]);
    }

    rc = lp_store_of_args(&seed->store, args, TIMEOUT_MS);

    return rc == LP_YES ? lp_lanes_open(&seed->lanes, args) : rc;
}

/* Until it is whole, the mark says so: nothing is compared with half of it. */
static int
load(lp_seed_t *seed)
{
    const lp_population_t *population = seed->holdings.population;
    lp_rehearsed_t        *rehearsed = &seed->rehearsed;

    rehearsed->sold = seed->holdings.sold;
    rehearsed->whole = 0;
    rehearsed->at = (int64_t) time(NULL);
    snprintf(rehearsed->party, sizeof(rehearsed->party), "%.*s",
             (int) seed->holdings.party.len,
             seed->holdings.party.len > 0 ? seed->holdings.party.data : "");
    if (lp_rehearsed_write(rehearsed, seed->store, population) != 0
        || lp_seed_names(seed) != 0) {
        return -1;
    }

    if (!rehearsed->sold) {
        return lp_seed_straight(seed);
    }

    return (rehearsed->empty || clear_all(seed) == 0)
                   && lp_seed_sold(seed) == 0
               ? 0 : -1;
}

/* What a seller sends must not meet what a run made of it. */
static int
clear_all(lp_seed_t *seed)
{
    uint32_t i, n = lp_population_schools(seed->holdings.population);

    for (i = 0; i < n; i++) {
        if (lp_seed_clear(seed, i) != 0 || clear_people(seed, i) != 0) {
            return -1;
        }
    }

    return lp_lanes_finish(seed->lanes);
}

static int
clear_people(lp_seed_t *seed, uint32_t school)
{
    lp_person_t person;
    lp_class_t  class;
    uint32_t    number, end, i;

    lp_holdings_classes(&seed->holdings, school, &number, &end);
    for ( ; number < end; number++) {
        lp_population_class(seed->holdings.population, number, &class);
        for (i = 0; i < class.members; i++) {
            if (lp_holdings_person(&seed->holdings, &person, class.first + i)
                != 0) {
                lp_say("OpenSSL failed");
                return -1;
            }
            lp_store_add(lp_lanes_store(seed->lanes),
                         LP_WORDS(lp_span("DEL"), lp_person_key(&person)));
        }
        if (lp_lanes_turn(seed->lanes) != 0) {
            return -1;
        }
    }

    return 0;
}

/* From here on a run may be compared with what was before it. */
static int
remember(lp_seed_t *seed)
{
    const lp_population_t *population = seed->holdings.population;
    lp_usage_before_t      usage;
    char                   path[LP_FILE_MAX];
    int                    rc;

    if (lp_file_path(path, seed->args->operand, LP_TOLD_FILE) != 0) {
        return -1;
    }
    (void) unlink(path); /* of what verify --before noted, nothing is left */
    seed->rehearsed.whole = seed->refused == 0;
    rc = lp_usage_now(&usage, seed->store, lp_lanes_store(seed->lanes),
                      population, 0);
    if (rc == 0) {
        rc = lp_usage_before_write(&usage, seed->args->operand, population);
    }
    lp_usage_before_free(&usage);

    return rc == 0 && lp_rehearsed_write(&seed->rehearsed, seed->store,
                                         population) == 0
                   && write_seeded(seed) == 0
               ? 0 : -1;
}

static int
write_seeded(const lp_seed_t *seed)
{
    json_t *json;
    int     rc;

    json = json_pack("{s:s, s:I, s:I, s:I, s:I, s:f}", "by",
                     seed->rehearsed.sold ? "api" : "redis", "at",
                     (json_int_t) seed->rehearsed.at, "people",
                     (json_int_t) seed->people, "rights",
                     (json_int_t) seed->rights, "refused",
                     (json_int_t) seed->refused, "seconds", seed->seconds);
    rc = lp_json_file_write(seed->args->operand, "seeded.json", 0644, json,
                            JSON_INDENT(1));
    json_decref(json);

    return rc;
}

static void
close_all(lp_seed_t *seed)
{
    lp_holdings_free(&seed->holdings);
    lp_lanes_close(seed->lanes);
    lp_store_destroy(seed->store);
}
