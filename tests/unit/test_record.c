/*
 * Protects the entitlement as it is kept: what is written is what is read, a
 * damaged record is none, a repeat is known, and the right follows the record.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/entitlement.h"
#include "../../workers/record.h"
#include "wire.h"

#define ENTITLEMENT "JOOUVFNgS6SBnwPlm43WeQ"
#define USER        "AAAAAAAAAAAAAAAAAAAAAA"
#define USER2       "BBBBBBBBBBBBBBBBBBBBBA"
#define USER3       "CCCCCCCCCCCCCCCCCCCCCA"

static const lp_record_t nothing;

/* All members, so that one that is forgotten somewhere is seen. */
static lp_record_t
full_record(void)
{
    lp_record_t record;
    char        id[LP_ENTITLEMENT_LEN];
    int         i;

    memset(&record, 0, sizeof(record));
    memcpy(record.entitlement, ENTITLEMENT, LP_ENTITLEMENT_LEN);
    record.type = LP_TYPE_SCHOOL_EMPLOYEE;
    record.status = LP_STATUS_LICENSED;
    lp_field_set(&record.party, lp_span("00000001234567890000"));
    lp_field_set(&record.product, lp_span("9789012345678"));
    lp_field_set(&record.order, lp_span("order 7"));
    lp_field_set(&record.contract, lp_span("c/1"));
    lp_field_set(&record.school, lp_span("104A158"));
    memcpy(record.users[0], USER, LP_USER_KEY_LEN);
    memcpy(record.users[1], USER2, LP_USER_KEY_LEN);
    memcpy(record.users[2], USER3, LP_USER_KEY_LEN);
    record.n_users = 3;
    record.from = 20260801;
    record.until = 20270731;
    record.minimum = 20270630;
    record.created = 1788000000;
    record.licensed = 20260901;
    record.expires = 20270731;
    record.has_open = 1;
    memcpy(record.open, USER3, LP_ENTITLEMENT_LEN);
    record.has_next = 1;
    memcpy(record.next, USER2, LP_ENTITLEMENT_LEN);
    record.quantity = 120;
    record.used = 119;
    record.shard = lp_record_home(&record);

    for (i = 0; i < LP_RECORD_REFS; i++) {
        lp_ref_id(id, (lp_span_t) {&"abcd"[i], 1});
        lp_record_remember(&record, id, 1788000000 + i,
                           (lp_status_t) (LP_STATUS_ENTITLED + i));
    }
    return record;
}

static lp_record_t
small_record(void)
{
    lp_record_t record = nothing;

    memcpy(record.entitlement, ENTITLEMENT, LP_ENTITLEMENT_LEN);
    record.type = LP_TYPE_SCHOOL_STUDENT;
    record.status = LP_STATUS_ENTITLED;
    lp_field_set(&record.product, lp_span("book"));
    record.shard = lp_record_home(&record);
    return record;
}

/* Sends what is written; the commands then lie at the other end. */
static void
write_record(wire_t *wire, const lp_record_t *record,
             const lp_record_t *before)
{
    lp_store_begin(wire->store);
    lp_record_write(wire->store, record, before);
    assert_int_equal(lp_store_send(wire->store), LP_STORE_OK);
    wire_accept(wire);
    freeReplyObject(wire_command(wire));
}

/* HSET's names and values are HGETALL's reply. */
static int
read_back(lp_record_t *record, redisReply *hset)
{
    redisReply pairs = *hset;

    pairs.element += 2;
    pairs.elements -= 2;
    return lp_record_read(record, ENTITLEMENT, record->shard, &pairs);
}

static int
read_pairs(lp_record_t *record, const char *const *words, size_t n)
{
    redisReply  replies[32], *list[32], reply = {0};
    size_t      i;

    memset(replies, 0, sizeof(replies));
    for (i = 0; i < n; i++) {
        replies[i].type = REDIS_REPLY_STRING;
        replies[i].str = (char *) (uintptr_t) words[i];
        replies[i].len = strlen(words[i]);
        list[i] = &replies[i];
    }
    reply.type = REDIS_REPLY_ARRAY;
    reply.elements = n;
    reply.element = list;
    return lp_record_read(record, ENTITLEMENT, 7, &reply);
}

static void
test_what_is_written_is_read(void **state)
{
    wire_t     *wire = *state;
    lp_record_t record = full_record(), again;
    redisReply *hset, *push;
    size_t      i;

    write_record(wire, &record, &nothing);
    hset = wire_command(wire);
    push = wire_command(wire);
    assert_string_equal(hset->element[0]->str, "HSET");
    assert_string_equal(push->element[0]->str, "RPUSH");
    assert_null(wire_command(wire));

    for (i = 2; i < hset->elements; i++) {
        assert_in_range(hset->element[i]->len, 1, LP_FIELD_MAX);
    }

    again.shard = record.shard;
    assert_int_equal(read_back(&again, hset), 0);
    record.exists = 1;
    assert_memory_equal(&again, &record, sizeof(record));
    freeReplyObject(hset);
    freeReplyObject(push);
}

