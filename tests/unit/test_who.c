/*
 * Protects who somebody is: only ids that can be ones come out of claims, each
 * of one type once, and what is written for the session is read as the same
 * person.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../sso/who.h"
#include "minting.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HASH  HEX64 HEX64
#define ECK   "https://ketenid.nl/201703/" HASH

static lp_mapping_t mapping;
static lp_who_t     who;

static int
set_up(void **state)
{
    (void) state;
    memset(&mapping, 0, sizeof(mapping));
    memset(&who, 0, sizeof(who));
    mapping.users[0] = (lp_mapped_t) {.path = lp_span("eckid"),
                                      .id_type = lp_span("ECK")};
    mapping.users[1] = (lp_mapped_t) {.path = lp_span("custom.id"),
                                      .id_type = lp_span("NEPPI")};
    mapping.users[2] = (lp_mapped_t) {.path = lp_span("uid"),
                                      .id_type = lp_span("UID")};
    mapping.users[3] = (lp_mapped_t) {.path = lp_span("other"),
                                      .id_type = lp_span("OTHER")};
    mapping.n_users = 4;
    mapping.schools[0] = (lp_mapped_t) {.path = lp_span("org"),
                                        .id_type = lp_span("MASTER")};
    mapping.schools[1] = (lp_mapped_t) {.path = lp_span("brin"),
                                        .id_type = lp_span("OIE_CODE")};
    mapping.n_schools = 2;
    mapping.employees[0] = (lp_mapped_t) {.path = lp_span("roles"),
                                          .value = lp_span("employee")};
    mapping.employees[1] = (lp_mapped_t) {.path = lp_span("roles"),
                                          .value = lp_span("staff")};
    mapping.n_employees = 2;
    return 0;
}

static lp_who_result_t
add(const char *text)
{
    json_t         *claims = json_loads(text, 0, NULL);
    lp_who_result_t result;

    assert_non_null(claims);
    result = lp_who_add(&who, &mapping, claims);
    json_decref(claims);
    return result;
}

/* The result for one claim alone, on nobody. */
static lp_who_result_t
fresh(const char *text)
{
    memset(&who, 0, sizeof(who));
    return add(text);
}

static void
expect_user(unsigned i, const char *type, const char *id)
{
    assert_true(i < who.n_users);
    assert_string_equal(who.users[i].type, type);
    assert_string_equal(who.users[i].id, id);
}

static void
test_ids_come_out_of_claims(void **state)
{
    (void) state;
    assert_int_equal(add("{\"eckid\":\"" ECK "\",\"org\":\"S1\","
                         "\"custom\":{\"id\":\"p@school\"}}"),
                     LP_WHO_OK);
    assert_int_equal(who.n_users, 2);
    expect_user(0, "ECK", ECK);
    expect_user(1, "NEPPI", "p@school");
    assert_string_equal(who.school.type, "MASTER");
    assert_string_equal(who.school.id, "S1");
    assert_false(who.employee);
}

static void
test_what_is_absent_null_or_empty_does_not_count(void **state)
{
    (void) state;
    assert_int_equal(add("{\"eckid\":null,\"uid\":\"\",\"custom\":7,"
                         "\"other\":[],\"org\":\"\",\"brin\":null}"),
                     LP_WHO_OK);
    assert_int_equal(who.n_users, 0);
    assert_string_equal(who.school.type, "");
}

