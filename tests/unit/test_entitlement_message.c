/*
 * Protects the reading of a seller's message: every field that is missing, of
 * another type, too long or no such thing is named, by its path and with the
 * reason, and no refusal repeats an id of a person.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../workers/entitlements.h"

#define ECK "https://ketenid.nl/201703/canary"

/* What each test changes: a member's path and the JSON that replaces it; NULL
   takes it away. */
typedef struct {
    const char *path;
    const char *json;
    const char *reason; /* NULL: accepted */
} change_t;

static const char sample[] =
    "{\"entitlementReferenceId\": \"ref-1\", \"entitlement\": {"
    "\"entitlementId\": \"24e39454-5360-4ba4-819f-03e59b8dd679\","
    "\"deliveryOrderId\": \"order-1\", \"contractId\": \"contract-1\","
    "\"productId\": \"8717927130834\", \"startDate\": \"2026-08-01\","
    "\"activationUntilDate\": \"2027-07-31\","
    "\"entitlementType\": \"school-student\","
    "\"entitlementStatus\": \"created\","
    "\"school\": {\"organisationMasterIdentifier\": \"104A158\"},"
    "\"user\": {\"userMasterIdentifier\": \"" ECK "\"}}}";

static lp_service_t service;

static int
begin(void **state)
{
    (void) state;
    service.pepper = lp_pepper_create(lp_span("0123456789abcdef"));
    return service.pepper == NULL ? -1 : 0;
}

static int
end(void **state)
{
    (void) state;
    lp_pepper_destroy(service.pepper);
    return 0;
}

/* Puts json in the place of "a.b.c"; lists are not gone through. */
static void
put(json_t *object, const char *path, const char *json)
{
    const char *dot = strchr(path, '.');
    char        name[64];

    while (dot != NULL) {
        snprintf(name, sizeof(name), "%.*s", (int) (dot - path), path);
        object = json_object_get(object, name);
        assert_non_null(object);
        path = dot + 1;
        dot = strchr(path, '.');
    }
    if (json == NULL) {
        assert_int_equal(json_object_del(object, path), 0);
        return;
    }
    assert_int_equal(json_object_set_new(
                         object, path,
                         json_loads(json, JSON_DECODE_ANY, NULL)),
                     0);
}

static json_t *
changed(const char *path, const char *json)
{
    json_t *message = json_loads(sample, 0, NULL);

    assert_non_null(message);
    if (path != NULL) {
        put(message, path, json);
    }
    return message;
}

/* Reads and releases it. */
static int
reads(json_t *json, lp_message_t *message, lp_verdict_t *verdict)
{
    int rc = lp_message_read(&service, json, message, verdict);

    json_decref(json);
    return rc;
}

static void
check(const change_t *changes, size_t n)
{
    lp_message_t message;
    lp_verdict_t verdict;
    size_t       i;
    int          rc;

    for (i = 0; i < n; i++) {
        rc = reads(changed(changes[i].path, changes[i].json), &message,
                   &verdict);
        if (changes[i].reason == NULL) {
            assert_string_equal(verdict.reason, "");
            assert_int_equal(rc, 0);
            continue;
        }
        assert_int_equal(rc, -1);
        assert_string_equal(verdict.reason, changes[i].reason);
        assert_int_equal(verdict.result, LP_REFUSED_FIELD);
        assert_int_equal(verdict.code, LP_CODE_SCHEMA);
        assert_null(strstr(verdict.reason, "canary"));
    }
}

#define CHECK(changes) \
    check((changes), sizeof(changes) / sizeof((changes)[0]))