static void
test_keys_share_the_slot_of_the_school(void **state)
{
    wire_t     *wire = *state;
    lp_record_t record = full_record();
    redisReply *hset, *push;
    char        key[LP_KEY_MAX], expected[LP_KEY_MAX];
    size_t      len;

    write_record(wire, &record, &nothing);
    hset = wire_command(wire);
    push = wire_command(wire);
    snprintf(expected, sizeof(expected), "e:{%02u}:" ENTITLEMENT,
             lp_shard(lp_span("104A158")));
    assert_string_equal(hset->element[1]->str, expected);
    snprintf(expected, sizeof(expected), "i:{%02u}:104A158", record.shard);
    assert_string_equal(push->element[1]->str, expected);
    assert_string_equal(push->element[2]->str, ENTITLEMENT);
    freeReplyObject(hset);
    freeReplyObject(push);

    len = lp_key_held(key, lp_span(""), lp_span(USER));
    snprintf(expected, sizeof(expected), "i:{%02u}:/" USER,
             lp_shard(lp_span(USER)));
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(key, expected, len);

    len = lp_key_place(key, ENTITLEMENT);
    snprintf(expected, sizeof(expected), "x:{%02u}:JOO",
             lp_shard(lp_span("JOO")));
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(key, expected, len);

    assert_int_equal(lp_key_journal(key, 7), 12);
    assert_memory_equal(key, "journal:{07}", 12);
    assert_int_equal(lp_key_usage(key, 63), 10);
    assert_memory_equal(key, "usage:{63}", 10);
}

static void
test_a_change_writes_the_difference(void **state)
{
    wire_t     *wire = *state;
    lp_record_t before = full_record(), record;
    redisReply *hset, *hdel;
    char        id[LP_ENTITLEMENT_LEN], forgotten[24], remembered[24];

    before.exists = 1;
    record = before;
    record.status = LP_STATUS_BLOCKED;
    record.contract.len = 0;
    record.has_next = 0;
    record.count = 12; /* the tally's, not ours */
    record.n_users = 2;
    snprintf(forgotten, sizeof(forgotten), "#%.22s", record.refs[0].id);
    lp_ref_id(id, lp_span("e"));
    snprintf(remembered, sizeof(remembered), "#%.22s", id);
    lp_record_remember(&record, id, 1788000009, LP_STATUS_BLOCKED);

    write_record(wire, &record, &before);
    hset = wire_command(wire);
    hdel = wire_command(wire);
    assert_null(wire_command(wire));

    assert_int_equal(hset->elements, 2 + 4);
    assert_string_equal(wire_word(hset, "status"), "blocked");
    assert_string_equal(wire_word(hset, remembered), "1788000009 blocked");
    assert_int_equal(hdel->elements, 2 + 4);
    assert_string_equal(hdel->element[0]->str, "HDEL");
    assert_string_equal(hdel->element[2]->str, "contract");
    assert_string_equal(hdel->element[3]->str, "user3");
    assert_string_equal(hdel->element[4]->str, "next");
    assert_string_equal(hdel->element[5]->str, forgotten);
    freeReplyObject(hset);
    freeReplyObject(hdel);
}

static void
test_no_change_writes_nothing(void **state)
{
    wire_t     *wire = *state;
    lp_record_t record = full_record();

    record.exists = 1;
    write_record(wire, &record, &record);
    assert_null(wire_command(wire));
}

/* A code that nobody has redeemed belongs to no list. */
static void
test_a_record_without_school_and_user_is_in_no_list(void **state)
{
    wire_t     *wire = *state;
    lp_record_t record = small_record();
    redisReply *hset;

    assert_int_equal(record.shard, lp_shard(lp_span(ENTITLEMENT)));
    write_record(wire, &record, &nothing);
    hset = wire_command(wire);
    assert_int_equal(hset->elements, 2 + 6);
    assert_null(wire_command(wire));
    freeReplyObject(hset);
}

static void
test_no_fields_are_no_record(void **state)
{
    lp_record_t record;

    (void) state;
    assert_int_equal(read_pairs(&record, NULL, 0), 0);
    assert_false(record.exists);
    assert_int_equal(record.shard, 7);
    assert_memory_equal(record.entitlement, ENTITLEMENT, LP_ENTITLEMENT_LEN);
}