static void
test_what_can_not_be_an_id_is_refused(void **state)
{
    static const char *const wrong[] = {
        "{\"uid\":7}", "{\"uid\":true}", "{\"uid\":{\"a\":\"b\"}}",
        "{\"uid\":[7]}", "{\"uid\":[7,{}]}", "{\"uid\":\"a\\nb\"}",
        "{\"uid\":\"a\\u007fb\"}", "{\"org\":\"a school\"}", "{\"org\":7}",
        "{\"org\":\"a/b\"}", "{\"brin\":\"1\\t1\"}",
    };
    char  *text, *id;
    size_t i;

    (void) state;
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(fresh(wrong[i]), LP_WHO_BAD);
    }
    id = malloc(LP_USER_ID_MAX + 2);
    assert_non_null(id);
    memset(id, 'a', LP_USER_ID_MAX + 1);
    id[LP_USER_ID_MAX + 1] = '\0';
    text = mint_text("{\"uid\":\"%s\"}", id);
    assert_int_equal(fresh(text), LP_WHO_BAD);
    free(text);
    id[LP_USER_ID_MAX] = '\0';
    text = mint_text("{\"uid\":\"%s\"}", id);
    assert_int_equal(fresh(text), LP_WHO_OK);
    expect_user(0, "UID", id);
    free(text);
    id[LP_SCHOOL_ID_MAX + 1] = '\0';
    text = mint_text("{\"brin\":\"%s\"}", id);
    assert_int_equal(fresh(text), LP_WHO_BAD);
    free(text);
    free(id);
}

