/*
 * Protects the reading of parties.json: what is wrong is refused by its name,
 * and a file that turns wrong changes nothing.
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

#include "parties.h"
#include "parties_file.h"

#define OIN   "00000003123456780000"
#define OTHER "00000003876543210000"

#define WHOLE(members, parties)                                                \
    "{\"issuer\":\"https://i\",\"audience\":\"https://a\","                    \
    "\"tokenEndpoint\":\"https://i/oauth/token\"" members                      \
    ",\"parties\":[" parties "]}"

#define PARTY(members) "{\"oin\":\"" OIN "\",\"name\":\"N\"" members "}"

#define CLIENT(id) "{\"clientId\":\"" id "\",\"jwks\":\"c.json\"}"

static void
assert_refused(const char *text, const char *expected)
{
    lp_parties_file_t file;
    char              reason[LP_CONF_REASON_MAX];

    assert_int_equal(lp_parties_file_read(&file, lp_span_of(text), "/f",
                                          reason),
                     -1);
    if (strncmp(reason, expected, strlen(expected)) != 0) {
        fail_msg("%s\nnot: %s\nfor: %s", reason, expected, text);
    }
}

static void
assert_taken(const char *text)
{
    lp_parties_file_t file;
    char              reason[LP_CONF_REASON_MAX];

    if (lp_parties_file_read(&file, lp_span_of(text), "/f", reason) != 0) {
        fail_msg("%s: %s", reason, text);
    }
    lp_parties_file_free(&file);
}


static void
test_all_members_are_read(void **state)
{
    lp_parties_file_t  file;
    const lp_party_t  *party;
    const lp_client_t *client = NULL;
    char               reason[LP_CONF_REASON_MAX];

    (void) state;

    assert_int_equal(lp_parties_file_read(&file, lp_span(WHOLE(
        ",\"tokenLifetime\":21600",
        PARTY(",\"role\":\"r\",\"baseUrl\":\"https://p/api/\","
              "\"tokenUrl\":\"https://p/token\",\"clientId\":\"us\","
              "\"keyFile\":\"us.jwk\",\"scope\":\"a b\",\"clients\":["
              "{\"clientId\":\"x\",\"jwks\":\"/k/x.json\","
              "\"scopes\":[\"s1\",\"s2\"]}," CLIENT("y") "]")
        ",{\"oin\":\"" OTHER "\",\"name\":\"O\"}")), "/f", reason), 0);

    assert_int_equal(file.list.n, 2);
    assert_int_equal(file.list.token_lifetime, 21600);
    party = lp_party_by_oin(&file.list, lp_span(OIN));
    assert_ptr_equal(party, &file.list.list[0]);
    assert_true(lp_span_equal(party->base_url, lp_span("https://p/api")));
    assert_true(lp_span_equal(party->token_url, lp_span("https://p/token")));
    assert_true(lp_span_equal(party->scope, lp_span("a b")));
    assert_string_equal(party->key_file, "/f/us.jwk");

    assert_ptr_equal(lp_party_by_client(&file.list, lp_span("y"), &client),
                     party);
    assert_ptr_equal(client, &party->clients[1]);
    assert_int_equal(client->scopes.len, 0);
    assert_true(lp_span_equal(party->clients[0].scopes, lp_span("s1 s2")));
    assert_string_equal(file.jwks[0], "/k/x.json");
    assert_string_equal(file.jwks[1], "/f/c.json");

    assert_null(lp_party_by_oin(&file.list, lp_span("1")));
    assert_null(lp_party_by_client(&file.list, lp_span("us"), &client));

    lp_parties_file_free(&file);
}


static void
test_what_may_be_absent(void **state)
{
    (void) state;

    assert_taken("{}");
    assert_taken("{\"parties\":[]}");
    assert_taken("{\"parties\":[" PARTY("") "]}");
    assert_taken("{\"parties\":[" PARTY(",\"clients\":[]") "]}");
}


static void
test_wrong_members_are_named(void **state)
{
    (void) state;

    assert_refused("", "it is not one JSON object");
    assert_refused("[]", "it is not one JSON object");
    assert_refused("{\"parties\":[],\"parties\":[]}",
                   "a member is there twice");
    assert_refused("{\"partys\":[]}", "partys: there is no such member");
    assert_refused("{\"parties\":{}}", "parties: an array");
    assert_refused("{\"parties\":[1]}", "parties[0]: an object");
    assert_refused("{\"parties\":[{}]}", "parties[0].oin: it is missing");
    assert_refused("{\"parties\":[{\"oin\":\"1\"}]}",
                   "parties[0].oin: 20 digits");
    assert_refused("{\"parties\":[{\"oin\":\"0000000312345678000x\"}]}",
                   "parties[0].oin: 20 digits");
    assert_refused("{\"parties\":[{\"oin\":20}]}",
                   "parties[0].oin: 20 digits");
    assert_refused("{\"parties\":[{\"oin\":\"" OIN "\"}]}",
                   "parties[0].name: it is missing");
    assert_refused("{\"parties\":[" PARTY(",\"role\":\"a\\nb\"") "]}",
                   "parties[0].role: ");
    assert_refused("{\"parties\":[" PARTY("") "," PARTY("") "]}",
                   "parties[1].oin: it is there twice");
    assert_refused("{\"parties\":[" PARTY(",\"baseURL\":\"https://p\"") "]}",
                   "parties[0].baseURL: there is no such member");
    assert_refused(WHOLE(",\"tokenLifetime\":59", ""), "tokenLifetime: ");
    assert_refused(WHOLE(",\"tokenLifetime\":21601", ""), "tokenLifetime: ");
    assert_refused(WHOLE(",\"tokenLifetime\":\"60\"", ""), "tokenLifetime: ");
}


static void
test_urls(void **state)
{
    static const char *const good[] = {
        "https://p", "https://p/", "https://p.example:8443/api/v1",
        "http://127.0.0.1:8080", "http://localhost/x", "http://[::1]:80/",
    };
    static const char *const bad[] = {
        "http://p", "ftp://p", "//p", "p", "https://", "https:///x",
        "https://u@p", "https://p?x", "https://p/#x", "https://p x",
        "http://127.0.0.1.evil", "http://localhost@evil", "https://p:x",
        "HTTPS://p", "http://[::1", "https://p\\\\x",
    };
    unsigned i;
    char     text[256];

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(text, sizeof(text),
                 "{\"parties\":[{\"oin\":\"" OIN "\",\"name\":\"N\","
                 "\"baseUrl\":\"%s\"}]}", good[i]);
        assert_taken(text);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text),
                 "{\"parties\":[{\"oin\":\"" OIN "\",\"name\":\"N\","
                 "\"baseUrl\":\"%s\"}]}", bad[i]);
        assert_refused(text, "parties[0].baseUrl: ");
    }
}


static void
test_what_belongs_together(void **state)
{
    (void) state;

    assert_refused("{\"parties\":[" PARTY(",\"tokenUrl\":\"https://p\"") "]}",
                   "parties[0].clientId: it is missing");
    assert_refused("{\"parties\":[" PARTY(",\"tokenUrl\":\"https://p\","
                                          "\"clientId\":\"x\"") "]}",
                   "parties[0].keyFile: it is missing");
    assert_refused("{\"parties\":[" PARTY(",\"clients\":[" CLIENT("x") "]")
                   "]}", "issuer: it is missing");
    assert_refused(WHOLE("", PARTY(",\"clients\":[" CLIENT("x") ","
                                   CLIENT("x") "]")),
                   "parties[0].clients[1].clientId: it is there twice");
    assert_refused(WHOLE("", PARTY(",\"clients\":[{\"clientId\":\"x\"}]")),
                   "parties[0].clients[0].jwks: ");
    assert_refused(WHOLE("", PARTY(",\"clients\":[{\"clientId\":\"x\","
                                   "\"jwks\":\"j\",\"scopes\":[\"a b\"]}]")),
                   "parties[0].clients[0].scopes: ");
    assert_refused(WHOLE("", PARTY(",\"scope\":\"a  b\"")),
                   "parties[0].scope: ");
}


static void
write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}


static void
test_no_file_is_no_parties(void **state)
{
    lp_parties_t *parties;
    const char   *reason;

    (void) state;

    parties = lp_parties_open(NULL, &reason);
    assert_non_null(parties);
    assert_int_equal(lp_parties(parties)->n, 0);
    lp_parties_close(parties);

    assert_null(lp_parties_open("/none/at/all", &reason));
    assert_non_null(reason);
}


static void
test_a_client_without_keys_is_known_all_the_same(void **state)
{
    char               folder[] = "/tmp/leerpoort-test-XXXXXX";
    char               path[64];
    lp_parties_t      *parties;
    const char        *reason;
    const lp_client_t *client = NULL;

    (void) state;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/parties.json", folder);

    write_text(path, "{\"parties\":[{}]}");
    assert_null(lp_parties_open(path, &reason));
    assert_non_null(strstr(reason, "parties[0].oin: it is missing"));

    write_text(path, WHOLE("", PARTY(",\"clients\":[" CLIENT("x") "]")));
    parties = lp_parties_open(path, &reason);
    assert_non_null(parties);
    assert_non_null(lp_party_by_client(lp_parties(parties), lp_span("x"),
                                       &client));
    assert_null(client->keys);
    lp_parties_close(parties);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_members_are_read),
        cmocka_unit_test(test_what_may_be_absent),
        cmocka_unit_test(test_wrong_members_are_named),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_what_belongs_together),
        cmocka_unit_test(test_no_file_is_no_parties),
        cmocka_unit_test(test_a_client_without_keys_is_known_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
