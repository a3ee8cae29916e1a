/*
 * Protects what other parties will be told: every field in its place, nothing
 * where nobody is to be told.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../workers/journal.h"
#include "wire.h"

#define ENTITLEMENT "JOOUVFNgS6SBnwPlm43WeQ"

static lp_record_t
record_of(const char *party, const char *school)
{
    lp_record_t record;

    memset(&record, 0, sizeof(record));
    memcpy(record.entitlement, ENTITLEMENT, LP_ENTITLEMENT_LEN);
    record.shard = 7;
    record.type = LP_TYPE_CUSTOMER_STUDENT;
    lp_field_set(&record.party, lp_span_of(party));
    lp_field_set(&record.school, lp_span_of(school));
    lp_field_set(&record.product, lp_span("book"));
    return record;
}

static redisReply *
sent(wire_t *wire)
{
    assert_int_equal(lp_store_send(wire->store), LP_STORE_OK);
    wire_accept(wire);
    return wire_command(wire);
}

static void
assert_entry(const redisReply *entry, const char *kind, size_t fields)
{
    assert_int_equal(entry->elements, 3 + 2 * fields);
    assert_string_equal(entry->element[0]->str, "XADD");
    assert_string_equal(entry->element[1]->str, "journal:{07}");
    assert_string_equal(entry->element[2]->str, "*");
    assert_string_equal(wire_word(entry, "kind"), kind);
    assert_string_equal(wire_word(entry, "party"), "00000001234567890000");
    assert_string_equal(wire_word(entry, "entitlement"), ENTITLEMENT);
    assert_string_equal(wire_word(entry, "product"), "book");
}

static void
test_an_activation_with_all_its_fields(void **state)
{
    wire_t     *wire = *state;
    lp_record_t record = record_of("00000001234567890000", "104A158");
    redisReply *entry;

    lp_journal_activation(wire->store, &record, 20260901, 20270731,
                          lp_span("c2VhbGVk"), 1);
    entry = sent(wire);
    assert_entry(entry, "activation", 10);
    assert_string_equal(wire_word(entry, "type"), "customer-student");
    assert_string_equal(wire_word(entry, "school"), "104A158");
    assert_string_equal(wire_word(entry, "day"), "20260901");
    assert_string_equal(wire_word(entry, "until"), "20270731");
    assert_string_equal(wire_word(entry, "person"), "c2VhbGVk");
    assert_string_equal(wire_word(entry, "over"), "1");
    freeReplyObject(entry);
}

static void
test_an_activation_of_a_private_customer(void **state)
{
    wire_t     *wire = *state;
    lp_record_t record = record_of("00000001234567890000", "");
    redisReply *entry;

    lp_journal_activation(wire->store, &record, 20260901, 20270731,
                          lp_span(""), 0);
    entry = sent(wire);
    assert_entry(entry, "activation", 7);
    freeReplyObject(entry);
}

static void
test_a_confirmation(void **state)
{
    wire_t     *wire = *state;
    lp_record_t record = record_of("00000001234567890000", "104A158");
    redisReply *entry;

    lp_journal_confirmation(wire->store, &record, lp_span("r 1"), 1788000000,
                            LP_STATUS_BLOCKED);
    entry = sent(wire);
    assert_entry(entry, "confirmation", 7);
    assert_string_equal(wire_word(entry, "ref"), "r 1");
    assert_string_equal(wire_word(entry, "at"), "1788000000");
    assert_string_equal(wire_word(entry, "status"), "blocked");
    freeReplyObject(entry);
}

static void
test_nobody_to_tell_is_no_entry(void **state)
{
    wire_t     *wire = *state;
    lp_record_t record = record_of("", "104A158");
    redisReply *command;

    lp_journal_activation(wire->store, &record, 20260901, 20270731,
                          lp_span("c2VhbGVk"), 1);
    lp_journal_confirmation(wire->store, &record, lp_span("r"), 1788000000,
                            LP_STATUS_BLOCKED);
    lp_store_add(wire->store, LP_WORDS(lp_span("PING")));
    command = sent(wire);
    assert_string_equal(command->element[0]->str, "PING");
    freeReplyObject(command);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WIRED(test_an_activation_with_all_its_fields),
        WIRED(test_an_activation_of_a_private_customer),
        WIRED(test_a_confirmation),
        WIRED(test_nobody_to_tell_is_no_entry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