static void
test_the_sample_is_read(void **state)
{
    lp_message_t message;
    lp_verdict_t verdict;
    char         user[LP_USER_KEY_LEN];

    (void) state;
    assert_int_equal(reads(changed(NULL, NULL), &message, &verdict), 0);
    assert_memory_equal(message.reference, "ref-1", 5);
    assert_int_equal(message.reference_len, 5);
    assert_memory_equal(message.wanted.entitlement, "JOOUVFNgS6SBnwPlm43WeQ",
                        LP_ENTITLEMENT_LEN);
    assert_true(lp_span_equal(lp_field(&message.wanted.product),
                              lp_span("8717927130834")));
    assert_true(lp_span_equal(lp_field(&message.wanted.school),
                              lp_span("104A158")));
    assert_true(lp_span_equal(lp_field(&message.wanted.order),
                              lp_span("order-1")));
    assert_true(lp_span_equal(lp_field(&message.wanted.contract),
                              lp_span("contract-1")));
    assert_int_equal(message.wanted.from, 20260801);
    assert_int_equal(message.wanted.until, 20270731);
    assert_int_equal(message.wanted.type, LP_TYPE_SCHOOL_STUDENT);
    assert_int_equal(message.status, LP_STATUS_ENTITLED);
    assert_int_equal(message.wanted.n_users, 1);
    assert_int_equal(
        lp_user_key(user, service.pepper, lp_span("ECK"), lp_span(ECK)), 0);
    assert_memory_equal(message.wanted.users[0], user, LP_USER_KEY_LEN);
}

static void
test_what_is_missing_is_named(void **state)
{
    static const change_t changes[] = {
        {"entitlementReferenceId", NULL, "entitlementReferenceId: is missing"},
        {"entitlement", NULL, "entitlement: is missing"},
        {"entitlement", "null", "entitlement: is missing"},
        {"entitlement.entitlementId", NULL,
         "entitlement.entitlementId: is missing"},
        {"entitlement.productId", NULL, "entitlement.productId: is missing"},
        {"entitlement.startDate", NULL, "entitlement.startDate: is missing"},
        {"entitlement.activationUntilDate", NULL,
         "entitlement.activationUntilDate: is missing"},
        {"entitlement.entitlementType", NULL,
         "entitlement.entitlementType: is missing"},
        {"entitlement.entitlementStatus", NULL,
         "entitlement.entitlementStatus: is missing"},
        {"entitlement.school", NULL,
         "entitlement.school: is missing, or names none: school-student needs "
         "it"},
        {"entitlement.school", "{}",
         "entitlement.school: is missing, or names none: school-student needs "
         "it"},
        {"entitlement.user", NULL,
         "entitlement.user: is missing, or names none: school-student needs "
         "it"},
        {"entitlement.user", "{\"userMasterIdentifier\": \"\"}",
         "entitlement.user: is missing, or names none: school-student needs "
         "it"},
        {"entitlement.entitlementType", "\"school-activationcode\"",
         "entitlement.activationCode: is missing, or names none: "
         "school-activationcode needs it"},
        {"entitlement.entitlementStatus", "\"cancelled\"",
         "entitlement.endDate: is missing: status cancelled needs it"},
        {"entitlement.entitlementStatus", "\"blocked\"",
         "entitlement.endDate: is missing: status blocked needs it"},
        {"entitlement.deliveryOrderId", NULL, NULL},
        {"entitlement.contractId", "null", NULL},
        {"entitlement.contractId", "\"\"", NULL},
        {"entitlement.futureField", "{\"a\": [1]}", NULL},
    };

    (void) state;
    CHECK(changes);
}

