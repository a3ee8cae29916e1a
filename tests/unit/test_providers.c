/*
 * Protects the reading of sso.json: what is wrong is refused by its name, a
 * file that turns wrong changes nothing, and what somebody holds lives on.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../sso/providers_file.h"

#define SITE(members)                                                          \
    "{\"publicUrl\":\"https://t.example\","                                    \
    "\"session\":{\"keyFile\":\"s.jwks\"}" members "}"

#define PROVIDERS(list) SITE(",\"providers\":[" list "]")

#define USERS ",\"users\":[{\"claim\":\"eckid\",\"idType\":\"ECK\"}]"

#define NAMED(name, members)                                                   \
    "{\"name\":\"" name "\",\"issuer\":\"https://" name ".example\","          \
    "\"clientId\":\"c\",\"authentication\":\"none\"" USERS members "}"

#define ONE(members) PROVIDERS(NAMED("a", members))

/* Without authentication and users. */
#define BARE(members)                                                          \
    PROVIDERS("{\"name\":\"a\",\"issuer\":\"https://a.example\","              \
              "\"clientId\":\"c\"" members "}")

static int
read_text(lp_providers_file_t *file, const char *text, char *reason)
{
    return lp_providers_file_read(file, lp_span_of(text), "/f", reason);
}

static void
assert_refused(const char *text, const char *expected)
{
    lp_providers_file_t file;
    char                reason[LP_CONF_REASON_MAX];

    assert_int_equal(read_text(&file, text, reason), -1);
    assert_null(file.sites.list);
    if (strncmp(reason, expected, strlen(expected)) != 0) {
        fail_msg("%s\nnot: %s\nfor: %s", reason, expected, text);
    }
}

static void
assert_taken(const char *text)
{
    lp_providers_file_t file;
    char                reason[LP_CONF_REASON_MAX];

    if (read_text(&file, text, reason) != 0) {
        fail_msg("%s: %s", reason, text);
    }
    lp_providers_file_free(&file);
}


