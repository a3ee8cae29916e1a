/*
 * Protects the workers' link to Redis: an answer counts only when it is whole,
 * and a transaction only when all of it was written.
 */

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire.h"

#define OK      "+OK\r\n"
#define QUEUED  "+QUEUED\r\n"

static const lp_span_t key = {"k", 1};

static int
open_replicated(void **state)
{
    return wire_begin(state, 2);
}

/* A command whose answers may be of any type here. */
static void
add_echo(wire_t *wire)
{
    lp_store_add(wire->store, LP_WORDS(lp_span("ECHO"), key));
}

/* A first answer, so that the connection is there. */
static void
connect_wire(wire_t *wire)
{
    add_echo(wire);
    wire_accept(wire);
    wire_answer(wire, "$1\r\nv\r\n");
    assert_int_equal(lp_store_run(wire->store), LP_STORE_OK);
    freeReplyObject(wire_command(wire));
}

static lp_store_status_t
run_answered(wire_t *wire, const char *bytes)
{
    add_echo(wire);
    wire_answer(wire, bytes);
    return lp_store_run(wire->store);
}

/* A transaction of one command; bytes: the answers to MULTI, SET, EXEC. */
static lp_store_status_t
commit_answered(wire_t *wire, const char *bytes)
{
    lp_store_begin(wire->store);
    lp_store_add(wire->store, LP_WORDS(lp_span("SET"), key, lp_span("v")));
    wire_answer(wire, bytes);
    return lp_store_commit(wire->store);
}

static void
assert_next_command(wire_t *wire, const char *name)
{
    redisReply *command = wire_command(wire);

    assert_non_null(command);
    assert_string_equal(command->element[0]->str, name);
    freeReplyObject(command);
}

static void
test_any_bytes_travel_as_counted_words(void **state)
{
    wire_t     *wire = *state;
    redisReply *command;

    lp_store_add(wire->store,
                 LP_WORDS(lp_span("SET"), lp_span("a\0b\r\n*3"),
                          ((lp_span_t) {NULL, 0})));
    assert_int_equal(lp_store_send(wire->store), LP_STORE_OK);
    wire_accept(wire);

    command = wire_command(wire);
    assert_int_equal(command->elements, 3);
    assert_int_equal(command->element[1]->len, 7);
    assert_memory_equal(command->element[1]->str, "a\0b\r\n*3", 7);
    assert_int_equal(command->element[2]->len, 0);
    freeReplyObject(command);
}

static void
test_replies_belong_to_their_commands(void **state)
{
    wire_t *wire = *state;

    add_echo(wire);
    wire_accept(wire);
    add_echo(wire);
    wire_answer(wire, "$1\r\nv\r\n:7\r\n");

    assert_int_equal(lp_store_run(wire->store), LP_STORE_OK);
    assert_true(lp_span_equal(lp_store_text(lp_store_reply(wire->store, 0)),
                              lp_span("v")));
    assert_int_equal(lp_store_reply(wire->store, 1)->integer, 7);
    assert_null(lp_store_reply(wire->store, 2));
}

/* An import sends a batch while it waits for the one before. */
static void
test_a_batch_may_be_sent_before_the_last_is_received(void **state)
{
    wire_t *wire = *state;

    connect_wire(wire);
    add_echo(wire);
    assert_int_equal(lp_store_send(wire->store), LP_STORE_OK);
    add_echo(wire);
    wire_answer(wire, ":1\r\n");
    assert_int_equal(lp_store_receive(wire->store), LP_STORE_OK);
    assert_int_equal(lp_store_reply(wire->store, 0)->integer, 1);
    wire_answer(wire, ":2\r\n");
    assert_int_equal(lp_store_run(wire->store), LP_STORE_OK);
    assert_int_equal(lp_store_reply(wire->store, 0)->integer, 2);
    assert_null(lp_store_reply(wire->store, 1));
}

static void
test_an_error_is_told_by_its_first_word_alone(void **state)
{
    wire_t *wire = *state;

    connect_wire(wire);
    assert_int_equal(run_answered(wire, "-OOM command not allowed, k\r\n"),
                     LP_STORE_REFUSED);
    assert_string_equal(lp_store_error(wire->store), "OOM");
    assert_int_equal(run_answered(wire, ":1\r\n"), LP_STORE_OK);
    assert_string_equal(lp_store_error(wire->store), "");
}