static void
test_another_type_is_named(void **state)
{
    static const change_t changes[] = {
        {"entitlementReferenceId", "7",
         "entitlementReferenceId: is no string"},
        {"entitlement", "[]", "entitlement: is no object"},
        {"entitlement.entitlementId", "{}",
         "entitlement.entitlementId: is no string"},
        {"entitlement.productId", "8717927130834",
         "entitlement.productId: is no string"},
        {"entitlement.startDate", "20260801",
         "entitlement.startDate: is no string"},
        {"entitlement.school", "\"104A158\"",
         "entitlement.school: is no object"},
        {"entitlement.school.organisationMasterIdentifier", "true",
         "entitlement.school.organisationMasterIdentifier: is no string"},
        {"entitlement.school", "{\"organisationIds\": {}}",
         "entitlement.school.organisationIds: is no list"},
        {"entitlement.school", "{\"organisationIds\": [\"x\"]}",
         "entitlement.school.organisationIds[0]: is no object"},
        {"entitlement.user", "[]", "entitlement.user: is no object"},
        {"entitlement.user", "{\"userIds\": \"canary\"}",
         "entitlement.user.userIds: is no list"},
        {"entitlement.user",
         "{\"userIds\": [{\"userId\": 7, \"userIdType\": \"ASI\"}]}",
         "entitlement.user.userIds[0].userId: is no string"},
        {"entitlement.quantity", "\"30\"",
         "entitlement.quantity: is no whole number"},
        {"created", "1", "created: is no string"},
    };

    (void) state;
    CHECK(changes);
}

static void
test_what_is_no_such_thing_is_named(void **state)
{
    static const change_t changes[] = {
        {"entitlementReferenceId", "\"\"", "entitlementReferenceId: is empty"},
        {"entitlementReferenceId", "\"\\u00e9\"",
         "entitlementReferenceId: is not printable ASCII"},
        {"entitlementReferenceId", "\"a\\nb\"",
         "entitlementReferenceId: holds a control character"},
        {"entitlement.entitlementId", "\"24e39454\"",
         "entitlement.entitlementId: is no uuid"},
        {"entitlement.entitlementId", "\"JOOUVFNgS6SBnwPlm43WeQ\"",
         "entitlement.entitlementId: is no uuid"},
        {"entitlement.productId", "\"a b\"",
         "entitlement.productId: is not made of A-Z a-z 0-9 . _ -, a letter or "
         "digit first"},
        {"entitlement.startDate", "\"2026-02-30\"",
         "entitlement.startDate: is no date of the form YYYY-MM-DD"},
        {"entitlement.startDate", "\"2026/08/01\"",
         "entitlement.startDate: is no date of the form YYYY-MM-DD"},
        {"entitlement.activationUntilDate", "\"2026-07-31\"",
         "entitlement.activationUntilDate: is before startDate"},
        {"entitlement.activationUntilDate", "\"2026-08-01\"", NULL},
        {"entitlement.expirationDate", "\"soon\"",
         "entitlement.expirationDate: is no date of the form YYYY-MM-DD"},
        {"entitlement.entitlementType", "\"school\"",
         "entitlement.entitlementType: is none of school-student, "
         "school-employee, school-activationcode, customer-student, "
         "customer-activationcode"},
        {"entitlement.entitlementStatus", "\"expired\"",
         "entitlement.entitlementStatus: is none of created, entitled, "
         "licensed, cancelled, blocked"},
        {"entitlement.school.organisationMasterIdentifier", "\"a/b\"",
         "entitlement.school.organisationMasterIdentifier: is not made of A-Z "
         "a-z 0-9 _ . -"},
        {"entitlement.school",
         "{\"organisationIds\": [{\"organisationIdType\": \"OIE_CODE\"}]}",
         "entitlement.school.organisationIds[0].organisationId: is missing"},
        {"entitlement.user",
         "{\"userIds\": [{\"userId\": \"canary\", \"userIdType\": \"ECK\"}]}",
         "entitlement.user.userIds[0].userIdType: may not be ECK: that id is "
         "userMasterIdentifier"},
        {"entitlement.user",
         "{\"userIds\": [{\"userId\": \"canary\", \"userIdType\": \"a b\"}]}",
         "entitlement.user.userIds[0].userIdType: is not made of A-Z a-z 0-9 "
         "_ -"},
        {"entitlement.user", "{\"userMasterIdentifier\": \"canary\\u0007\"}",
         "entitlement.user.userMasterIdentifier: holds a control character"},
        {"created", "\"2026-09-01\"",
         "created: is no time of the form YYYY-MM-DDTHH:MM:SSZ"},
        {"entitlement.created", "\"2026-09-01T25:00:00Z\"",
         "entitlement.created: is no time of the form YYYY-MM-DDTHH:MM:SSZ"},
    };

    (void) state;
    CHECK(changes);
}