static void
test_totals_and_later_fields_are_read(void **state)
{
    static const char *const words[] = {
        "type", "school-student", "status", "licensed", "product", "book",
        "first", "20260901", "last", "20261001", "count", "4123456789",
        "colour", "of a later version",
    };
    lp_record_t record;

    (void) state;
    assert_int_equal(read_pairs(&record, words, 14), 0);
    assert_true(record.exists);
    assert_int_equal(record.first, 20260901);
    assert_int_equal(record.last, 20261001);
    assert_int_equal(record.count, 4123456789);
}

static void
test_a_damaged_record_is_refused(void **state)
{
    static const char *const damage[][2] = {
        {"type", "school"},
        {"type", ""},
        {"status", "Licensed"},
        {"from", "2026-09-01"},
        {"from", "20260931"},
        {"from", ""},
        {"count", "-1"},
        {"count", "1e3"},
        {"count", "99999999999999999999"},
        {"created", "9999999999999999999"},
        {"user", "short"},
        {"user", "AAAAAAAAAAAAAAAAAAAAA!"},
        {"user2", USER2}, /* without the first */
        {"next", ""},
        {"product", ""},
        {"order", "12345678901234567890123456789012345678901234567890123456"
                  "789012345"},
        {"#" ENTITLEMENT, "blocked"},
        {"#" ENTITLEMENT, "0 blocked"},
        {"#" ENTITLEMENT, "1788000000 "},
        {"#" ENTITLEMENT, "1788000000 shut"},
    };
    const char *words[] = {"type", "school-student", "status", "entitled",
                           "product", "book", NULL, NULL};
    lp_record_t record;
    unsigned    i;

    (void) state;
    assert_int_equal(read_pairs(&record, words, 6), 0);
    for (i = 0; i < 6; i += 2) {
        const char *rest[] = {words[(i + 2) % 6], words[(i + 3) % 6],
                              words[(i + 4) % 6], words[(i + 5) % 6]};

        assert_int_equal(read_pairs(&record, rest, 4), -1);
    }
    for (i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
        words[6] = damage[i][0];
        words[7] = damage[i][1];
        assert_int_equal(read_pairs(&record, words, 8), -1);
    }
    assert_int_equal(read_pairs(&record, words, 7), -1);
    assert_int_equal(lp_record_read(&record, ENTITLEMENT, 7, NULL), -1);
}

static void
test_the_last_references_are_remembered(void **state)
{
    lp_record_t record = small_record();
    char        ids[LP_RECORD_REFS + 1][LP_ENTITLEMENT_LEN];
    unsigned    i;

    (void) state;
    for (i = 0; i <= LP_RECORD_REFS; i++) {
        assert_int_equal(lp_ref_id(ids[i], (lp_span_t) {&"abcdef"[i], 1}), 0);
        assert_null(lp_record_ref(&record, ids[i]));
        lp_record_remember(&record, ids[i], 100 + i, LP_STATUS_ENTITLED);
        assert_non_null(lp_record_ref(&record, ids[i]));
    }
    assert_null(lp_record_ref(&record, ids[0]));
    assert_non_null(lp_record_ref(&record, ids[1]));

    lp_record_remember(&record, ids[2], 200, LP_STATUS_BLOCKED);
    assert_int_equal(lp_record_ref(&record, ids[2])->at, 200);
    assert_int_equal(lp_record_ref(&record, ids[2])->status,
                     LP_STATUS_BLOCKED);
    assert_non_null(lp_record_ref(&record, ids[1]));
}

static void
test_receive_ids_are_the_same_for_every_repeat(void **state)
{
    char one[37], two[37], bytes[LP_ENTITLEMENT_LEN];

    (void) state;
    assert_int_equal(lp_receive_id(one, lp_span("ref"),
                                   lp_span(ENTITLEMENT)), 0);
    assert_int_equal(lp_receive_id(two, lp_span("ref"),
                                   lp_span(ENTITLEMENT)), 0);
    assert_string_equal(one, two);
    assert_string_equal(one, "61efc8db-0155-8a73-82d5-2f744198d5ff");
    assert_int_equal(lp_entitlement_read(bytes, one), 0);

    assert_int_equal(lp_receive_id(two, lp_span("ref2"),
                                   lp_span(ENTITLEMENT)), 0);
    assert_string_not_equal(one, two);
    assert_int_equal(lp_receive_id(two, lp_span("ref"), lp_span(USER)), 0);
    assert_string_not_equal(one, two);
}

