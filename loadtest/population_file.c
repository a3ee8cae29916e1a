/*
 * population.json, and the opening of a folder. The people are not in it: they
 * are made again from the census, and the counts that stand beside it tell a
 * program that would make others.
 */

#include "population_file.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../core/day.h"
#include "../workers/input.h"
#include "../workers/say.h"
#include "json_file.h"
#include "mix.h"
#include "new_file.h"
#include "population_inside.h"
#include "token_algs.h"

#define VERSION  1
#define TEXT_MAX (256 * 1024) /* bytes of population.json, jwks.json */
#define REALS    JSON_REAL_PRECISION(15) /* more than anybody typed */

/* The census as JSON. */

static json_t *
mix_json(const lp_census_t *census)
{
    json_t  *mix = json_object();
    unsigned hold;

    for (hold = 0; hold < LP_HOLDS; hold++) {
        if (lp_mix_has((lp_hold_t) hold)) {
            json_object_set_new(mix, lp_hold_name((lp_hold_t) hold),
                                json_real(census->share[hold]));
        }
    }
    return mix;
}

static json_t *
census_json(const lp_census_t *census)
{
    return json_pack("{s:i, s:I, s:I, s:I, s:f, s:I, s:o, s:s}", "version",
                     VERSION, "seed", (json_int_t) census->seed, "pupils",
                     (json_int_t) census->pupils, "products",
                     (json_int_t) census->products, "zipf", census->zipf,
                     "day", (json_int_t) census->day, "mix", mix_json(census),
                     "alg", census->algs);
}

/* Reading it. Each returns 0, or -1 after lp_say(). */

static int
refuse(const char *path, const char *field, const char *allowed)
{
    lp_say("%s: \"%s\" must be %s", path, field, allowed);
    return -1;
}

static int
read_whole(const json_t *object, const char *path, const char *field,
           json_int_t most, json_int_t *number)
{
    const json_t *value = json_object_get(object, field);

    if (!json_is_integer(value) || json_integer_value(value) < 0
        || json_integer_value(value) > most) {
        return refuse(path, field, "a whole number that it allows");
    }
    *number = json_integer_value(value);
    return 0;
}

static int
read_mix(const json_t *object, const char *path, lp_census_t *census)
{
    const json_t *mix = json_object_get(object, "mix"), *share;
    unsigned      hold;

    for (hold = 0; hold < LP_HOLDS; hold++) {
        if (!lp_mix_has((lp_hold_t) hold)) {
            continue;
        }
        share = json_object_get(mix, lp_hold_name((lp_hold_t) hold));
        if (!json_is_number(share)) {
            return refuse(path, "mix", "an object with a share of each hold");
        }
        census->share[hold] = json_number_value(share);
    }
    return 0;
}

static int
read_texts(const json_t *object, const char *path, lp_census_t *census)
{
    const json_t *zipf = json_object_get(object, "zipf");
    const char   *algs = json_string_value(json_object_get(object, "alg"));
    size_t        len = algs == NULL ? 0 : strlen(algs);

    if (!json_is_number(zipf)) {
        return refuse(path, "zipf", "a number");
    }
    if (len == 0 || len >= sizeof(census->algs)) {
        return refuse(path, "alg", "names of algorithms");
    }
    census->zipf = json_number_value(zipf);
    memcpy(census->algs, algs, len + 1);
    return read_mix(object, path, census);
}

static int
read_census(lp_census_t *census, const char *path, const json_t *object)
{
    json_int_t seed, pupils, products, day, version;

    memset(census, 0, sizeof(*census));
    if (read_whole(object, path, "version", INT32_MAX, &version) != 0) {
        return -1;
    }
    if (version != VERSION) {
        lp_say("%s is of another version of leerpoort-load", path);
        return -1;
    }
    if (read_whole(object, path, "seed", LP_SEED_MAX, &seed) != 0
        || read_whole(object, path, "pupils", LP_PUPILS_MAX, &pupils) != 0
        || read_whole(object, path, "products", LP_PRODUCTS_MAX, &products)
               != 0
        || read_whole(object, path, "day", 99991231, &day) != 0
        || read_texts(object, path, census) != 0) {
        return -1;
    }
    census->seed = (uint64_t) seed;
    census->pupils = (uint32_t) pupils;
    census->products = (uint32_t) products;
    census->day = (uint32_t) day;
    return 0;
}