/* A string of n times "x", quoted. */
static const char *
long_text(char *dst, size_t n)
{
    dst[0] = '"';
    memset(dst + 1, 'x', n);
    memcpy(dst + 1 + n, "\"", 2);
    return dst;
}

static void
test_what_is_too_long_is_named(void **state)
{
    static const struct {
        const char *path;
        size_t      max;
    } limits[] = {
        {"entitlementReferenceId", 128},
        {"entitlement.productId", 64},
        {"entitlement.deliveryOrderId", 64},
        {"entitlement.contractId", 64},
        {"entitlement.school.organisationMasterIdentifier", 64},
        {"entitlement.user.userMasterIdentifier", 512},
    };
    lp_message_t message;
    lp_verdict_t verdict;
    char         text[600], reason[128];
    size_t       i;

    (void) state;
    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        assert_int_equal(reads(changed(limits[i].path,
                                       long_text(text, limits[i].max)),
                               &message, &verdict),
                         0);
        assert_int_equal(reads(changed(limits[i].path,
                                       long_text(text, limits[i].max + 1)),
                               &message, &verdict),
                         -1);
        snprintf(reason, sizeof(reason), "%s: is longer than %zu bytes",
                 limits[i].path, limits[i].max);
        assert_string_equal(verdict.reason, reason);
    }
}

static void
test_no_object_is_no_message(void **state)
{
    lp_message_t message;
    lp_verdict_t verdict;

    (void) state;
    assert_int_equal(reads(json_array(), &message, &verdict), -1);
    assert_string_equal(verdict.reason, "the message is no JSON object");
}

/* A user by an ECK iD and others is one user key: that of the ECK iD. */
static void
test_the_eck_id_counts_alone(void **state)
{
    lp_message_t message;
    lp_verdict_t verdict;

    (void) state;
    assert_int_equal(
        reads(changed("entitlement.user",
                      "{\"userIds\": [{\"userId\": \"a\", \"userIdType\": "
                      "\"ASI\"}], \"userMasterIdentifier\": \"" ECK "\"}"),
              &message, &verdict),
        0);
    assert_int_equal(message.wanted.n_users, 1);
}

static void
test_three_ids_of_a_user_count_a_fourth_is_refused(void **state)
{
    lp_message_t message;
    lp_verdict_t verdict;

    (void) state;
    assert_int_equal(
        reads(changed("entitlement.user",
                      "{\"userIds\": [{\"userId\": \"a\", \"userIdType\": "
                      "\"ASI\"}, {\"userId\": \"a\", \"userIdType\": "
                      "\"ASI\"}, {\"userId\": \"a\", \"userIdType\": "
                      "\"BPI\"}, {\"userId\": \"b\", \"userIdType\": "
                      "\"BPI\"}]}"),
              &message, &verdict),
        0);
    assert_int_equal(message.wanted.n_users, 3);

    assert_int_equal(
        reads(changed("entitlement.user",
                      "{\"userIds\": [{\"userId\": \"a\", \"userIdType\": "
                      "\"ASI\"}, {\"userId\": \"b\", \"userIdType\": "
                      "\"ASI\"}, {\"userId\": \"c\", \"userIdType\": "
                      "\"BPI\"}, {\"userId\": \"d\", \"userIdType\": "
                      "\"BPI\"}]}"),
              &message, &verdict),
        -1);
    assert_string_equal(verdict.reason,
                        "entitlement.user.userIds[3]: is one more than the "
                        "three ids that a user may have");
}

