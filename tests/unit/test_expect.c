/*
 * Protects the judge: a request that is what a browser would send, and an
 * expectation that the edge's own code agrees with. Tokens are minted for real,
 * into a folder, as the command does it.
 */

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../core/target.h"
#include "../../core/token.h"
#include "../../loadtest/expect.h"
#include "../../loadtest/issuer.h"
#include "../../loadtest/mint.h"
#include "../../loadtest/mix.h"
#include "../../loadtest/population_file.h"

#define PUPILS 1500

static char             folder[] = "/tmp/leerpoort-unit-XXXXXX";
static lp_population_t *population;
static lp_plan_t        plan;
static const lp_wire_t  wire = {"toegang.example:8443", "/go/", ""};
static const lp_wire_t  with_login = {"h", "/x/", "https://login.example/?r="};

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void) st;
    (void) flag;
    (void) ftw;
    return remove(path);
}

static int
make_population(void **state)
{
    const lp_mint_t mint = {.jobs = 2, .life = 3600, .now = -1};
    lp_census_t     census = {.seed = 5, .pupils = PUPILS, .products = 60,
                              .zipf = 0.5, .day = 20260901,
                              .algs = "ES256:2,EdDSA,RS256"};
    lp_population_t *people;

    (void) state;

    lp_mix_usual(census.share);
    people = lp_population_of(&census);
    if (mkdtemp(folder) == NULL || people == NULL
        || lp_census_write(people, folder) != 0
        || lp_issuer_make(folder, &census) != 0
        || lp_mint(folder, people, &mint, 0) != 0) {
        return -1;
    }
    lp_population_close(people);
    population = lp_population_open(folder);
    return population == NULL ? -1 : 0;
}