static void
test_an_eck_id_has_its_form(void **state)
{
    static const struct {
        const char     *id;
        lp_who_result_t result;
    } ids[] = {
        {ECK, LP_WHO_OK},
        {"https://ketenid.nl/pilot/" HASH, LP_WHO_OK},
        {"https://id.school/2015-09/" HASH, LP_WHO_OK},
        {ECK "0", LP_WHO_BAD},
        {ECK "/", LP_WHO_BAD},
        {ECK " ", LP_WHO_BAD},
        {"https://ketenid.nl/201703/" HEX64, LP_WHO_BAD},
        {"https://ketenid.nl/201703/" HEX64 "0123456789ABCDEF" HEX64,
         LP_WHO_BAD},
        {"https://ketenid.nl/201703/G" HEX64
         "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         LP_WHO_BAD},
        {"https://ketenid.nl/201703/A" HEX64
         "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         LP_WHO_BAD},
        {"https://ketenid.nl//" HASH, LP_WHO_BAD},
        {"https://ketenid.nl/20170320170320170/" HASH, LP_WHO_BAD},
        {"https://ketenid.nl/2017_3/" HASH, LP_WHO_BAD},
        {"https://ketenid.nl/", LP_WHO_BAD},
        {"https://ketenid.nl/201703", LP_WHO_BAD},
    };
    char  *text;
    size_t i;

    (void) state;
    for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        text = mint_text("{\"eckid\":\"%s\"}", ids[i].id);
        assert_int_equal(fresh(text), ids[i].result);
        if (ids[i].result == LP_WHO_OK) {
            expect_user(0, "ECK", ids[i].id);
        }
        free(text);
    }
}

static void
test_of_an_array_the_first_text_counts(void **state)
{
    (void) state;
    assert_int_equal(add("{\"uid\":[null,\"one\",\"two\"],"
                         "\"brin\":[\"11ZZ\"]}"),
                     LP_WHO_OK);
    expect_user(0, "UID", "one");
    assert_string_equal(who.school.type, "OIE_CODE");
    assert_string_equal(who.school.id, "11ZZ");
}

static void
test_a_name_with_dots_is_taken_whole_first(void **state)
{
    (void) state;
    mapping.users[0].path = lp_span("https://a.nl/c.d/custom.eckid");
    mapping.users[0].id_type = lp_span("UID");
    mapping.n_users = 1;
    assert_int_equal(fresh("{\"https://a.nl/c.d/custom.eckid\":\"whole\","
                           "\"https://a.nl/c.d/custom\":"
                           "{\"eckid\":\"member\"}}"),
                     LP_WHO_OK);
    expect_user(0, "UID", "whole");
    assert_int_equal(fresh("{\"https://a.nl/c.d/custom\":"
                           "{\"eckid\":\"member\"}}"),
                     LP_WHO_OK);
    expect_user(0, "UID", "member");
    assert_int_equal(fresh("{\"https://a\":{\"nl/c\":{\"d/custom\":"
                           "{\"eckid\":\"deep\"}}}}"),
                     LP_WHO_OK);
    expect_user(0, "UID", "deep");
    assert_int_equal(fresh("{\"https://a\":\"text\"}"), LP_WHO_OK);
    assert_int_equal(who.n_users, 0);
}

static void
test_of_a_type_there_is_one_id_and_the_first_wins(void **state)
{
    (void) state;
    mapping.users[3].id_type = lp_span("UID");
    assert_int_equal(add("{\"uid\":\"one\",\"other\":\"two\",\"org\":\"S1\"}"),
                     LP_WHO_OK);
    assert_int_equal(add("{\"uid\":\"three\",\"org\":\"S2\","
                         "\"eckid\":\"" ECK "\"}"),
                     LP_WHO_OK);
    assert_int_equal(who.n_users, 2);
    expect_user(0, "UID", "one");
    expect_user(1, "ECK", ECK);
    assert_string_equal(who.school.id, "S1");
}

static void
test_there_are_three_ids_at_most(void **state)
{
    (void) state;
    assert_int_equal(add("{\"eckid\":\"" ECK "\",\"custom\":{\"id\":\"b\"},"
                         "\"uid\":\"c\",\"other\":\"d\"}"),
                     LP_WHO_OK);
    assert_int_equal(who.n_users, LP_TOKEN_USERS);
    expect_user(2, "UID", "c");
}

static void
test_a_school_of_the_configuration_is_nobody_elses(void **state)
{
    (void) state;
    mapping.school = lp_span("fixed");
    assert_int_equal(add("{\"uid\":\"a\",\"org\":\"S2\"}"), LP_WHO_OK);
    assert_string_equal(who.school.type, "MASTER");
    assert_string_equal(who.school.id, "fixed");
}

static void
test_any_mark_makes_an_employee(void **state)
{
    (void) state;
    assert_int_equal(fresh("{\"roles\":\"employee\"}"), LP_WHO_OK);
    assert_true(who.employee);
    assert_int_equal(fresh("{\"roles\":[\"member\",7,\"staff\"]}"), LP_WHO_OK);
    assert_true(who.employee);
    assert_int_equal(add("{\"roles\":\"student\"}"), LP_WHO_OK);
    assert_true(who.employee); /* said once is enough */
    assert_int_equal(fresh("{\"roles\":[\"student\",\"employees\"]}"),
                     LP_WHO_OK);
    assert_false(who.employee);
    assert_int_equal(fresh("{\"roles\":{\"employee\":\"employee\"}}"),
                     LP_WHO_OK);
    assert_false(who.employee);
}

static void
test_without_marks_it_is_who_has_no_eck_id(void **state)
{
    (void) state;
    mapping.n_employees = 0;
    assert_int_equal(add("{\"uid\":\"a\"}"), LP_WHO_OK);
    assert_true(who.employee);
    assert_int_equal(add("{\"eckid\":\"" ECK "\"}"), LP_WHO_OK);
    assert_false(who.employee);
    mapping.n_users = 0;
    assert_int_equal(fresh("{}"), LP_WHO_OK);
    assert_false(who.employee); /* nobody gives ECK iDs there */
}

static void
test_json_and_back_is_the_same_person(void **state)
{
    lp_who_t copy;
    json_t  *json;

    (void) state;
    assert_int_equal(add("{\"eckid\":\"" ECK "\",\"custom\":{\"id\":\"b\"},"
                         "\"uid\":\"\xc3\xa9\",\"brin\":\"11ZZ\","
                         "\"roles\":\"staff\"}"),
                     LP_WHO_OK);
    json = lp_who_json(&who);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "ECK")), ECK);
    assert_string_equal(json_string_value(json_object_get(json, "OIE_CODE")),
                        "11ZZ");
    assert_string_equal(json_string_value(json_object_get(json, "role")),
                        "employee");
    assert_int_equal(lp_who_from_json(&copy, json), 0);
    assert_memory_equal(&copy, &who, sizeof(who));
    json_decref(json);

    assert_int_equal(fresh("{}"), LP_WHO_OK);
    json = lp_who_json(&who);
    assert_string_equal(json_string_value(json_object_get(json, "role")),
                        "student");
    assert_int_equal(json_object_size(json), 1);
    json_decref(json);
}