static void
test_a_school_by_other_ids_keeps_those_of_known_types(void **state)
{
    lp_message_t message;
    lp_verdict_t verdict;

    (void) state;
    assert_int_equal(
        reads(changed("entitlement.school",
                      "{\"organisationIds\": [{\"organisationId\": \"1\", "
                      "\"organisationIdType\": \"NEW_ID\"}, "
                      "{\"organisationId\": \"11ZZ\", \"organisationIdType\": "
                      "\"OIE_CODE\"}]}"),
              &message, &verdict),
        0);
    assert_int_equal(message.n_aliases, 1);
    assert_true(lp_span_equal(message.aliases[0].type, lp_span("OIE_CODE")));
    assert_true(lp_span_equal(lp_field(&message.aliases[0].id),
                              lp_span("11ZZ")));
    assert_int_equal(message.wanted.school.len, 0);
}

/* However a code is written, it is one code; who holds it is nobody's yet. */
static void
test_a_code_is_known_by_its_hash_alone(void **state)
{
    static const char *const spellings[] = {"\"ABCDE-23456\"",
                                            "\"abcde23456\""};
    lp_message_t             message[2];
    lp_verdict_t             verdict;
    json_t                  *json;
    unsigned                 i;

    (void) state;
    for (i = 0; i < 2; i++) {
        json = changed("entitlement.entitlementType",
                       "\"customer-activationcode\"");
        put(json, "entitlement.activationCode", spellings[i]);
        assert_int_equal(reads(json, &message[i], &verdict), 0);
        assert_true(message[i].has_code);
        assert_int_equal(message[i].wanted.n_users, 0);
        assert_int_equal(message[i].wanted.school.len, 0);
    }
    assert_memory_equal(message[0].code, message[1].code, LP_USER_KEY_LEN);
}

static void
test_the_last_day_may_be_excluded(void **state)
{
    lp_message_t message;
    lp_verdict_t verdict;

    (void) state;
    service.until_excluded = 1;
    assert_int_equal(reads(changed(NULL, NULL), &message, &verdict), 0);
    assert_int_equal(message.wanted.until, 20270730);
    assert_int_equal(reads(changed("entitlement.activationUntilDate",
                                   "\"2026-08-01\""),
                           &message, &verdict),
                     -1);
    assert_string_equal(verdict.reason, "entitlement.activationUntilDate: is "
                                        "not after startDate");
    service.until_excluded = 0;
}

static void
test_times_are_one_whatever_the_zone(void **state)
{
    static const char *const same[] = {
        "\"2026-09-01T06:30:00Z\"",      "\"2026-09-01T08:30:00+02:00\"",
        "\"2026-09-01T06:30:00.123Z\"",  "\"2026-09-01t05:30:00.5-01:00\"",
    };
    lp_message_t             message;
    lp_verdict_t             verdict;
    unsigned                 i;

    (void) state;
    for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        assert_int_equal(reads(changed("created", same[i]), &message,
                               &verdict),
                         0);
        assert_int_equal(message.wanted.created, 1788244200);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_sample_is_read),
        cmocka_unit_test(test_what_is_missing_is_named),
        cmocka_unit_test(test_another_type_is_named),
        cmocka_unit_test(test_what_is_no_such_thing_is_named),
        cmocka_unit_test(test_what_is_too_long_is_named),
        cmocka_unit_test(test_no_object_is_no_message),
        cmocka_unit_test(test_the_eck_id_counts_alone),
        cmocka_unit_test(test_three_ids_of_a_user_count_a_fourth_is_refused),
        cmocka_unit_test(test_a_school_by_other_ids_keeps_those_of_known_types),
        cmocka_unit_test(test_a_code_is_known_by_its_hash_alone),
        cmocka_unit_test(test_the_last_day_may_be_excluded),
        cmocka_unit_test(test_times_are_one_whatever_the_zone),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