static void
test_all_members_are_read(void **state)
{
    lp_providers_file_t  file;
    const lp_provider_t *p;
    char                 reason[LP_CONF_REASON_MAX];

    (void) state;

    assert_int_equal(read_text(&file,
        "{\"publicUrl\":\"https://t.example/\",\"clickPrefix\":\"/klik/\","
        "\"audience\":\"aud\",\"session\":{\"keyFile\":\"/k/s.jwks\","
        "\"tokenLifetime\":60,\"lifetime\":300,\"idle\":120},"
        "\"signInsPerMinute\":7,\"providers\":["
        "{\"name\":\"a\",\"title\":{\"nl\":\"Aa\",\"en\":\"Bb\"},"
        "\"issuer\":\"https://a.example/x\",\"clientId\":\"c\","
        "\"authentication\":\"client_secret_post\","
        "\"clientSecretFile\":\"a.secret\",\"keyFile\":\"/k/a.jwk\","
        "\"scope\":\"openid profile\","
        "\"parameters\":{\"acr_values\":\"x y\",\"max_age\":\"3600\"},"
        "\"userinfo\":true,"
        "\"users\":[{\"claim\":\"eckid\",\"idType\":\"ECK\"}],"
        "\"schools\":[{\"claim\":\"org\",\"idType\":\"OIE_CODE\"}],"
        "\"school\":\"S1\",\"schoolRequired\":true,"
        "\"employees\":[{\"claim\":\"aff\",\"value\":\"employee\"}],"
        "\"algorithms\":[\"ES256\",\"PS256\"],\"leeway\":0,"
        "\"portals\":[\"magister\",\"somtoday\"],"
        "\"serves\":[{\"school\":\"S1\",\"name\":\"De \xc3\x89\xc3\xa9n\"}],"
        "\"authorizationEndpoint\":\"https://a.example/auth?p=1\","
        "\"tokenEndpoint\":\"https://a.example/token\","
        "\"userinfoEndpoint\":\"https://a.example/me\","
        "\"endSessionEndpoint\":\"https://a.example/out\","
        "\"jwksUri\":\"http://127.0.0.1:1/jwks\"},"
        NAMED("b", "") "]}", reason), 0);

    assert_true(lp_span_equal(file.sites.public_url,
                              lp_span("https://t.example")));
    assert_true(lp_span_equal(file.sites.issuer, file.sites.public_url));
    assert_true(lp_span_equal(file.sites.audience, lp_span("aud")));
    assert_true(lp_span_equal(file.sites.click_prefix, lp_span("/klik/")));
    assert_string_equal(file.sites.session_key, "/k/s.jwks");
    assert_int_equal(file.sites.token_life, 60);
    assert_int_equal(file.sites.session_life, 300);
    assert_int_equal(file.sites.idle, 120);
    assert_int_equal(file.sites.per_minute, 7);
    assert_int_equal(file.sites.n, 2);

    p = lp_provider_by_name(&file.sites, lp_span("a"));
    assert_ptr_equal(p, &file.sites.list[0]);
    assert_ptr_equal(lp_provider_by_issuer(&file.sites,
                                           lp_span("https://a.example/x")), p);
    assert_true(lp_span_equal(p->title[LP_DUTCH], lp_span("Aa")));
    assert_true(lp_span_equal(p->title[LP_ENGLISH], lp_span("Bb")));
    assert_int_equal(p->auth, LP_AUTH_POST);
    assert_string_equal(p->secret_file, "/f/a.secret");
    assert_string_equal(p->key_file, "/k/a.jwk");
    assert_true(lp_span_equal(p->scope, lp_span("openid profile")));
    assert_int_equal(p->n_parameters, 2);
    assert_true(p->asks_age && p->auth_age == 3600);
    assert_true(lp_span_equal(p->parameters[0][0], lp_span("acr_values")));
    assert_true(lp_span_equal(p->parameters[0][1], lp_span("x y")));
    assert_int_equal(p->userinfo, 1);
    assert_int_equal(p->mapping.n_users, 1);
    assert_int_equal(p->mapping.n_schools, 1);
    assert_int_equal(p->mapping.n_employees, 1);
    assert_true(lp_span_equal(p->mapping.school, lp_span("S1")));
    assert_int_equal(p->school_needed, 1);
    assert_int_equal(p->algs.n, 2);
    assert_int_equal(p->algs.list[0], LP_ALG_ES256);
    assert_int_equal(p->leeway, 0);
    assert_int_equal(p->n_portals, 2);
    assert_true(lp_span_equal(p->portals[1], lp_span("somtoday")));
    assert_int_equal(p->n_serves, 1);
    assert_true(lp_span_equal(p->serves[0].school, lp_span("S1")));
    assert_true(lp_span_equal(p->authorization_endpoint,
                              lp_span("https://a.example/auth?p=1")));
    assert_true(p->token_endpoint.len > 0 && p->userinfo_endpoint.len > 0
                && p->end_session_endpoint.len > 0 && p->jwks_uri.len > 0);

    lp_providers_file_free(&file);
}


static void
test_what_is_absent_has_its_default(void **state)
{
    lp_providers_file_t  file;
    const lp_provider_t *p;
    char                 reason[LP_CONF_REASON_MAX];

    (void) state;

    assert_int_equal(read_text(&file, ONE(""), reason), 0);
    p = &file.sites.list[0];
    assert_true(lp_span_equal(file.sites.audience, file.sites.public_url));
    assert_true(lp_span_equal(file.sites.click_prefix, lp_span("/go/")));
    assert_string_equal(file.sites.session_key, "/f/s.jwks");
    assert_int_equal(file.sites.token_life, 900);
    assert_int_equal(file.sites.session_life, 28800);
    assert_int_equal(file.sites.idle, 0);
    assert_int_equal(file.sites.per_minute, 20000);
    assert_true(lp_span_equal(p->title[LP_ENGLISH], lp_span("a")));
    assert_true(lp_span_equal(p->scope, lp_span("openid")));
    assert_int_equal(p->auth, LP_AUTH_NONE);
    assert_int_equal(p->algs.n, 1);
    assert_int_equal(p->algs.list[0], LP_ALG_RS256);
    assert_int_equal(p->leeway, 60);
    assert_int_equal(p->school_needed, 0);
    lp_providers_file_free(&file);

    assert_taken(SITE(""));
    assert_taken(BARE(USERS ",\"clientSecretFile\":\"x\""));
    assert_taken(BARE(USERS ",\"authentication\":\"private_key_jwt\""));
    assert_taken(SITE(",\"clickPrefix\":\"/\""));
}