static void
test_half_a_reply_or_none_is_down_in_time(void **state)
{
    static const char *const answers[] = {"$5\r\nab", "*2\r\n:1\r\n", "", "$"};
    wire_t  *wire;
    unsigned i;

    (void) state;
    for (i = 0; i < 4; i++) {
        wire_setup(state);
        wire = *state;
        connect_wire(wire);
        assert_int_equal(run_answered(wire, answers[i]), LP_STORE_DOWN);
        assert_null(lp_store_reply(wire->store, 0));
        wire_teardown(state);
    }
    wire_setup(state);
}

static void
test_what_is_not_redis_is_down(void **state)
{
    wire_t *wire = *state;

    connect_wire(wire);
    assert_int_equal(run_answered(wire, "HTTP/1.1 400 Bad Request\r\n\r\n"),
                     LP_STORE_DOWN);
}

/* What was not answered must not count as absent. */
static void
test_a_reply_of_another_type_is_out_of_step(void **state)
{
    static const char *const wrong[][2] = {
        {"GET", ":1\r\n"},          {"HGET", "*0\r\n"},
        {"HGETALL", "$1\r\nv\r\n"}, {"HMGET", OK},
        {"EXISTS", "$-1\r\n"},
    };
    wire_t  *wire = *state;
    unsigned i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        wire_close(wire);
        wire_open(wire, 0);
        connect_wire(wire);
        lp_store_add(wire->store, LP_WORDS(lp_span_of(wrong[i][0]), key));
        wire_answer(wire, wrong[i][1]);
        assert_int_equal(lp_store_run(wire->store), LP_STORE_DOWN);
        assert_null(lp_store_reply(wire->store, 0));
    }
}

/* MULTI was lost on the way: the commands behind it were not queued. */
static void
test_a_command_that_was_not_queued_is_out_of_step(void **state)
{
    wire_t *wire = *state;

    connect_wire(wire);
    lp_store_begin(wire->store);
    lp_store_add(wire->store, LP_WORDS(lp_span("HGETALL"), key));
    wire_answer(wire, OK "*0\r\n*0\r\n");
    assert_int_equal(lp_store_commit(wire->store), LP_STORE_DOWN);
}

static void
test_a_batch_after_a_failure_fails_at_once_then_connects_again(void **state)
{
    wire_t  *wire = *state;
    unsigned i;

    connect_wire(wire);
    assert_int_equal(run_answered(wire, "nonsense\r\n"), LP_STORE_DOWN);
    add_echo(wire);
    assert_int_equal(lp_store_run(wire->store), LP_STORE_DOWN);

    for (i = 0; i < 1000; i++) {
        add_echo(wire);
        if (lp_store_send(wire->store) == LP_STORE_OK) {
            break;
        }
        poll(NULL, 0, 5);
    }
    wire_accept(wire);
    wire_answer(wire, ":3\r\n");
    assert_int_equal(lp_store_receive(wire->store), LP_STORE_OK);
    assert_int_equal(lp_store_reply(wire->store, 0)->integer, 3);
}

static void
test_a_connection_that_ended_while_idle_costs_nothing(void **state)
{
    wire_t *wire = *state;

    connect_wire(wire);
    wire_hang_up(wire);
    add_echo(wire);
    wire_accept(wire);
    wire_answer(wire, ":4\r\n");
    assert_int_equal(lp_store_run(wire->store), LP_STORE_OK);
}

static void
test_a_transaction_is_ok_only_when_all_was_written(void **state)
{
    static const struct {
        const char       *answer;
        lp_store_status_t status;
        const char       *error;
    } cases[] = {
        {OK QUEUED "*1\r\n+OK\r\n", LP_STORE_OK, ""},
        {OK QUEUED "*-1\r\n", LP_STORE_CONFLICT, ""},
        {OK "-OOM full\r\n-EXECABORT discarded\r\n", LP_STORE_REFUSED, "OOM"},
        {OK QUEUED "*1\r\n-WRONGTYPE k\r\n", LP_STORE_REFUSED, "WRONGTYPE"},
        {OK QUEUED "-READONLY x\r\n", LP_STORE_REFUSED, "READONLY"},
        {OK QUEUED "+OK\r\n", LP_STORE_REFUSED, ""},
        {OK QUEUED "$-1\r\n", LP_STORE_CONFLICT, ""},
    };
    wire_t  *wire = *state;
    unsigned i;

    connect_wire(wire);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(commit_answered(wire, cases[i].answer),
                         cases[i].status);
        assert_int_equal(lp_store_status(wire->store), cases[i].status);
        assert_string_equal(lp_store_error(wire->store), cases[i].error);
        assert_int_equal(lp_store_exec(wire->store) != NULL,
                         cases[i].status == LP_STORE_OK);
    }
    assert_int_equal(commit_answered(wire, OK QUEUED "*1\r\n"), LP_STORE_DOWN);
}

