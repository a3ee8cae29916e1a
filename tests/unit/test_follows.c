/*
 * Protects what stands beside a right for the day on which it ends: which one
 * of several it is, and when a worker looks at it.
 */

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../workers/chain.h"
#include "../../workers/rights_held.h"
#include "wire.h"

#define TODAY  20261001
#define RIGHTS 4

static const char user[] = "uuuuuuuuuuuuuuuuuuuuuu";

/* With time enough for a thread of a loaded machine. */
static int
open_wire(void **state)
{
    static wire_t      wire;
    lp_store_options_t options = {.timeout_ms = 20000};

    wire_open(&wire, 0);
    lp_store_destroy(wire.store);
    options.address = wire.address;
    wire.store = lp_store_create(&options);
    assert_non_null(wire.store);
    *state = &wire;
    return 0;
}

static int
close_wire(void **state)
{
    wire_close(*state);
    return 0;
}

/* 22 characters that are the bytes of an entitlement, one for each letter. */
static const char *
id_of(char letter)
{
    static char id[LP_ENTITLEMENT_LEN + 1];

    memset(id, letter, LP_ENTITLEMENT_LEN);
    id[LP_ENTITLEMENT_LEN - 1] = 'A';
    return id;
}

/* "L 20260901 20270731 a", as a record that gives this right. */
static lp_record_t
record_of(const char *text)
{
    lp_record_t record;
    lp_right_t  right;
    char        whole[LP_RIGHT_MAX + 1];

    memset(&record, 0, sizeof(record));
    snprintf(whole, sizeof(whole), "%.*s%s", (int) strlen(text) - 1, text,
             id_of(text[strlen(text) - 1]));
    assert_int_equal(lp_right_parse(&right, lp_span_of(whole)), 0);
    memcpy(record.entitlement, right.entitlement, LP_ENTITLEMENT_LEN);
    record.exists = 1;
    record.type = LP_TYPE_SCHOOL_STUDENT;
    record.status = right.state == LP_LICENSED  ? LP_STATUS_LICENSED
                    : right.state == LP_BLOCKED ? LP_STATUS_BLOCKED
                                                : LP_STATUS_ENTITLED;
    record.from = right.from;
    record.until = right.until;
    if (right.state == LP_LICENSED) {
        record.licensed = right.from;
        record.expires = right.until;
    }
    lp_field_set(&record.product, lp_span("book"));
    lp_field_set(&record.school, lp_span("S1"));
    record.n_users = 1;
    memcpy(record.users[0], user, LP_USER_KEY_LEN);
    return record;
}

static void
send_all(wire_t *wire)
{
    assert_int_equal(lp_store_send(wire->store), LP_STORE_OK);
    if (wire->link < 0) {
        wire_accept(wire);
    }
}

/* The letter of what is written; '-': it is taken away; ' ': left alone. */
static void
note(const redisReply *command, const char *field, char *letter)
{
    const char *value = wire_word(command, field);

    if (command->element[1]->str[0] != 'u') {
        return;
    }
    if (value != NULL) {
        *letter = value[strlen(value) - 2];
    } else if (strcmp(command->element[0]->str, "HDEL") == 0
               && strcmp(command->element[2]->str, field) == 0) {
        *letter = '-';
    }
}

static void
take_written(wire_t *wire, char *first, char *follows)
{
    redisReply *command;

    *first = *follows = ' ';
    send_all(wire);
    while ((command = wire_command(wire)) != NULL) {
        note(command, "book", first);
        note(command, "book+", follows);
        wire_answer(wire, ":1\r\n");
        freeReplyObject(command);
    }
    assert_int_equal(lp_store_receive(wire->store), LP_STORE_OK);
}

typedef struct {
    const char *rights[RIGHTS]; /* the one in hand first */
    const char *stored[2];      /* an operator's, or of those: no change */
    char        first;
    char        follows;
} row_t;