static void
test_the_site_is_checked(void **state)
{
    (void) state;

    assert_refused("", "it is not one JSON object");
    assert_refused("[]", "it is not one JSON object");
    assert_refused("{\n\"session\": {\"keyFile\": \"x\",}\n}",
                   "it is not one JSON object: look at line 2, and just ");
    assert_refused("{\"publicUrl\":1,\"publicUrl\":1}",
                   "a member is there twice");
    assert_refused("{}", "publicUrl: it is missing");
    assert_refused("{\"publicUrl\":\"http://t.example\"}", "publicUrl: ");
    assert_refused("{\"publicUrl\":\"https://t.example/x\"}", "publicUrl: ");
    assert_refused("{\"publicUrl\":\"https://t.example//\"}", "publicUrl: ");
    assert_refused("{\"publicUrl\":\"https://t.example?x\"}", "publicUrl: ");
    assert_refused("{\"publicUrl\":\"https://t.example\"}",
                   "session: it is missing");
    assert_refused("{\"publicUrl\":\"https://t.example\",\"session\":{}}",
                   "session.keyFile: it is missing");
    assert_refused("{\"publicUrl\":\"https://t.example\",\"session\":{"
                   "\"keyFile\":\"s\",\"lifetime\":600,"
                   "\"tokenLifetime\":900}}", "session.lifetime: ");
    assert_refused("{\"publicUrl\":\"https://t.example\",\"session\":{"
                   "\"keyFile\":\"s\",\"tokenLifetime\":59}}",
                   "session.tokenLifetime: 60 to 3600 seconds");
    assert_refused(SITE(",\"publicURL\":\"x\""),
                   "publicURL: there is no such member");
    assert_refused(SITE(",\"clickPrefix\":\"go/\""), "clickPrefix: ");
    assert_refused(SITE(",\"clickPrefix\":\"/go\""), "clickPrefix: ");
    assert_refused(SITE(",\"clickPrefix\":\"//\""), "clickPrefix: ");
    assert_refused(SITE(",\"clickPrefix\":\"/../\""), "clickPrefix: ");
    assert_refused(SITE(",\"clickPrefix\":\"/g?/\""), "clickPrefix: ");
    assert_refused(SITE(",\"signInsPerMinute\":0"),
                   "signInsPerMinute: 1 to 1000000 sign-ins are expected");
    assert_refused(SITE(",\"providers\":{}"), "providers: an array");
    assert_refused(PROVIDERS("1"), "providers[0]: an object");
}


static void
test_providers_are_checked(void **state)
{
    (void) state;

    assert_refused(PROVIDERS("{}"), "providers[0].name: it is missing");
    assert_refused(PROVIDERS("{\"name\":\"A b\"}"), "providers[0].name: a-z");
    assert_refused(PROVIDERS(NAMED("a", "") "," NAMED("a", "")),
                   "providers[1].name: it is there twice");
    assert_refused(PROVIDERS(NAMED("a", "") ",{\"name\":\"b\","
                             "\"issuer\":\"https://a.example\","
                             "\"clientId\":\"c\","
                             "\"authentication\":\"none\"" USERS "}"),
                   "providers[1].issuer: it is there twice");
    assert_refused(PROVIDERS("{\"name\":\"a\",\"issuer\":\"http://a.nl\"}"),
                   "providers[0].issuer: ");
    assert_refused(BARE(USERS), "providers[0].clientSecretFile: it is mis");
    assert_refused(BARE(USERS ",\"authentication\":\"secret\""),
                   "providers[0].authentication: ");
    assert_refused(BARE(USERS ",\"authentication\":4"),
                   "providers[0].authentication: ");
    assert_refused(BARE(",\"authentication\":\"none\""),
                   "providers[0].users: one is expected");
    assert_refused(ONE(",\"scope\":\"profile\""), "providers[0].scope: ");
    assert_refused(ONE(",\"scope\":\"openid  x\""), "providers[0].scope: ");
    assert_refused(ONE(",\"scope\":\"openidx\""), "providers[0].scope: ");
    assert_refused(ONE(",\"scope\":\" openid\""), "providers[0].scope: ");
    assert_refused(ONE(",\"userinfo\":1"), "providers[0].userinfo: true");
    assert_refused(ONE(",\"leeway\":301"), "providers[0].leeway: 0 to 300");
    assert_refused(ONE(",\"parameters\":[]"), "providers[0].parameters: ");
    assert_refused(ONE(",\"parameters\":{\"state\":\"x\"}"),
                   "providers[0].parameters: a name");
    assert_refused(ONE(",\"parameters\":{\"redirect_uri\":\"x\"}"),
                   "providers[0].parameters: a name");
    assert_refused(ONE(",\"parameters\":{\"max_age\":\"1h\"}"),
                   "providers[0].parameters: max_age: ");
    assert_refused(ONE(",\"parameters\":{\"max_age\":\"\"}"),
                   "providers[0].parameters: ");
    assert_refused(ONE(",\"parameters\":{\"max_age\":\"9999999999\"}"),
                   "providers[0].parameters: max_age: ");
    assert_refused(ONE(",\"parameters\":{\"\":\"x\"}"),
                   "providers[0].parameters: a name");
    assert_refused(ONE(",\"parameters\":{\"a\":1}"),
                   "providers[0].parameters: a text");
    assert_refused(ONE(",\"portals\":[\"a b\"]"), "providers[0].portals: ");
    assert_refused(ONE(",\"portals\":[1]"), "providers[0].portals: ");
    assert_refused(ONE(",\"serves\":[{\"school\":\"a b\",\"name\":\"x\"}]"),
                   "providers[0].serves[0].school: ");
    assert_refused(ONE(",\"serves\":[{\"school\":\"a\"}]"),
                   "providers[0].serves[0].name: it is missing");
    assert_refused(ONE(",\"tokenEndpoint\":\"http://a.nl/t\""),
                   "providers[0].tokenEndpoint: ");
    assert_refused(ONE(",\"authorizationEndpoint\":\"https://a.nl/t#x\""),
                   "providers[0].authorizationEndpoint: ");
    assert_refused(ONE(",\"jwksUri\":\"https://u@a.nl/\""),
                   "providers[0].jwksUri: ");
    assert_refused(BARE(",\"users\":[{\"claim\":\"a\"}]"),
                   "providers[0].users[0].idType: it is missing");
    assert_refused(ONE(",\"leeway\":1,\"leeway\":1"),
                   "a member is there twice");
}