static int
read_file(lp_census_t *census, const char *path)
{
    json_t     *object = lp_json_file_read(path, TEXT_MAX);
    const char *fault;
    int         rc;

    if (object == NULL) {
        return -1;
    }
    rc = read_census(census, path, object);
    json_decref(object);
    if (rc == 0) {
        fault = lp_census_fault(census);
        if (fault[0] != '\0') {
            lp_say("%s: %s", path, fault);
            return -1;
        }
    }
    return rc;
}

int
lp_census_read(lp_census_t *census, const char *dir)
{
    char path[LP_FILE_MAX];

    if (lp_file_path(path, dir, "population.json") != 0) {
        return -1;
    }
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return 1;
    }
    return read_file(census, path);
}

const char *
lp_census_fault(const lp_census_t *census)
{
    lp_token_algs_t algs;

    if (census->pupils < 1 || census->pupils > LP_PUPILS_MAX) {
        return "pupils: from 1 to 20000000";
    }
    if (census->products < LP_PRODUCTS_MIN
        || census->products > LP_PRODUCTS_MAX) {
        return "products: from 20 to 100000";
    }
    if (!(census->zipf >= 0 && census->zipf <= LP_ZIPF_MAX)) {
        return "zipf: from 0 to 3";
    }
    if (!lp_day_valid(census->day)) {
        return "day: a day of the calendar, YYYYMMDD";
    }
    if (lp_token_algs_read(&algs, census->algs) != 0) {
        return "alg: " LP_TOKEN_ALGS_ALLOWED;
    }
    return lp_mix_fault(census->share);
}

const char *
lp_census_differs(const lp_census_t *a, const lp_census_t *b)
{
    unsigned hold;

    if (a->seed != b->seed) {
        return "seed";
    }
    if (a->pupils != b->pupils) {
        return "pupils";
    }
    if (a->products != b->products) {
        return "products";
    }
    if (a->zipf != b->zipf) {
        return "zipf";
    }
    if (a->day != b->day) {
        return "day";
    }
    if (strcmp(a->algs, b->algs) != 0) {
        return "alg";
    }
    for (hold = 0; hold < LP_HOLDS; hold++) {
        if (lp_mix_has((lp_hold_t) hold)
            && a->share[hold] != b->share[hold]) {
            return "mix";
        }
    }
    return NULL;
}

/* Writing it. */