static void
test_too_few_replicas_are_no_success(void **state)
{
    wire_t *wire = *state;

    connect_wire(wire);
    assert_int_equal(commit_answered(wire, OK QUEUED "*1\r\n+OK\r\n:2\r\n"),
                     LP_STORE_OK);
    assert_int_equal(commit_answered(wire, OK QUEUED "*1\r\n+OK\r\n:1\r\n"),
                     LP_STORE_DOWN);
    assert_null(lp_store_exec(wire->store));
    assert_int_equal(commit_answered(wire, OK QUEUED "*-1\r\n:0\r\n"),
                     LP_STORE_CONFLICT);
}

/* The keys that were read are watched by nobody any more. */
static void
test_a_transaction_does_not_outlive_its_watch(void **state)
{
    wire_t *wire = *state;

    lp_store_add(wire->store, LP_WORDS(lp_span("WATCH"), key));
    wire_accept(wire);
    wire_answer(wire, OK);
    assert_int_equal(lp_store_run(wire->store), LP_STORE_OK);
    wire_hang_up(wire);

    lp_store_begin(wire->store);
    lp_store_add(wire->store, LP_WORDS(lp_span("SET"), key, lp_span("v")));
    assert_int_equal(lp_store_commit(wire->store), LP_STORE_DOWN);

    /* nothing of it was sent, and the next transaction is a new one */
    wire_accept(wire);
    assert_null(wire_command(wire));
    lp_store_begin(wire->store);
    wire_accept(wire);
    wire_answer(wire, OK "*0\r\n");
    assert_int_equal(lp_store_commit(wire->store), LP_STORE_OK);
}

/* Nor where there were questions since, and another end. */
static void
test_a_lost_watch_is_remembered_until_the_transaction(void **state)
{
    wire_t *wire = *state;

    lp_store_add(wire->store, LP_WORDS(lp_span("WATCH"), key));
    wire_accept(wire);
    wire_answer(wire, OK);
    assert_int_equal(lp_store_run(wire->store), LP_STORE_OK);
    wire_hang_up(wire);
    add_echo(wire);
    wire_accept(wire);
    wire_answer(wire, "$1\r\n1\r\n");
    assert_int_equal(lp_store_run(wire->store), LP_STORE_OK);
    wire_hang_up(wire);

    lp_store_begin(wire->store);
    wire_accept(wire);
    wire_answer(wire, OK "*0\r\n");
    assert_int_equal(lp_store_commit(wire->store), LP_STORE_DOWN);
}

static void
test_unwatch_travels_with_the_next_batch(void **state)
{
    wire_t *wire = *state;

    connect_wire(wire);
    lp_store_add(wire->store, LP_WORDS(lp_span("WATCH"), key));
    wire_answer(wire, OK);
    assert_int_equal(lp_store_run(wire->store), LP_STORE_OK);
    lp_store_unwatch(wire->store);
    lp_store_unwatch(wire->store);
    assert_int_equal(run_answered(wire, OK ":5\r\n"), LP_STORE_OK);
    assert_int_equal(lp_store_reply(wire->store, 0)->integer, 5);
    assert_null(lp_store_reply(wire->store, 1));
    assert_int_equal(run_answered(wire, ":6\r\n"), LP_STORE_OK);
    assert_int_equal(lp_store_reply(wire->store, 0)->integer, 6);

    assert_next_command(wire, "WATCH");
    assert_next_command(wire, "UNWATCH");
    assert_next_command(wire, "ECHO");
    assert_next_command(wire, "ECHO");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WIRED(test_any_bytes_travel_as_counted_words),
        WIRED(test_replies_belong_to_their_commands),
        WIRED(test_a_batch_may_be_sent_before_the_last_is_received),
        WIRED(test_an_error_is_told_by_its_first_word_alone),
        cmocka_unit_test_teardown(test_half_a_reply_or_none_is_down_in_time,
                                  wire_teardown),
        WIRED(test_what_is_not_redis_is_down),
        WIRED(test_a_reply_of_another_type_is_out_of_step),
        WIRED(test_a_command_that_was_not_queued_is_out_of_step),
        WIRED(test_a_batch_after_a_failure_fails_at_once_then_connects_again),
        WIRED(test_a_connection_that_ended_while_idle_costs_nothing),
        WIRED(test_a_transaction_is_ok_only_when_all_was_written),
        cmocka_unit_test_setup_teardown(test_too_few_replicas_are_no_success,
                                        open_replicated, wire_teardown),
        WIRED(test_a_transaction_does_not_outlive_its_watch),
        WIRED(test_a_lost_watch_is_remembered_until_the_transaction),
        WIRED(test_unwatch_travels_with_the_next_batch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