static void
write_text(const char *path, const char *text)
{
    char  fresh[80];
    FILE *file;

    snprintf(fresh, sizeof(fresh), "%s.new", path);
    file = fopen(fresh, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(fresh, path), 0);
}

/* Asks until the file has been looked at again, which is once a second. */
static const lp_sites_t *
sites_with(lp_providers_t *providers, unsigned n)
{
    const lp_sites_t *sites;
    int               i;

    for (i = 0; i < 500; i++) {
        sites = lp_sites(providers);
        if (sites->n == n) {
            return sites;
        }
        usleep(10000);
    }
    fail_msg("never %u providers", n);
    return NULL;
}


static void
test_a_new_file_counts_and_a_broken_one_does_not(void **state)
{
    char              folder[] = "/tmp/leerpoort-test-XXXXXX";
    char              path[64];
    lp_providers_t   *providers;
    const lp_sites_t *held;
    const char       *reason;

    (void) state;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/sso.json", folder);

    assert_null(lp_providers_open(path, &reason));
    assert_non_null(strstr(reason, path));
    write_text(path, "{}");
    assert_null(lp_providers_open(path, &reason));
    assert_non_null(strstr(reason, "publicUrl: it is missing"));

    write_text(path, ONE(""));
    providers = lp_providers_open(path, &reason);
    assert_non_null(providers);
    held = lp_sites(providers);
    assert_int_equal(held->n, 1);

    write_text(path, PROVIDERS(NAMED("a", "") "," NAMED("b", "")));
    sites_with(providers, 2);
    assert_true(lp_span_equal(held->list[0].name, lp_span("a")));

    write_text(path, "{\"publicUrl\":3}");
    usleep(1100000);
    assert_int_equal(lp_sites(providers)->n, 2);
    write_text(path, SITE(""));
    sites_with(providers, 0);
    assert_true(lp_span_equal(held->list[0].name, lp_span("a")));

    lp_providers_close(providers);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}


static void
test_no_file_is_no_providers(void **state)
{
    lp_providers_t *providers;
    const char     *reason;

    (void) state;

    providers = lp_providers_open(NULL, &reason);
    assert_non_null(providers);
    assert_int_equal(lp_sites(providers)->n, 0);
    assert_int_equal(lp_sites(providers)->public_url.len, 0);
    assert_null(lp_provider_by_name(lp_sites(providers), lp_span("a")));
    lp_providers_close(providers);
    lp_providers_close(NULL);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_members_are_read),
        cmocka_unit_test(test_what_is_absent_has_its_default),
        cmocka_unit_test(test_the_site_is_checked),
        cmocka_unit_test(test_providers_are_checked),
        cmocka_unit_test(test_a_new_file_counts_and_a_broken_one_does_not),
        cmocka_unit_test(test_no_file_is_no_providers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