static int
remove_population(void **state)
{
    (void) state;

    lp_population_close(population);
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static lp_arrival_t
click_of(uint32_t member, unsigned slot)
{
    lp_arrival_t arrival = {.member = member, .slot = (uint8_t) slot};

    return arrival;
}

/* A click on a product that takes a path, or takes none; the first there is. */
static lp_arrival_t
click_where(int deep, lp_hold_t hold)
{
    uint32_t member, product;
    unsigned slot;

    for (member = 1; member < lp_population_members(population); member++) {
        for (slot = 0; slot < LP_SHELF; slot++) {
            product = lp_population_shelf(population, member / 26, slot);
            if (lp_population_deep(population, product) == deep
                && lp_population_hold(population, member, slot) == hold) {
                return click_of(member, slot);
            }
        }
    }
    fail_msg("nobody holds %s", lp_hold_name(hold));
    return click_of(0, 0);
}

static uint32_t
product_of(const lp_arrival_t *arrival)
{
    return lp_population_shelf(population, arrival->member / 26,
                               arrival->slot);
}

static char *
request_of(const lp_arrival_t *arrival)
{
    static char text[LP_REQUEST_MAX + 1];
    size_t      len;

    len = lp_request_write(text, &wire, &plan, population, arrival);
    assert_in_range(len, 1, LP_REQUEST_MAX);
    text[len] = '\0';
    return text;
}

/* What a request's token is, in a place of its own. */
static lp_span_t
token_in(const char *request)
{
    static char token[LP_REQUEST_MAX];
    const char *found = strstr(request, "Bearer ");
    size_t      len;

    assert_non_null(found);
    len = strcspn(found + 7, "\r");
    memcpy(token, found + 7, len);
    return (lp_span_t) {token, len};
}

static void
test_a_request_is_to_the_letter(void **state)
{
    lp_arrival_t arrival = click_where(0, LP_HOLD_LICENSED);
    lp_span_t    token = lp_population_token(population, arrival.member);
    char         expected[LP_REQUEST_MAX], id[LP_NAME_MAX];

    (void) state;

    lp_population_product_id(population, id, product_of(&arrival));
    snprintf(expected, sizeof(expected),
             "GET /go/%s HTTP/1.1\r\nHost: toegang.example:8443\r\n"
             "User-Agent: leerpoort-load\r\nAccept: */*\r\n"
             "Authorization: Bearer %.*s\r\n\r\n",
             id, (int) token.len, token.data);
    assert_string_equal(request_of(&arrival), expected);
    arrival.path = 1; /* which this product does not take */
    arrival.number = 7;
    assert_string_equal(request_of(&arrival), expected);
    arrival.fresh = 1; /* HTTP/1.1 keeps it open anyway */
    assert_string_equal(request_of(&arrival), expected);

    plan.tokens.cookie = 1;
    snprintf(expected, sizeof(expected), "Cookie: leerpoort=%.*s\r\n\r\n",
             (int) token.len, token.data);
    assert_non_null(strstr(request_of(&arrival), expected));
    assert_null(strstr(request_of(&arrival), "Authorization"));
    plan.tokens.cookie = 0;
}

static void
test_no_token_and_unknown_products(void **state)
{
    lp_arrival_t arrival = click_where(1, LP_HOLD_LICENSED);
    char        *text;

    (void) state;

    arrival.token = LP_TOKEN_NONE;
    text = request_of(&arrival);
    assert_null(strstr(text, "Authorization"));
    assert_null(strstr(text, "Cookie"));
    assert_non_null(strstr(text, "Accept: */*\r\n\r\n"));

    arrival = click_of(30, LP_SLOT_UNKNOWN);
    arrival.number = 4294967295U;
    arrival.path = 1;
    text = request_of(&arrival);
    assert_memory_equal(text, "GET /go/load-x-4294967295 HTTP/1.1\r\n", 36);
}

static void
test_without_tokens_there_is_no_request(void **state)
{
    lp_population_t *people
        = lp_population_of(lp_population_census(population));
    lp_arrival_t     arrival = click_of(30, 0);
    char             text[LP_REQUEST_MAX];

    (void) state;

    assert_int_equal(lp_population_tokens_until(people), 0);
    assert_int_equal(lp_request_write(text, &wire, &plan, people, &arrival),
                     0);
    arrival.token = LP_TOKEN_EXPIRED;
    assert_int_equal(lp_request_write(text, &wire, &plan, people, &arrival),
                     0);
    arrival.token = LP_TOKEN_NONE;
    assert_int_not_equal(
        lp_request_write(text, &wire, &plan, people, &arrival), 0);
    lp_population_close(people);
}

/* The edge's reader of clicks and its writer of Locations, on what we send. */
static void
assert_path_agrees(lp_arrival_t *arrival, uint32_t number)
{
    const lp_hosts_t any = {NULL, 0};
    char             deep[LP_URL_MAX + 8], url[LP_URL_MAX];
    char             location[LP_LOCATION_MAX], id[LP_NAME_MAX];
    const char      *below;
    lp_expected_t    expected;
    lp_click_t       click;
    size_t           len;

    arrival->number = number;
    arrival->path = 1;
    below = request_of(arrival) + strlen("GET /go/");
    assert_int_equal(lp_click_parse(&click, (lp_span_t) {
                                        below, strcspn(below, " ")}), 0);
    lp_population_product_id(population, id, product_of(arrival));
    assert_true(lp_span_equal(click.product, lp_span_of(id)));
    assert_in_range(click.path.len, 3, LP_PATH_MAX);

    lp_population_url(population, url, product_of(arrival));
    snprintf(deep, sizeof(deep), "%s/{path}", url);
    assert_int_equal(lp_target_fill(location, &len, lp_span_of(deep),
                                    click.path, &any), LP_TARGET_OK);
    lp_expect(&expected, &wire, population, arrival);
    assert_int_equal(expected.outcome, LP_REDIRECT);
    assert_int_equal(expected.status, 302);
    assert_true(lp_span_equal((lp_span_t) {expected.location,
                                           expected.location_len},
                              (lp_span_t) {location, len}));
}

static void
test_every_path_is_one_and_leads_where_the_edge_says(void **state)
{
    lp_arrival_t arrival = click_where(1, LP_HOLD_LICENSED);
    uint32_t     number;

    (void) state;

    for (number = 0; number < 3000; number++) {
        assert_path_agrees(&arrival, number);
        assert_path_agrees(&arrival, UINT32_MAX - number);
        assert_path_agrees(&arrival, number * 1432111U);
    }
}

static void
assert_expected(const lp_wire_t *target, lp_arrival_t arrival,
                lp_outcome_t outcome, unsigned status, int activates)
{
    lp_expected_t expected;

    memset(&expected, 0xff, sizeof(expected));
    lp_expect(&expected, target, population, &arrival);
    assert_int_equal(expected.outcome, outcome);
    assert_int_equal(expected.status, status);
    assert_int_equal(expected.activates, activates);
    assert_int_equal(expected.location_len > 0, status == 302);
}

static void
test_every_hold_has_its_end(void **state)
{
    static const struct {
        lp_hold_t    hold;
        lp_outcome_t outcome;
        unsigned     status;
        int          activates;
    } ends[] = {
        {LP_HOLD_LICENSED, LP_REDIRECT, 302, 0},
        {LP_HOLD_SET, LP_REDIRECT, 302, 0},
        {LP_HOLD_FREE, LP_REDIRECT, 302, 0},
        {LP_HOLD_ENTITLED, LP_REDIRECT, 302, 1},
        {LP_HOLD_OPEN, LP_REDIRECT, 302, 1},
        {LP_HOLD_NONE, LP_NO_RIGHT, 403, 0},
        {LP_HOLD_NOT_YET, LP_NOT_YET, 403, 0},
        {LP_HOLD_ENDED, LP_ENDED, 403, 0},
        {LP_HOLD_BLOCKED, LP_BLOCKED_OUT, 403, 0},
    };
    lp_arrival_t arrival;
    unsigned     i;

    (void) state;

    assert_int_equal(sizeof(ends) / sizeof(ends[0]), LP_HOLDS);
    for (i = 0; i < LP_HOLDS; i++) {
        arrival = click_where(1, ends[i].hold);
        assert_expected(&wire, arrival, ends[i].outcome, ends[i].status,
                        ends[i].activates);
        /* whatever is held, the token comes first */
        arrival.token = LP_TOKEN_FORGED;
        assert_expected(&wire, arrival, LP_BAD_TOKEN, 401, 0);
        arrival.token = LP_TOKEN_EXPIRED;
        assert_expected(&wire, arrival, LP_LOGIN, 401, 0);
        arrival.token = LP_TOKEN_NONE;
        assert_expected(&with_login, arrival, LP_LOGIN, 302, 0);
    }
    arrival = click_of(3, LP_SLOT_UNKNOWN);
    assert_expected(&wire, arrival, LP_UNKNOWN_PRODUCT, 404, 0);
    arrival.token = LP_TOKEN_FORGED;
    assert_expected(&wire, arrival, LP_BAD_TOKEN, 401, 0);
}

static void
test_a_login_is_expected_by_its_beginning(void **state)
{
    lp_arrival_t  arrival = click_of(3, 0);
    lp_expected_t expected;

    (void) state;

    arrival.token = LP_TOKEN_EXPIRED;
    lp_expect(&expected, &with_login, population, &arrival);
    assert_true(lp_span_equal((lp_span_t) {expected.location,
                                           expected.location_len},
                              lp_span_of(with_login.login)));
}

/* Tokens, by the edge's own verifier. */

static lp_jwks_t *
read_keys(lp_issuer_t *issuer)
{
    static char text[LP_JWKS_TEXT_MAX];
    char        path[LP_FILE_MAX];
    const char *reason = NULL;
    FILE       *file;
    size_t      len;
    lp_jwks_t  *keys;

    assert_int_equal(lp_file_path(path, folder, "jwks.json"), 0);
    file = fopen(path, "r");
    assert_non_null(file);
    len = fread(text, 1, sizeof(text), file);
    fclose(file);
    keys = lp_jwks_parse((lp_span_t) {text, len}, &lp_algs_token, NULL, NULL,
                         &reason);
    assert_non_null(keys);
    assert_int_equal(lp_jwks_count(keys), 3);

    memset(issuer, 0, sizeof(*issuer));
    issuer->iss = lp_span(LP_ISSUER_NAME);
    issuer->audiences[0] = lp_span(LP_AUDIENCE_NAME);
    issuer->n_audiences = 1;
    issuer->algs = lp_algs_token;
    issuer->users[0] = (lp_claim_t) {lp_span("eckid"), lp_span("ECK")};
    issuer->users[1] = (lp_claim_t) {lp_span("sub"), lp_span("NEPPI")};
    issuer->n_users = 2;
    issuer->schools[0] = (lp_claim_t) {lp_span("org"), lp_span("MASTER")};
    issuer->schools[1] = (lp_claim_t) {lp_span("brin"), lp_span("OIE_CODE")};
    issuer->n_schools = 2;
    issuer->keys = keys;
    return keys;
}

/* Reads what a token says; name and id: whose it has to be, unless NULL. */
static lp_jose_error_t
verify(lp_span_t text, const lp_issuer_t *issuer, uint32_t member)
{
    static lp_token_t token;
    char              name[LP_PERSON_MAX];
    lp_jose_error_t   error;
    lp_class_t        class;

    error = lp_token_open(&token, text);
    if (error == LP_JOSE_OK) {
        error = lp_token_check(&token, issuer, (int64_t) time(NULL));
    }
    if (error == LP_JOSE_OK) {
        assert_int_equal(token.n_users, 1);
        lp_population_person(population, name, member);
        assert_true(lp_span_equal(token.users[0].id, lp_span_of(name)));
        assert_true(lp_span_equal(
            token.users[0].id_type,
            lp_span_of(lp_population_id_type(population, member))));
        assert_int_equal(token.employee,
                         lp_population_teaches(population, member));
        lp_population_class(population, member / 26, &class);
        if (lp_population_alias(population, name, class.school) == 0) {
            lp_population_school_id(population, name, class.school);
            assert_true(lp_span_equal(token.school.id_type,
                                      lp_span("MASTER")));
        }
        assert_true(lp_span_equal(token.school.id, lp_span_of(name)));
    }
    lp_token_close(&token);
    return error;
}

static void
test_good_tokens_are_believed_and_name_their_member(void **state)
{
    lp_issuer_t  issuer;
    lp_jwks_t   *keys = read_keys(&issuer);
    lp_arrival_t arrival;
    uint32_t     member;

    (void) state;

    assert_true(lp_population_tokens_until(population) > time(NULL));
    for (member = 0; member < lp_population_members(population); member++) {
        arrival = click_of(member, 0);
        assert_int_equal(verify(token_in(request_of(&arrival)), &issuer,
                                member), LP_JOSE_OK);
    }
    lp_jwks_free(keys);
}

static void
test_expired_tokens_have_only_expired(void **state)
{
    lp_issuer_t  issuer;
    lp_jwks_t   *keys = read_keys(&issuer);
    lp_arrival_t arrival = click_of(1, 0);
    uint32_t     n = lp_population_expired(population), i;

    (void) state;

    assert_int_equal(n, 64);
    arrival.token = LP_TOKEN_EXPIRED;
    for (i = 0; i < n; i++) {
        arrival.number = i + n * 1000;
        assert_true(lp_span_equal(token_in(request_of(&arrival)),
                                  lp_population_expired_token(population,
                                                              i)));
        assert_int_equal(verify(token_in(request_of(&arrival)), &issuer, 0),
                         LP_JOSE_EXPIRED);
    }
    lp_jwks_free(keys);
}

/* A forged token is well-formed, and its signature never right. */
static void
test_forged_tokens_fail_by_their_signature_alone(void **state)
{
    lp_issuer_t  issuer;
    lp_jwks_t   *keys = read_keys(&issuer);
    lp_arrival_t arrival = click_of(0, 0);
    lp_span_t    good, forged;
    uint32_t     i;

    (void) state;

    arrival.token = LP_TOKEN_FORGED;
    for (i = 0; i < 3000; i++) {
        arrival.member = i % lp_population_members(population);
        arrival.number = i < 1500 ? i : i * 2654435761U;
        forged = token_in(request_of(&arrival));
        good = lp_population_token(population, arrival.member);
        assert_int_equal(forged.len, good.len);
        assert_memory_not_equal(forged.data, good.data, good.len);
        assert_int_equal(verify(forged, &issuer, 0), LP_JOSE_SIGNATURE);
    }
    lp_jwks_free(keys);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_to_the_letter),
        cmocka_unit_test(test_no_token_and_unknown_products),
        cmocka_unit_test(test_without_tokens_there_is_no_request),
        cmocka_unit_test(
            test_every_path_is_one_and_leads_where_the_edge_says),
        cmocka_unit_test(test_every_hold_has_its_end),
        cmocka_unit_test(test_a_login_is_expected_by_its_beginning),
        cmocka_unit_test(test_good_tokens_are_believed_and_name_their_member),
        cmocka_unit_test(test_expired_tokens_have_only_expired),
        cmocka_unit_test(test_forged_tokens_fail_by_their_signature_alone),
    };

    return cmocka_run_group_tests(tests, make_population, remove_population);
}