static void
test_names_of_types_and_states(void **state)
{
    unsigned i;

    (void) state;
    for (i = 1; i < LP_TYPES; i++) {
        assert_int_equal(lp_type_find(lp_span_of(lp_type_name(
                             (lp_type_t) i))), i);
    }
    for (i = 1; i < LP_STATUSES; i++) {
        assert_int_equal(lp_status_find(lp_span_of(lp_status_name(
                             (lp_status_t) i))), i);
    }
    assert_int_equal(lp_type_find(lp_span("")), LP_TYPE_NONE);
    assert_int_equal(lp_type_find(lp_span("school")), LP_TYPE_NONE);
    assert_int_equal(lp_status_find(lp_span("created")), LP_STATUS_ENTITLED);
    assert_int_equal(lp_status_find(lp_span("")), LP_STATUS_NONE);
    assert_int_equal(lp_status_find(lp_span("expired")), LP_STATUS_NONE);
}

static void
assert_right(const lp_record_t *record, const char *expected)
{
    char       text[LP_RIGHT_MAX];
    lp_right_t right;

    assert_int_equal(lp_record_right(record, &right), expected != NULL);
    if (expected != NULL) {
        assert_int_equal(lp_right_format(text, &right), strlen(expected));
        assert_memory_equal(text, expected, strlen(expected));
    }
}

static void
test_the_right_follows_the_record(void **state)
{
    lp_record_t record = small_record();

    (void) state;
    record.from = 20260801;
    record.until = 20270731;
    assert_right(&record, NULL); /* nobody's yet */

    memcpy(record.users[0], USER, LP_USER_KEY_LEN);
    record.n_users = 1;
    assert_right(&record, "E 20260801 20270731 " ENTITLEMENT);
    record.status = LP_STATUS_BLOCKED;
    assert_right(&record, "B 20260801 20270731 " ENTITLEMENT);

    record.licensed = 20260901;
    record.expires = 20280731;
    assert_right(&record, "B 20260901 20280731 " ENTITLEMENT);
    record.status = LP_STATUS_LICENSED;
    assert_right(&record, "L 20260901 20280731 " ENTITLEMENT);
    record.status = LP_STATUS_CANCELLED;
    assert_right(&record, NULL);

    record = small_record();
    record.type = LP_TYPE_OPEN;
    assert_right(&record, "O - - " ENTITLEMENT);
    record.status = LP_STATUS_BLOCKED;
    assert_right(&record, "B - - " ENTITLEMENT);
}

static void
test_places(void **state)
{
    static const char *const bad[] = {"", "7", "64", "99", "007", "-1", "a1"};
    wire_t     *wire = *state;
    lp_record_t record = full_record();
    redisReply  reply = {0}, *setnx, *get;
    char        digits[3];
    unsigned    i;

    lp_place_claim(wire->store, &record);
    assert_int_equal(lp_store_send(wire->store), LP_STORE_OK);
    wire_accept(wire);
    setnx = wire_command(wire);
    get = wire_command(wire);
    assert_string_equal(setnx->element[0]->str, "HSETNX");
    assert_string_equal(get->element[0]->str, "HGET");
    assert_string_equal(setnx->element[1]->str, get->element[1]->str);
    assert_string_equal(get->element[2]->str, &ENTITLEMENT[3]);
    snprintf(digits, sizeof(digits), "%02u", record.shard % 100);
    assert_string_equal(setnx->element[3]->str, digits);
    freeReplyObject(setnx);
    freeReplyObject(get);

    reply.type = REDIS_REPLY_STRING;
    reply.len = 2;
    reply.str = digits;
    assert_int_equal(lp_place_read(&reply), record.shard);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        reply.str = (char *) (uintptr_t) bad[i];
        reply.len = strlen(bad[i]);
        assert_int_equal(lp_place_read(&reply), -1);
    }
    reply.type = REDIS_REPLY_NIL;
    assert_int_equal(lp_place_read(&reply), -1);
    assert_int_equal(lp_place_read(NULL), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WIRED(test_what_is_written_is_read),
        WIRED(test_keys_share_the_slot_of_the_school),
        WIRED(test_a_change_writes_the_difference),
        WIRED(test_no_change_writes_nothing),
        WIRED(test_a_record_without_school_and_user_is_in_no_list),
        cmocka_unit_test(test_no_fields_are_no_record),
        cmocka_unit_test(test_totals_and_later_fields_are_read),
        cmocka_unit_test(test_a_damaged_record_is_refused),
        cmocka_unit_test(test_the_last_references_are_remembered),
        cmocka_unit_test(test_receive_ids_are_the_same_for_every_repeat),
        cmocka_unit_test(test_names_of_types_and_states),
        cmocka_unit_test(test_the_right_follows_the_record),
        WIRED(test_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