static void
test_json_that_is_nobodys_is_refused(void **state)
{
    static const char *const wrong[] = {
        "[]", "{\"ECK\":7}", "{\"ECK\":\"\"}", "{\"\":\"a\"}",
        "{\"A23456789012345678\":\"a\"}", "{\"ECK\":\"a\\u0001\"}",
        "{\"A\":\"1\",\"B\":\"2\",\"C\":\"3\",\"D\":\"4\"}",
        "{\"MASTER\":\"S1\",\"BP_ID\":\"2\"}",
        "{\"MASTER\":\"" HEX64 "0\"}",
    };
    lp_who_t copy;
    json_t  *json;
    size_t   i;

    (void) state;
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        json = json_loads(wrong[i], 0, NULL);
        assert_non_null(json);
        assert_int_equal(lp_who_from_json(&copy, json), -1);
        assert_int_equal(copy.n_users, 0);
        json_decref(json);
    }
    assert_int_equal(lp_who_from_json(&copy, NULL), -1);
}

static void
test_keys_are_those_of_the_edge(void **state)
{
    lp_pepper_t *pepper = lp_pepper_create(lp_span("0123456789"));
    char         keys[LP_TOKEN_USERS][LP_USER_KEY_LEN];
    char         key[LP_USER_KEY_LEN];

    (void) state;
    assert_non_null(pepper);
    assert_int_equal(add("{\"eckid\":\"" ECK "\",\"uid\":\"b\"}"), LP_WHO_OK);
    assert_int_equal(lp_who_keys(keys, &who, pepper), 0);
    assert_int_equal(lp_user_key(key, pepper, lp_span("ECK"), lp_span(ECK)),
                     0);
    assert_memory_equal(keys[0], key, LP_USER_KEY_LEN);
    assert_int_equal(lp_user_key(key, pepper, lp_span("UID"), lp_span("b")),
                     0);
    assert_memory_equal(keys[1], key, LP_USER_KEY_LEN);
    lp_pepper_destroy(pepper);
}

static void
test_nobody_is_found_without_asking_redis(void **state)
{
    lp_store_status_t status = LP_STORE_DOWN;

    (void) state;
    assert_int_equal(lp_who_check(&who, NULL, 1, &status), LP_WHO_NOBODY);
    assert_int_equal(status, LP_STORE_OK);
    assert_int_equal(add("{\"uid\":\"b\"}"), LP_WHO_OK);
    assert_int_equal(lp_who_check(&who, NULL, 1, &status), LP_WHO_NO_SCHOOL);
    assert_int_equal(lp_who_check(&who, NULL, 0, &status), LP_WHO_OK);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ids_come_out_of_claims),
        TEST(test_what_is_absent_null_or_empty_does_not_count),
        TEST(test_what_can_not_be_an_id_is_refused),
        TEST(test_an_eck_id_has_its_form),
        TEST(test_of_an_array_the_first_text_counts),
        TEST(test_a_name_with_dots_is_taken_whole_first),
        TEST(test_of_a_type_there_is_one_id_and_the_first_wins),
        TEST(test_there_are_three_ids_at_most),
        TEST(test_a_school_of_the_configuration_is_nobody_elses),
        TEST(test_any_mark_makes_an_employee),
        TEST(test_without_marks_it_is_who_has_no_eck_id),
        TEST(test_json_and_back_is_the_same_person),
        TEST(test_json_that_is_nobodys_is_refused),
        TEST(test_keys_are_those_of_the_edge),
        TEST(test_nobody_is_found_without_asking_redis),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
