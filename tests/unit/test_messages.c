/*
 * Protects what other parties read: the fields of every message, that a repeat
 * is the same message, and that an entry which lacks something becomes none.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "../../workers/messages.h"
#include "../../workers/outbox.h"

#define SECRET "a secret of the tests, at least 32 bytes"
#define OIN    "00000003123456780000"
#define ID     "JOOUVFNgS6SBnwPlm43WeQ"
#define UUID   "24e39454-5360-4ba4-819f-03e59b8dd679"
#define PERSON "{\"userMasterIdentifier\":\"https://ketenid.nl/x\"}"

typedef struct {
    redisReply  reply;
    redisReply *element[2 * LP_LETTER_FIELDS + 8];
    redisReply  text[2 * LP_LETTER_FIELDS + 8];
} entry_t;

static void
add(entry_t *entry, const char *name, const char *value)
{
    const char *texts[2] = {name, value};
    size_t      at = entry->reply.elements;
    unsigned    i;

    for (i = 0; i < 2; i++) {
        memset(&entry->text[at + i], 0, sizeof(redisReply));
        entry->text[at + i].type = REDIS_REPLY_STRING;
        entry->text[at + i].str = (char *) texts[i];
        entry->text[at + i].len = strlen(texts[i]);
        entry->element[at + i] = &entry->text[at + i];
    }
    entry->reply.type = REDIS_REPLY_ARRAY;
    entry->reply.element = entry->element;
    entry->reply.elements = at + 2;
}

static void
start(entry_t *entry, const char *kind)
{
    memset(entry, 0, sizeof(*entry));
    add(entry, "kind", kind);
    add(entry, "party", OIN);
    add(entry, "product", "book");
}

/* The message's JSON, or NULL; reads the entry and gives it back. */
static json_t *
write_entry(const entry_t *entry, lp_seal_t *seal, const char **reason)
{
    lp_letter_t letter;
    json_t     *json = NULL;
    char       *text;

    assert_int_equal(lp_letter_read(&letter, &entry->reply), 0);
    text = lp_letter_write(&letter, seal, reason);
    if (text != NULL) {
        json = json_loads(text, 0, NULL);
        assert_non_null(json);
    }
    lp_letter_wipe(text);
    lp_letter_free(&letter);
    return json;
}

static const char *
text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text == NULL ? "" : text;
}

static void
start_confirmation(entry_t *entry, const char *ref)
{
    start(entry, "confirmation");
    add(entry, "entitlement", ID);
    add(entry, "ref", ref);
    add(entry, "at", "1500658352");
    add(entry, "status", "entitled");
}

static void
test_a_confirmation_has_edu_v_s_fields(void **state)
{
    entry_t     entry;
    const char *reason;
    json_t     *json;

    (void) state;
    start_confirmation(&entry, "ref \"1\"");
    json = write_entry(&entry, NULL, &reason);
    assert_int_equal(json_object_size(json), 6);
    assert_string_equal(text_of(json, "entitlementReferenceId"), "ref \"1\"");
    assert_string_equal(text_of(json, "entitlementId"), UUID);
    assert_string_equal(text_of(json, "productId"), "book");
    assert_string_equal(text_of(json, "processedTimestamp"),
                        "2017-07-21T17:32:32Z");
    assert_string_equal(text_of(json, "newEntitlementStatus"), "entitled");
    json_decref(json);
}

static void
test_a_repeat_is_the_same_message_and_another_is_not(void **state)
{
    entry_t     entry;
    const char *reason;
    json_t     *first, *again, *other;

    (void) state;
    start_confirmation(&entry, "one");
    first = write_entry(&entry, NULL, &reason);
    again = write_entry(&entry, NULL, &reason);
    start_confirmation(&entry, "two");
    other = write_entry(&entry, NULL, &reason);
    assert_true(json_equal(first, again));
    assert_string_not_equal(text_of(first, "entitlementReceiveId"),
                            text_of(other, "entitlementReceiveId"));
    assert_int_equal(strlen(text_of(first, "entitlementReceiveId")), 36);
    json_decref(first);
    json_decref(again);
    json_decref(other);
}

/* Every field of a confirmation is needed; none may be malformed. */
static void
test_an_entry_that_lacks_something_is_no_message(void **state)
{
    static const char *const names[] = {"product", "entitlement", "ref", "at",
                                        "status"};
    static const char *const bad[][2] = {
        {"entitlement", "short"}, {"entitlement", "JOOUVFNgS6SBnwPlm43We!"},
        {"at", "-1"}, {"at", "soon"}, {"at", "99999999999999999999"},
    };
    entry_t     entry;
    const char *reason;
    size_t      i, at;

    (void) state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        start_confirmation(&entry, "one");
        for (at = 0; at < entry.reply.elements; at += 2) {
            if (strcmp(entry.text[at].str, names[i]) == 0) {
                entry.text[at + 1].len = 0;
            }
        }
        reason = NULL;
        assert_null(write_entry(&entry, NULL, &reason));
        assert_non_null(reason);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        start_confirmation(&entry, "one");
        for (at = 0; at < entry.reply.elements; at += 2) {
            if (strcmp(entry.text[at].str, bad[i][0]) == 0) {
                entry.text[at + 1].str = (char *) bad[i][1];
                entry.text[at + 1].len = strlen(bad[i][1]);
            }
        }
        assert_null(write_entry(&entry, NULL, &reason));
    }
}