static json_t *
population_json(const lp_population_t *population)
{
    json_t *object = census_json(&population->census), *mix;

    mix = json_object_get(object, "mix");
    if (mix == NULL
        || json_object_set_new(object, "schools",
                               json_integer(population->schools)) != 0
        || json_object_set_new(object, "classes",
                               json_integer(population->classes)) != 0
        || json_object_set_new(object, "members",
                               json_integer(population->members)) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

int
lp_census_write(const lp_population_t *population, const char *dir)
{
    json_t *object = population_json(population);
    int     rc = lp_json_file_write(dir, "population.json", 0644, object,
                                    JSON_INDENT(2) | REALS);

    json_decref(object);
    return rc;
}

/* The stamp of tokens. */

int
lp_population_stamp(unsigned char *stamp, const lp_census_t *census,
                    const char *dir)
{
    json_t     *object;
    EVP_MD_CTX *ctx;
    lp_input_t  jwks;
    const char *odd;
    char        path[LP_FILE_MAX], *text;
    int         ok;

    if (lp_file_path(path, dir, "jwks.json") != 0) {
        return -1;
    }
    odd = lp_file_odd(path);
    if (odd != NULL) {
        lp_say("%s %s", path, odd);
    }
    if (odd != NULL || lp_input_file(&jwks, path, TEXT_MAX) != 0) {
        return -1;
    }
    object = census_json(census);
    text = object == NULL
               ? NULL
               : json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS | REALS);
    ctx = EVP_MD_CTX_new();
    ok = text != NULL && ctx != NULL
         && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1
         && EVP_DigestUpdate(ctx, text, strlen(text)) == 1
         && EVP_DigestUpdate(ctx, jwks.bytes, jwks.len) == 1
         && EVP_DigestFinal_ex(ctx, stamp, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    free(text);
    json_decref(object);
    lp_input_free(&jwks);
    if (!ok) {
        lp_say("out of memory");
    }
    return ok ? 0 : -1;
}

/* Opening. */

static int
check_counts(const lp_population_t *population, const char *dir)
{
    char          path[LP_FILE_MAX];
    const json_t *value;
    json_t       *object;
    int           same;

    if (lp_file_path(path, dir, "population.json") != 0) {
        return -1;
    }
    object = lp_json_file_read(path, TEXT_MAX);
    if (object == NULL) {
        return -1;
    }
    value = json_object_get(object, "schools");
    same = json_integer_value(value) == population->schools;
    value = json_object_get(object, "classes");
    same &= json_integer_value(value) == population->classes;
    value = json_object_get(object, "members");
    same &= json_integer_value(value) == population->members;
    json_decref(object);
    if (!same) {
        lp_say("%s counts other schools, classes or members than this program"
               " makes of it: another version made it", path);
        return -1;
    }
    return 0;
}

static int
check_tokens(const lp_token_file_t *file, const char *path,
             const lp_census_t *census, const unsigned char *stamp)
{
    if (file->head.seed != census->seed) {
        lp_say("%s holds tokens of another seed: %" PRIu64 ", and the"
               " population's is %" PRIu64, path, file->head.seed,
               census->seed);
        return -1;
    }
    if (file->head.pupils != census->pupils) {
        lp_say("%s holds tokens of %" PRIu32 " pupils, and the population has"
               " %" PRIu32, path, file->head.pupils, census->pupils);
        return -1;
    }
    if (memcmp(file->head.stamp, stamp, LP_STAMP_BYTES) != 0) {
        lp_say("%s was minted for another census or with other keys;"
               " leerpoort-load mint mints it anew", path);
        return -1;
    }
    return 0;
}

static int
open_tokens(lp_token_file_t *file, const char *dir, const char *name,
            uint32_t kind, const lp_census_t *census)
{
    unsigned char stamp[LP_STAMP_BYTES];
    char          path[LP_FILE_MAX];
    int           rc;

    if (lp_file_path(path, dir, name) != 0) {
        return -1;
    }
    rc = lp_token_file_open(file, path, 0);
    if (rc != 0) {
        return rc == 1 ? 0 : -1;
    }
    if (lp_population_stamp(stamp, census, dir) != 0) {
        return -1;
    }
    if (file->head.kind != kind) {
        lp_say("%s is not what its name says", path);
        return -1;
    }
    return check_tokens(file, path, census, stamp);
}

static int
open_files(lp_population_t *population, const char *dir)
{
    const lp_census_t *census = &population->census;
    uint32_t           slots;

    if (check_counts(population, dir) != 0
        || open_tokens(&population->tokens, dir, "tokens.bin", LP_TOKENS_GOOD,
                       census) != 0
        || open_tokens(&population->expired, dir, "expired.bin",
                       LP_TOKENS_EXPIRED, census) != 0) {
        return -1;
    }
    slots = population->tokens.map == NULL ? population->members
                                           : population->tokens.head.slots;
    if (slots != population->members) {
        lp_say("%s/tokens.bin is damaged: it has no slot for each member",
               dir);
        return -1;
    }
    return 0;
}

lp_population_t *
lp_population_open(const char *dir)
{
    lp_population_t *population;
    lp_census_t      census;
    int              rc;

    rc = lp_census_read(&census, dir);
    if (rc == 1) {
        lp_say("%s holds no population: leerpoort-load population makes one",
               dir);
    }
    if (rc != 0) {
        return NULL;
    }
    population = lp_population_of(&census);
    if (population == NULL) {
        lp_say("out of memory");
        return NULL;
    }
    if (open_files(population, dir) != 0) {
        lp_population_close(population);
        return NULL;
    }
    return population;
}