static const row_t rows[] = {
    {{"E 20260801 20270731 a"}, {NULL, NULL}, 'a', ' '},
    /* what is left of one that was cancelled */
    {{"E 20260801 20270731 a"}, {NULL, "E 20260801 20270731 b"}, 'a', '-'},

    /* next year's, behind a licence and behind an entitlement */
    {{"L 20260801 20270731 a", "E 20270801 20280731 b"}, {NULL}, 'a', 'b'},
    {{"E 20270801 20280731 a", "E 20260801 20270731 b"}, {NULL}, 'b', 'a'},

    /* what ends on the same day is of no use then */
    {{"L 20260801 20270731 a", "E 20260801 20270731 b",
      "E 20270801 20280731 c"}, {NULL}, 'a', 'c'},
    {{"L 20260801 20270731 a", "E 20260801 20270731 b"}, {NULL}, 'a', 'b'},

    /* the first to end of those that are valid on the day after */
    {{"L 20260801 20270731 a", "E 20260801 20290731 b",
      "E 20260801 20280731 c", "E 20270802 20270901 d"}, {NULL}, 'a', 'c'},
    {{"L 20260801 20261231 a", "E 20270801 20280731 b",
      "E 20270201 20270731 c"}, {NULL}, 'a', 'c'},
    {{"L 20260801 - a", "E 20260801 20270731 b",
      "E 20260801 20261130 c"}, {NULL}, 'a', 'c'},

    /* a block that has not ended by then hides the others */
    {{"L 20260801 20270731 a", "E 20260801 20280731 b",
      "B 20280801 20290731 c"}, {NULL}, 'a', 'c'},
    {{"L 20260801 20270731 a", "E 20260801 20280731 b",
      "B 20250801 20270731 c"}, {NULL}, 'a', 'b'},
    {{"B 20260801 20270731 a", "E 20260801 20280731 b"}, {NULL}, 'a', 'b'},

    /* what has ended follows nobody */
    {{"L 20260801 20270731 a", "L 20250801 20260731 b"}, {NULL}, 'a', ' '},
    {{"L 20250801 20260731 a", "E 20260801 20260901 b"}, {NULL}, 'b', ' '},

    /* an operator's, first and behind */
    {{"E 20260801 20270731 a"}, {"L 20260801 20270731 x", NULL}, ' ', 'a'},
    {{"E 20260801 20270731 a"}, {"E 20260801 20280731 x", NULL}, 'a', 'x'},
    {{"E 20260801 20270731 a"},
     {"L 20260801 20270731 x", "E 20260801 20280731 y"}, ' ', ' '},
    {{"E 20270801 20280731 a"}, {"L 20250801 20260930 x", NULL}, 'a', ' '},
};

static void
store(lp_chain_t *chain, lp_slot_t *slot, const char *text)
{
    lp_record_t record;

    if (text == NULL) {
        return;
    }
    record = record_of(text);
    slot->any = 1;
    slot->has = lp_record_right(&record, &slot->right);
    assert_true(slot->has);
    if (text[strlen(text) - 1] >= 'x') {
        memcpy(chain->members[chain->n_members++].before.entitlement,
               record.entitlement, LP_ENTITLEMENT_LEN);
    }
}

static void
test_the_best_of_the_day_after_follows(void **state)
{
    wire_t       *wire = *state;
    lp_record_t   record;
    lp_chain_t    chain;
    lp_member_t  *member;
    const row_t  *row;
    char          first, follows;
    size_t        i, j;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        row = &rows[i];
        record = record_of(row->rights[0]);
        lp_chain_holders(&chain, &record);
        chain.members = calloc(LP_CHAIN_MAX, sizeof(lp_member_t));
        assert_non_null(chain.members);
        for (j = 1; j < RIGHTS && row->rights[j] != NULL; j++) {
            member = &chain.members[chain.n_members++];
            member->before = record_of(row->rights[j]);
            member->after = member->before;
        }
        store(&chain, &chain.holders[0].first, row->stored[0]);
        store(&chain, &chain.holders[0].follows, row->stored[1]);
        lp_chain_write(&chain, wire->store, &record, TODAY);
        take_written(wire, &first, &follows);
        lp_chain_clear(&chain);
        if (first != row->first || follows != row->follows) {
            fail_msg("row %zu: '%c' and '%c'", i, first, follows);
        }
    }
}

/* "*2\r\n$5\r\nbook+\r\n..." of names and values in turn. */
static void
answer_hash(wire_t *wire, const char *const *words, unsigned n)
{
    char     text[128];
    unsigned i;

    snprintf(text, sizeof(text), "*%u\r\n", n);
    wire_answer(wire, text);
    for (i = 0; i < n; i++) {
        snprintf(text, sizeof(text), "$%zu\r\n%s\r\n", strlen(words[i]),
                 words[i]);
        wire_answer(wire, text);
    }
}

/* What Redis has: the product, and of the hashes the user's at the school. */
typedef struct {
    wire_t            *wire;
    const char *const *product; /* one field */
    const char *const *rights;
    unsigned           n; /* words of rights */
} stored_t;

/* Answers when all is asked: WATCH, and HGETALL of the product, the user at the
   school, the school, the private customer. */