static void
start_activation(entry_t *entry, lp_seal_t *seal, const char *what)
{
    static char sealed[LP_SEAL_SEALED_MAX + 1];
    size_t      len = lp_seal_close(seal, sealed, what, lp_span(PERSON));

    assert_true(len > 0);
    sealed[len] = '\0';
    start(entry, "activation");
    add(entry, "entitlement", ID);
    add(entry, "type", "school-employee");
    add(entry, "school", "104A158");
    add(entry, "day", "20260901");
    add(entry, "until", "20270731");
    add(entry, "person", sealed);
}

static void
test_an_activation_names_its_user_only_with_the_right_key(void **state)
{
    lp_seal_t  *seal = lp_seal_create(lp_span(SECRET));
    lp_seal_t  *wrong = lp_seal_create(lp_span("x" SECRET));
    entry_t     entry;
    const char *reason = "";
    json_t     *json, *person = json_loads(PERSON, 0, NULL);

    (void) state;
    start_activation(&entry, seal, "person");
    json = write_entry(&entry, seal, &reason);
    assert_true(json_equal(json_object_get(json, "user"), person));
    assert_string_equal(text_of(json, "entitlementType"), "school-employee");
    assert_string_equal(text_of(json, "usageDate"), "2026-09-01");
    assert_string_equal(text_of(json, "expirationDate"), "2027-07-31");
    assert_string_equal(text_of(json, "usageType"), "initial-activation");
    json_decref(json);

    assert_null(write_entry(&entry, wrong, &reason));
    assert_non_null(strstr(reason, "sealed"));
    assert_null(write_entry(&entry, NULL, &reason));

    /* sealed for something else */
    start_activation(&entry, seal, "code");
    assert_null(write_entry(&entry, seal, &reason));
    json_decref(person);
    lp_seal_destroy(seal);
    lp_seal_destroy(wrong);
}

static void
test_quantities_are_bounded(void **state)
{
    static const char *const quantities[] = {"0", "-1", "10001", "", "many",
                                             "99999999999999999999"};
    lp_seal_t  *seal = lp_seal_create(lp_span(SECRET));
    entry_t     entry;
    const char *reason;
    json_t     *json;
    size_t      i;

    (void) state;
    for (i = 0; i < sizeof(quantities) / sizeof(quantities[0]); i++) {
        start(&entry, "codes");
        add(&entry, "ref", "r");
        add(&entry, "at", "1");
        add(&entry, "quantity", quantities[i]);
        assert_null(write_entry(&entry, seal, &reason));
    }
    start(&entry, "codes");
    add(&entry, "ref", "r");
    add(&entry, "at", "1");
    add(&entry, "quantity", "3");
    json = write_entry(&entry, seal, &reason);
    assert_int_equal(
        json_array_size(json_object_get(json, "activationCodes")), 3);
    json_decref(json);
    lp_seal_destroy(seal);
}

static void
test_what_is_no_entry_is_read_without_harm(void **state)
{
    static char huge[LP_LETTER_MAX + 2];
    lp_letter_t letter;
    entry_t     entry;
    redisReply  nil = {.type = REDIS_REPLY_NIL};
    unsigned    i;

    (void) state;
    assert_int_equal(lp_letter_read(&letter, &nil), 0);
    assert_int_equal(letter.kind, LP_LETTER_UNKNOWN);
    lp_letter_free(&letter);

    assert_int_equal(lp_letter_read(&letter, NULL), 0);
    lp_letter_free(&letter);

    memset(huge, 'x', sizeof(huge) - 1);
    start(&entry, "confirmation");
    add(&entry, "ref", huge);
    assert_int_equal(lp_letter_read(&letter, &entry.reply), 0);
    assert_int_equal(lp_letter_value(&letter, "ref").len, 0);
    lp_letter_free(&letter);

    start(&entry, "confirmation");
    for (i = 3; i < LP_LETTER_FIELDS + 4; i++) {
        add(&entry, "field", "value");
    }
    assert_int_equal(lp_letter_read(&letter, &entry.reply), 0);
    assert_int_equal(letter.n, LP_LETTER_FIELDS);
    lp_letter_free(&letter);
}

static void
test_a_pause_is_read_as_it_was_written(void **state)
{
    static const char *const unreadable[] = {"-3", "x", "", "0",
                                             "99999999999999999999"};
    entry_t    entry;
    lp_pause_t pause;
    size_t     i;

    (void) state;
    memset(&entry, 0, sizeof(entry));
    add(&entry, "failures", "3");
    add(&entry, "next", "1789000000.250");
    add(&entry, "reason", "status 503");
    lp_pause_read(&pause, &entry.reply);
    assert_int_equal(pause.failures, 3);
    assert_int_equal(pause.next, 1789000000250);
    assert_string_equal(pause.reason, "status 503");

    for (i = 0; i < sizeof(unreadable) / sizeof(unreadable[0]); i++) {
        memset(&entry, 0, sizeof(entry));
        add(&entry, "failures", unreadable[i]);
        add(&entry, "next", unreadable[i]);
        lp_pause_read(&pause, &entry.reply);
        assert_int_equal(pause.failures, 0);
        assert_int_equal(pause.next, 0);
    }
    lp_pause_read(&pause, NULL);
    assert_int_equal(pause.failures, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_confirmation_has_edu_v_s_fields),
        cmocka_unit_test(test_a_repeat_is_the_same_message_and_another_is_not),
        cmocka_unit_test(test_an_entry_that_lacks_something_is_no_message),
        cmocka_unit_test(
            test_an_activation_names_its_user_only_with_the_right_key),
        cmocka_unit_test(test_quantities_are_bounded),
        cmocka_unit_test(test_what_is_no_entry_is_read_without_harm),
        cmocka_unit_test(test_a_pause_is_read_as_it_was_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