static void *
answer_all(void *arg)
{
    const stored_t *stored = arg;
    struct pollfd   link = {stored->wire->link, POLLIN, 0};
    redisReply     *command;
    unsigned        asked = 0;

    while (asked < 5 && poll(&link, 1, 10000) == 1) {
        while ((command = wire_command(stored->wire)) != NULL) {
            asked++;
            freeReplyObject(command);
        }
    }
    wire_answer(stored->wire, "+OK\r\n");
    answer_hash(stored->wire, stored->product, 2);
    answer_hash(stored->wire, stored->rights, stored->n);
    answer_hash(stored->wire, NULL, 0);
    answer_hash(stored->wire, NULL, 0);
    return NULL;
}

static void
hold(wire_t *wire, lp_rights_held_t *held, const char *const product[2],
     const char *const *rights, unsigned n)
{
    stored_t      stored = {wire, product, rights, n};
    lp_click_by_t by = {.n_users = 1, .school = lp_span("S1"),
                        .product = lp_span("book"), .today = TODAY};
    pthread_t     redis;

    by.users[0] = (lp_span_t) {user, LP_USER_KEY_LEN};
    if (wire->link < 0) {
        lp_store_add(wire->store, LP_WORDS(lp_span("PING")));
        send_all(wire);
        freeReplyObject(wire_command(wire));
        wire_answer(wire, "+PONG\r\n");
        assert_int_equal(lp_store_receive(wire->store), LP_STORE_OK);
    }
    assert_int_equal(pthread_create(&redis, NULL, answer_all, &stored), 0);
    assert_int_equal(lp_rights_held_read(held, wire->store, &by),
                     LP_STORE_OK);
    assert_int_equal(pthread_join(redis, NULL), 0);
}

#define ID " AAAAAAAAAAAAAAAAAAAAAA"

static void
test_what_follows_counts_where_the_right_is_of_no_use(void **state)
{
    static const struct {
        const char  *first;
        unsigned     n;       /* rights that are held */
        lp_outcome_t outcome;
    } cases[] = {
        {"L 20260801 20270731" ID, 1, LP_REDIRECT},
        {"E 20260801 20270731" ID, 1, LP_ACTIVATE},
        {"B 20270801 20280731" ID, 1, LP_BLOCKED_OUT},
        {"L 20250801 20260930" ID, 2, LP_ACTIVATE},
        {"L 20250801 20261001" ID, 1, LP_REDIRECT},
        {"E 20261002 20270731" ID, 2, LP_ACTIVATE},
        {"B 20250801 20260731" ID, 2, LP_ACTIVATE},
        {"nonsense", 1, LP_ACTIVATE},
    };
    static const char *const product[] = {"url", "https://a.example/"};
    const char              *words[4] = {"book", NULL, "book+",
                                         "E 20260801 20270731" ID};
    const lp_right_t        *right;
    lp_rights_held_t         held;
    size_t                   i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        words[1] = cases[i].first;
        hold(*state, &held, product, words, 4);
        assert_int_equal(held.rights.n, cases[i].n);
        assert_int_equal(lp_decide(&held.product, &held.rights, TODAY,
                                   &right), cases[i].outcome);
        assert_int_equal(held.found[0].follows, i == 7);
        assert_int_equal(held.found[0].more, i != 7);
        assert_int_equal(held.found[held.rights.n - 1].follows,
                         cases[i].n == 2 || i == 7);
        assert_true(lp_span_equal(held.found[held.rights.n - 1].field,
                                  lp_span("book")));
    }
}

/* Alone it is no right: "book+" is no product. */
static void
test_what_follows_nothing_is_nothing(void **state)
{
    static const char *const product[] = {"url", "https://a.example/"};
    static const char *const words[] = {"book+", "E 20260801 20270731" ID};
    lp_rights_held_t         held;

    hold(*state, &held, product, words, 2);
    assert_int_equal(held.rights.n, 0);
}

static void
test_of_a_set_too(void **state)
{
    static const char *const product[] = {"in", "set"};
    static const char *const words[] = {"set", "L 20250801 20260731" ID,
                                        "set+", "E 20260801 20270731" ID};
    lp_rights_held_t         held;

    hold(*state, &held, product, words, 4);
    assert_int_equal(held.rights.n, 2);
    assert_true(lp_span_equal(held.found[1].field, lp_span("set")));
    assert_true(held.found[1].follows);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_best_of_the_day_after_follows,
                                        open_wire, close_wire),
        cmocka_unit_test_setup_teardown(
            test_what_follows_counts_where_the_right_is_of_no_use, open_wire,
            close_wire),
        cmocka_unit_test_setup_teardown(test_what_follows_nothing_is_nothing,
                                        open_wire, close_wire),
        cmocka_unit_test_setup_teardown(test_of_a_set_too, open_wire,
                                        close_wire),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
